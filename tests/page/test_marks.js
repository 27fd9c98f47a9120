// read_marks.js, mention_list.js and mentions.js: read marks that go forward and back, and mentions of the user.
"use strict";
(() => {
  const { sync, transitions, readMarks } = GTChat;
  const short = (effects) => effects.map(({ effect, room, conversation }) => [effect, room?.name ?? conversation?.name].filter(Boolean).join(" "));
  const push = (state, message) => short(sync.push(state, message));
  const marked = (state, seq, place = { room_name: "den" }) => push(state, event("marked_read", { ...place, read_seq: seq, seq }));
  const change = (type, seq, of, usr, fields = {}) => event(type, { room_name: "den", seq, of, usr, ...fields });
  const shown = ({ readSeq, unread, mentions, held, dividerSeq }) => [readSeq, unread, mentions, held, dividerSeq];
  // The user ann with the room den, which has four messages of bob, the second one with a mention, all read.
  const inDen = (msg = "@ann two") => {
    const state = stateAfterLogin([roomInfo("lobby"), roomInfo("den", { last_seq: 4, read_seq: 4 })]);
    const den = state.rooms.get("den");
    const entries = ["one", msg, "three", "four"].map((said, index) => speak("den", index + 1, "bob", said));
    den.membersLoaded = true;
    transitions.open(state, den);
    den.addPage("latest", { entries, log_first: 1, log_last: 4 });
    transitions.read(state, den);
    return { state, den };
  };

  // What mentions the user.

  const mentionsAnn = (msg, { members = ["Ann-Marie", "bob"], owner = "bob", usr = "bob", role = "voice" } = {}) => {
    const state = stateAfterLogin([roomInfo("lobby"), roomInfo("den")]);
    const roles = new Map([["carol", role]]);
    const den = Object.assign(state.rooms.get("den"), { members: new Set(["ann", ...members]), owner, roles });
    return GTChat.mentionsUser(state, den, { usr, msg });
  };

  test("a message mentions a user as the server finds it", () => {
    const yes = ["@ann", "hi @ANN!", "(@ann)", "**@ann**", "@@ann", "@ann.", "@ann-x", "@ann你好", "`x` @ann", "@carol @ann", "> @ann", "@room", "@Room: hi"];
    const no = ["ann", "Ann!", "joe@ann", "@annabel", "@ann_", "@ann-marie", "@ANN-Marie", "`@ann`", "```\n@ann\n```", "@an", "@roomy", "é@ann", "@anné"];
    equal(yes.filter((msg) => !mentionsAnn(msg)), []);
    equal(no.filter((msg) => mentionsAnn(msg)), []);
    equal([mentionsAnn("@ann-marie", { members: [] }), mentionsAnn("@room", { owner: "carol" }), mentionsAnn("@room", { usr: "Host", owner: "" }),
      mentionsAnn("@ann", { usr: "ann" })], [true, false, true, false]);
    equal(["voice", "moderator"].map((role) => mentionsAnn("@room", { usr: "carol", role })), [false, true]);
  });

  // Marks that go back.

  test("what another session marks as unread is unread, and stays so until the user leaves and returns", () => {
    const { state, den } = inDen();
    equal([marked(state, 1), shown(den), den.markedSeq], [[], [1, 3, 1, true, 1], 1]); // it is to be reported again
    equal([push(state, speak("den", 5, "bob", "five")), shown(den)], [["message den"], [1, 4, 1, true, 1]]);
    equal(short(transitions.setFocused(state, false)), []);
    equal([short(transitions.setFocused(state, true)), den.unread], [[], 4]);
    transitions.open(state, state.lobby);
    equal([short(transitions.open(state, den)), shown(den)], [["markRead den"], [5, 0, 0, false, 1]]);
  });

  test("a mark that goes back in a conversation that is not open is asked for, if its log is not loaded", () => {
    const state = stateAfterLogin([roomInfo("lobby"), roomInfo("den", { last_seq: 9, read_seq: 9 })], { directs: [directInfo(7, "bob", { last_seq: 3, read_seq: 3 })] });
    const den = state.rooms.get("den");
    equal([marked(state, 4), shown(den)], [["recount den"], [4, 0, 0, false, null]]);
    sync.reply(state, "get_room_list", { rooms: [roomInfo("den", { last_seq: 9, read_seq: 4, unread: 5, mentions: 2 })] }, {});
    equal([shown(den), den.miscounted, den.lastSeq], [[4, 5, 2, false, null], false, 9]);
    const direct = state.directById(7);
    direct.closed = true;
    equal(marked(state, 1, { target_user: "Bob" }), ["recount bob"]);
    sync.reply(state, "get_direct_list", { directs: [directInfo(7, "bob", { last_seq: 3, read_seq: 1, unread: 2 })] }, {});
    equal([direct.unread, direct.readSeq, direct.closed], [2, 1, false]);
  });

  test("a mark of another session that is behind what was read here takes nothing back", () => {
    const { state, den } = inDen();
    for (const seq of [5, 6, 7]) push(state, speak("den", seq, "bob", "more"));
    equal([marked(state, 6), shown(den), den.confirmedSeq], [[], [7, 0, 0, false, null], 6]);
    sync.reply(state, "mark_read", {}, { room_name: "den", seq: 7 });
    equal([marked(state, 6), den.unread, den.held], [[], 1, true]);
  });

  test("after a resume, a mark that was set back meanwhile counts, and one that was not confirmed does not", () => {
    const { state, den } = inDen();
    push(state, speak("den", 5, "bob", "five"));
    const resume = (readSeq, more) => sync.reply(state, "resume", resumeReply([roomInfo("lobby"), roomInfo("den", { last_seq: 5, read_seq: readSeq, ...more })],
      [{ room_name: "lobby", state: "resumed", entries: [] }, { room_name: "den", state: "resumed", entries: [] }]), {});
    resume(4, { unread: 1 });
    equal(shown(den), [5, 0, 0, false, null]);
    sync.reply(state, "mark_read", {}, { room_name: "den", seq: 5 });
    resume(1, { unread: 4, mentions: 1 });
    equal(shown(den), [1, 4, 1, true, 1]);
  });

  test("sending a message, or marking as read, ends what was marked as unread", () => {
    const { state, den } = inDen();
    marked(state, 1);
    equal([short(transitions.hideDivider(state, den)), shown(den)], [["markRead den"], [4, 0, 0, false, null]]);
    sync.reply(state, "mark_read", {}, { room_name: "den", seq: 4 });
    marked(state, 1);
    push(state, speak("den", 6, "bob", "six"));
    sync.reply(state, "speak", { id: "x", at: AT, seq: 5 }, { room_name: "den", msg: "mine", txn: "t" });
    equal(shown(den).slice(0, 4), [6, 0, 0, false]);
  });

  test("a conversation of which another entry is about to be shown is not read", () => {
    const { state, den } = inDen();
    transitions.open(state, state.lobby);
    push(state, speak("den", 5, "bob", "five"));
    den.target = { seq: 1 };
    equal([short(transitions.open(state, den)), den.unread], [[], 1]);
    den.target = null;
    equal([short(transitions.setEndShown(state, den, true)), den.unread], [["markRead den"], 0]);
  });

  test("marking as unread is sent after what was read before, and is not undone by it", async () => {
    const { server, state, actions } = await logIn([roomInfo("lobby", { last_seq: 3, read_seq: 3 }), roomInfo("den")]);
    await server.reply("history", historyPage("lobby", 1, 3));
    for (const seq of [4, 5, 6]) await server.push(speak("lobby", seq, "bob", "more"));
    await server.reply("mark_read");
    const marks = () => server.socket.sent.filter(({ cmd }) => cmd.startsWith("mark_")).map(({ cmd, seq }) => [cmd, seq]);
    equal(marks(), [["mark_read", 4]]); // the others follow within a second
    actions.markUnread(state.lobby, 6);
    equal(shown(state.lobby), [5, 1, 0, true, 5]);
    await server.reply("mark_read");
    await server.reply("mark_unread", { read_seq: 5 });
    await server.advance(3000);
    equal([marks().slice(1), state.lobby.unread, state.lobby.confirmedSeq], [[["mark_read", 5], ["mark_unread", 6]], 1, 5]);
    actions.readMentions();
    equal(state.lobby.unread, 1);
    // The user returns and reads it, which is reported again.
    actions.open(state.rooms.get("den"));
    actions.open(state.lobby);
    await server.advance(1000);
    equal([marks().slice(3), state.lobby.unread], [[["mark_read", 6]], 0]);
    await server.push(speak("lobby", 7, "bob", "seven"));
    const refused = actions.markUnread(state.lobby, 2).catch(({ code }) => code);
    await server.replyError("mark_unread", "not_stored");
    equal([await refused, state.lobby.held], ["not_stored", false]);
    await server.advance(2000);
    equal(server.requests("get_room_list").at(-1).joined, true);
    await server.reply("get_room_list", { rooms: [roomInfo("lobby", { last_seq: 7, read_seq: 6, unread: 1 })] });
    equal(state.lobby.unread, 0); // its end is shown
  });

  // Mentions.

  test("unread mentions follow the lists, messages, edits, deletions and what is read", () => {
    const state = stateAfterLogin([roomInfo("lobby"), roomInfo("den", { last_seq: 9, read_seq: 5, unread: 4, mentions: 2 }),
      roomInfo("quiet", { last_seq: 5, unread: 3, mentions: 3, notify: "none" })], { directs: [directInfo(7, "bob", { last_seq: 3, unread: 2, mentions: 1 })] });
    const den = state.rooms.get("den");
    equal(state.unreadMentions, 3);
    push(state, speak("den", 10, "bob", "@ann"));
    push(state, whisper(4, "bob", "@ann?"));
    equal([den.mentions, state.directById(7).mentions, state.unreadMentions], [3, 2, 5]);
    // Which ones the server has counted is not known until the list of mentions is loaded.
    equal([push(state, change("deleted", 11, 6, "bob", { by: "bob", reason: "" })), den.mentions, den.unread], [["recount den"], 3, 4]);
    sync.reply(state, "get_mentions", { entries: [speak("den", 8, "bob", "@ann"), speak("den", 7, "bob", "@ann"), speak("den", 3, "bob", "@ann"), speak("gone", 3, "bob", "@ann")] }, {});
    equal([push(state, change("edited", 12, 8, "bob", { msg: "no one" })), den.mentions], [[], 2]);
    equal([push(state, change("edited", 13, 9, "bob", { msg: "for @ann" })), den.mentions], [[], 3]);
    equal([push(state, change("edited", 14, 9, "bob", { msg: "also for @ann" })), den.mentions], [[], 3]);
    equal([push(state, change("deleted", 15, 7, "bob", { by: "bob", reason: "" })), den.mentions, den.unread], [[], 2, 3]);
    equal([marked(state, 9), den.mentions], [["recount den"], 1]);
    equal([marked(state, 15), den.mentions, den.unread, state.unreadMentions], [[], 0, 0, 2]);
  });

  test("the list of mentions is loaded page by page, and kept right by pushes", async () => {
    const mention = (seq, msg = `@ann ${seq}`) => speak("den", seq, "bob", msg);
    const { server, state, actions } = await logIn([roomInfo("lobby"), roomInfo("den", { last_seq: 9, read_seq: 5, unread: 4, mentions: 1 })]);
    const seqs = () => state.mentions.entries.map(({ seq }) => seq);
    equal(server.requests("get_mentions").map(({ before, limit }) => [before, limit]), [[null, 50]]);
    await server.push(mention(10));
    await server.push(change("deleted", 11, 8, "bob", { by: "bob", reason: "" }));
    await server.reply("get_mentions", { entries: [mention(10), mention(9), mention(8), mention(3)], next: "c", more: true });
    equal([seqs(), state.mentions.more, state.rooms.get("den").mentions], [[10, 9, 3], true, 2]);
    sync.reply(state, "get_mentions", { entries: [mention(1)] }, {}); // a page for another cursor
    // A page can be empty and yet have a next.
    actions.loadMentions();
    actions.loadMentions();
    await server.reply("get_mentions", { entries: [], next: "d", more: true });
    await server.reply("get_mentions", { entries: [mention(2), whisper(1, "carol", "@ann")], more: false });
    equal([server.requests("get_mentions").map(({ before }) => before), seqs(), state.mentions.more], [[null, "c", "d"], [10, 9, 3, 2, 1], false]);
    await server.push(change("edited", 12, 3, "bob", { msg: "no more" }));
    await server.push(change("edited", 13, 2, "bob", { msg: "still @ann" }));
    await server.push(change("deleted", 14, 9, "bob", { by: "bob", reason: "" }));
    await server.push(mention(15));
    equal([seqs(), state.mentions.entries.map(({ msg }) => msg)], [[15, 10, 2, 1], ["@ann 15", "@ann 10", "still @ann", "@ann"]]);
    // One in a message that is not loaded, of another time: the list is loaded again.
    await server.push(change("edited", 16, 1, "bob", { msg: "new for @ann" }));
    equal([state.mentions.loaded, seqs()], [false, []]);
    actions.loadMentions();
    await server.replyError("get_mentions", "internal");
    equal([state.mentions.failed, state.mentions.loading], [true, false]);
    actions.loadMentions();
    await server.reply("get_mentions", { entries: [mention(15)] });
    await server.push(event("kicked", { room_name: "den", usr: "ann", by: "bob", seq: 17 }));
    equal([seqs(), state.mentions.loaded], [[], true]);
  });

  test("all conversations with mentions are marked as read at once", async () => {
    const { server, state, actions } = await logIn([roomInfo("lobby"), roomInfo("den", { last_seq: 9, unread: 4, mentions: 1 }), roomInfo("attic", { last_seq: 5, unread: 1 })]);
    actions.readMentions();
    equal(server.requests("mark_read").map(({ room_name: room, seq }) => [room, seq]), [["den", 9]]);
    equal([state.unreadMentions, state.rooms.get("den").unread, state.rooms.get("attic").unread], [0, 0, 1]);
  });

  test("the conversation of a mention is the one that has the entry, also if the account has ended", () => {
    const state = stateAfterLogin([roomInfo("lobby")], { directs: [directInfo(7, "bob", { ended: true, last_seq: 9 }), directInfo(8, "bob", { last_seq: 2 })] });
    const found = [whisper(2, "Bob", "@ann"), whisper(5, "bob", "@ann"), whisper(1, "carol", "@ann"), speak("lobby", 1, "bob", "@ann"), speak("gone", 1, "bob", "@ann")]
      .map((message) => state.conversationOf(message));
    equal(found.map((one) => one?.id ?? one?.name ?? null), [8, 7, null, "lobby", null]);
  });

  // Levels of notifications, invitations.

  test("levels of notifications are those of the server", async () => {
    const { server, state, actions } = await logIn([roomInfo("lobby"), roomInfo("den", { notify: "mentions" })], { directs: [directInfo(7, "bob", { notify: "none" })] });
    const levels = () => [state.lobby, state.rooms.get("den"), state.directById(7)].map(({ level }) => level);
    equal(levels(), ["all", "mentions", "none"]);
    const set = actions.setLevel(state.directById(7), "all");
    equal(server.requests("set_notify").map(({ direct, level }) => [direct, level]), [[7, "all"]]);
    await server.reply("set_notify");
    await set;
    await server.push(event("notify", { room_name: "lobby", level: "none" }));
    await server.push(event("notify", { target_user: "carol", level: "none" }));
    equal(levels(), ["none", "mentions", "all"]);
    await server.push(event("notify", { target_user: "bob", level: "mentions" }));
    sync.reply(state, "get_room_list", { rooms: [roomInfo("den")] }, {});
    equal(levels(), ["none", "all", "mentions"]);
  });

  test("an invitation ends when it is answered in another session, the room is joined or deleted, or its sender is blocked", () => {
    const invite = (room, usr = "bob") => ({ room_name: room, usr, at: AT });
    const listed = [invite("attic"), invite("attic", "carol"), invite("cellar"), invite("shed"), invite("yard"), invite("yard", "carol")];
    const state = stateAfterLogin([roomInfo("lobby")], { invitations: listed });
    const open = () => state.invitations.map(({ room_name: room, usr }) => `${room} ${usr}`);
    sync.reply(state, "invite_reply", {}, { inviter: "bob", room_name: "shed", reply: "L" });
    push(state, event("invitation_ended", { room_name: "shed", usr: "bob" }));
    equal(state.postponed, []);
    push(state, event("invitation_ended", { room_name: "attic", usr: "carol" }));
    equal(open(), ["attic bob", "cellar bob", "yard bob", "yard carol"]);
    push(state, event("join_room", { room_name: "attic", usr: "ann", seq: 4 }));
    push(state, event("room_gone", { room_name: "cellar" }));
    equal(open(), ["yard bob", "yard carol"]);
    sync.reply(state, "block", { blocked: ["carol"] }, { user: "carol" });
    equal(open(), ["yard bob"]);
    sync.reply(state, "join_room", { room: roomDetails("yard") }, {});
    equal(open(), []);
  });
})();
