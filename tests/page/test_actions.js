// actions.js: requests, effects and timers, with a fake server and clock.
"use strict";
(() => {
  // Replies to a login of ann's with an empty lobby.
  const inEmptyLobby = async () => {
    const client = await logIn();
    await client.server.reply("history", { entries: [] });
    return client;
  };
  const inLongRoom = async () => {
    const client = await logIn([roomInfo("lobby", { last_seq: 5000 })]);
    await client.server.reply("history", historyPage("lobby", 4901, 5000));
    return client;
  };
  const reconnect = async ({ server, connection }) => {
    await server.drop();
    connection.start();
    server.accept();
  };

  // History.

  test("opening a room loads its latest page, and pushes continue it", async () => {
    const { server, state } = await logIn([roomInfo("lobby", { last_seq: 3 })]);
    await server.reply("history", historyPage("lobby", 1, 3));
    await server.push(speak("lobby", 4, "bob", "hi"));
    equal(state.current.entries.map((entry) => entry.seq), [1, 2, 3, 4]);
    equal(state.current.atEnd, true);
  });

  test("a room of which too much was missed is loaded again", async () => {
    const client = await inEmptyLobby();
    const { server, state } = client;
    await reconnect(client);
    await server.reply("resume", resumeReply([roomInfo("lobby", { last_seq: 900 })],
      [{ room_name: "lobby", state: "behind", last_seq: 900, entries: [] }]));
    await server.reply("history", historyPage("lobby", 801, 900));
    const { firstLoaded, lastLoaded, atEnd, atStart } = state.current;
    equal([firstLoaded, lastLoaded, atEnd, atStart], [801, 900, true, false]);
  });

  test("the window stays bounded, whichever way the user scrolls", async () => {
    const { server, state, actions } = await inLongRoom();
    for (let first = 4801; first > 4000; first -= 100) {
      actions.loadHistory(state.current, "before");
      await server.reply("history", historyPage("lobby", first, first + 99));
    }
    equal([state.current.entries.length, state.current.firstLoaded, state.current.atEnd], [400, 4001, false]);
    actions.loadHistory(state.current, "after");
    equal(server.requests("history").at(-1).after, 4400);
    await server.reply("history", historyPage("lobby", 4401, 4500));
    equal([state.current.entries.length, state.current.firstLoaded, state.current.lastLoaded], [400, 4101, 4500]);
  });

  test("a page that was requested before a jump is dropped", async () => {
    const { server, state, actions } = await inLongRoom();
    actions.loadHistory(state.current, "before");
    const late = server.requests("history").at(-1);
    actions.loadLatest(state.current);
    await server.reply("history", historyPage("lobby", 4801, 4900), late);
    equal([state.current.loaded, state.current.entries.length], [false, 0]);
    await server.reply("history", historyPage("lobby", 4901, 5000));
    equal([state.current.firstLoaded, state.current.atEnd], [4901, true]);
  });

  test("the user can jump to any entry and go on from there", async () => {
    const { server, state, actions } = await inLongRoom();
    actions.loadHistory(state.current, "around", 1);
    equal(server.requests("history").at(-1).around, 1);
    await server.reply("history", historyPage("lobby", 1, 100));
    equal([state.current.atStart, state.current.atEnd, state.current.lastSeq], [true, false, 5000]);
    await server.push(speak("lobby", 5001, "bob", "x"));
    equal([state.current.lastLoaded, state.current.lastSeq], [100, 5001]);
  });

  test("a jump replaces a page that is being loaded", async () => {
    const { server, state, actions } = await inLongRoom();
    actions.loadHistory(state.current, "before");
    const late = server.requests("history").at(-1);
    actions.loadHistory(state.current, "around", 1);
    await server.reply("history", historyPage("lobby", 4801, 4900), late);
    equal([state.current.loading, state.current.firstLoaded], ["around", 4901]);
    await server.reply("history", historyPage("lobby", 1, 100));
    equal([state.current.loading, state.current.firstLoaded, state.current.lastLoaded], [null, 1, 100]);
  });

  test("a page that cannot be loaded is shown as failed and can be loaded again", async () => {
    const { server, state, actions } = await logIn();
    await server.replyError("history", "not_stored");
    equal([state.current.failed, state.current.loading], [true, null]);
    actions.loadHistory(state.current, "latest");
    await server.reply("history", { entries: [] });
    equal([state.current.failed, state.current.loaded], [false, true]);
  });

  // Lists.

  test("members are loaded page by page, once", async () => {
    const { server, state, actions } = await logIn();
    // A page may be shorter than what was asked for.
    const names = Array.from({ length: 700 }, (_unused, index) => `user${index}`);
    await server.reply("get_room_user_list", { users: names, online: [], users_total: 702 });
    equal(server.requests("get_room_user_list").map(({ after }) => after), [null, "user699"]);
    // Some of them have left meanwhile.
    await server.reply("get_room_user_list", { users: ["zoe"], online: ["zoe"], users_total: 650 });
    await server.reply("get_room_user_list", { users: [], online: [], users_total: 650 });
    equal([state.lobby.members.size, state.isOnline("zoe")], [701, true]);
    actions.open(state.lobby);
    equal(server.requests("get_room_user_list").length, 3);
  });

  test("a room that is entered by a request that was sent again can be gone", async () => {
    const { server, state, actions } = await logIn();
    for (const [cmd, entering] of [["create_room", actions.createRoom({ room_name: "a" })], ["join_room", actions.joinRoom("b")]]) {
      const failed = entering.catch(({ code }) => code);
      await server.reply(cmd, { dup: true, seq: 1 });
      equal([await failed, state.rooms.size], ["no_such_room", 1]);
    }
  });

  test("members that could not be loaded are loaded the next time", async () => {
    const { server, state, actions } = await logIn();
    await server.replyError("get_room_user_list", "internal");
    actions.open(state.lobby);
    equal(server.requests("get_room_user_list").length, 2);
  });

  test("the rest of a long list is loaded after a login", async () => {
    const server = new FakeServer();
    const connection = new GTChat.Connection("ws://test/", { environment: server.environment });
    const state = new GTChat.State();
    const actions = new GTChat.Actions(state, connection);
    connection.start();
    server.accept();
    actions.login({ type: "tmp", usr: "ann" });
    await server.reply("login", loginReply("ann", [roomInfo("lobby")], { rooms_total: 3, users_total: 1 }));
    await server.reply("get_room_list", { rooms: [roomInfo("a"), roomInfo("b")] });
    equal([server.requests("get_room_list").map(({ after }) => after), server.requests("get_user_list").length], [["lobby"], 0]);
    equal([...state.rooms.keys()], ["lobby", "a", "b"]);
  });

  test("the rooms to browse are asked for again, at most one page of them", async () => {
    const { server, state, actions } = await logIn([roomInfo("lobby"), roomInfo("a", { joined: false, members: 1 })]);
    actions.refreshRooms();
    await server.reply("get_room_list", { rooms: [roomInfo("a", { joined: false, members: 4 })], rooms_next: "a" });
    equal([server.requests("get_room_list").length, state.room("a").memberCount], [1, 4]);
  });

  test("a list of rooms that was cut is loaded to its end, the user's own rooms first", async () => {
    const { server, state } = await logIn([roomInfo("lobby")], { rooms_total: 9, rooms_next: "p1" });
    const asked = () => server.requests("get_room_list").map(({ after, joined }) => [after, joined]);
    await server.reply("get_room_list", { rooms: [roomInfo("a", { last_seq: 4 })], rooms_next: "p2" });
    await server.reply("get_room_list", { rooms: [roomInfo("b")] });
    equal(asked(), [["p1", true], ["p2", true], ["p1", null]]);
    equal(state.seen.seen, { lobby: 0, a: 4, b: 0 });
    await server.reply("get_room_list", { rooms: [roomInfo("c", { joined: false })] });
    equal([asked().length, state.joinableRooms.map(({ name }) => name)], [3, ["c"]]);
  });

  // Messages.

  test("an own message is shown at once, and once when it is confirmed", async () => {
    const { server, state, actions } = await inEmptyLobby();
    actions.send(state.current, "hello");
    equal(state.current.pending("ann").map((item) => item.state), ["sending"]);
    await server.reply("speak", { id: "i", seq: 1, at: AT });
    equal([state.current.pending("ann").length, state.current.entries.map((entry) => entry.msg)], [0, ["hello"]]);
  });

  test("a failed message is sent again with the same txn", async () => {
    const { server, state, actions } = await inEmptyLobby();
    actions.send(state.current, "hello");
    const [item] = state.current.outgoing;
    await server.replyError("speak", "internal");
    equal([item.state, item.error.code], ["failed", "internal"]);
    actions.retry(state.current, item);
    await server.reply("speak", { id: "i", seq: 1, at: AT });
    const sent = server.requests("speak");
    equal([sent.length, sent[0].txn === sent[1].txn, state.current.entries.length], [2, true, 1]);
  });

  test("a failed message can be discarded", async () => {
    const { server, state, actions } = await inEmptyLobby();
    actions.send(state.current, "hello");
    await server.replyError("speak", "too_long");
    actions.discard(state.current, state.current.outgoing[0]);
    equal(state.current.pending("ann").length, 0);
  });

  test("a message that was stored before its reply was lost is shown once", async () => {
    const client = await inEmptyLobby();
    const { server, state, actions } = client;
    actions.send(state.current, "hello");
    await reconnect(client);
    await server.reply("resume", resumeReply([roomInfo("lobby", { last_seq: 1 })],
      [{ room_name: "lobby", state: "resumed", last_seq: 1, entries: [speak("lobby", 1, "ann", "hello")] }]));
    equal([state.current.entries.length, state.current.pending("ann").length], [1, 0]);
    await server.reply("speak", { id: "i", seq: 1, at: AT, dup: true });
    equal([state.current.entries.length, state.current.outgoing.length], [1, 0]);
  });

  test("a direct message names the user until the id of the conversation is known", async () => {
    const { server, state, actions } = await inEmptyLobby();
    actions.open(state.direct("bob"));
    equal(server.requests("history").at(-1).target_user, "bob");
    await server.reply("history", { entries: [], log_first: 1, log_last: 0 });
    actions.send(state.current, "psst");
    const sent = () => server.requests("speak").map(({ target_user: usr, direct, msg }) => [usr, direct, msg]);
    equal(sent(), [["bob", null, "psst"]]);
    actions.send(state.current, "hey");
    await server.reply("speak", { id: "i", seq: 1, at: AT });
    equal([state.current.entries.map(({ cmd, to, msg }) => [cmd, to, msg]), state.current.pending("ann").length], [[["c_whisper", "bob", "psst"]], 1]);
    await server.reply("get_direct_list", { directs: [directInfo(7, "bob", { last_seq: 1, read_seq: 1 })] });
    // It must not overtake the one before, whose request names the user.
    actions.send(state.current, "you");
    await server.reply("speak", { id: "j", seq: 2, at: AT });
    await server.reply("speak", { id: "k", seq: 3, at: AT });
    actions.send(state.current, "there");
    equal(sent(), [["bob", null, "psst"], ["bob", null, "hey"], ["bob", null, "you"], [null, 7, "there"]]);
  });

  test("messages of a direct conversation are changed, read and typed by its id", async () => {
    const { server, connection, state, actions } = await logIn([roomInfo("lobby")], { directs: [directInfo(7, "bob", { last_seq: 2, read_seq: 1, unread: 1 })] });
    connection.hello = { features: ["edit", "delete", "react", "reply", "pin"] };
    const direct = state.directById(7);
    equal([direct.unread, direct.lastSeq], [1, 2]);
    actions.open(direct);
    equal(server.requests("history").at(-1).direct, 7);
    const own = { at: new Date().toISOString() };
    await server.reply("history", { log_first: 1, log_last: 2, entries: [whisper(1, "ann", "one", { to: "bob", ...own }), whisper(2, "bob", "two", { to: "ann" })] });
    const [mine, other] = direct.entries;
    const rights = (entry) => Object.entries(actions.rights(direct, entry)).filter(([, may]) => may).map(([right]) => right);
    equal([rights(mine), rights(other)], [["edit", "delete", "react", "reply"], ["react", "reply"]]);
    actions.edit(direct, mine, "better");
    actions.react(direct, other, "🎉");
    actions.delete(direct, mine, "");
    actions.typing(direct);
    for (const cmd of ["mark_read", "edit", "react", "delete", "typing"]) {
      equal([cmd, ...server.requests(cmd).map(({ direct: id, seq }) => [id, seq])], [cmd, [7, { mark_read: 2, edit: 1, react: 2, delete: 1 }[cmd]]]);
    }
    direct.ended = true;
    equal([rights(mine), rights(other)], [[], []]);
    actions.send(direct, "hello");
    equal(server.requests("speak").at(-1).direct, 7);
  });

  test("the list tells that an account has ended, a moment after its user went offline or when a message is refused", async () => {
    const { server, state, actions } = await logIn([roomInfo("lobby")], { directs: [directInfo(7, "bob", { guest: true }), directInfo(8, "eve", { guest: true })] });
    for (const usr of ["bob", "eve"]) await server.push(event("logout", { usr }));
    equal(server.requests("get_direct_list").length, 0);
    await server.advance(2000);
    equal(server.requests("get_direct_list").length, 1);
    actions.send(state.directById(7), "hello");
    await server.replyError("speak", "not_allowed");
    equal(server.requests("get_direct_list").length, 2);
    await server.reply("get_direct_list", { directs: [directInfo(7, "bob", { guest: true, ended: true })] });
    equal([state.directById(7).readOnly, state.directById(7).outgoing.length], [true, 1]);
  });

  test("a direct conversation that is not listed is looked for on all pages of the list", async () => {
    const { server, actions } = await inEmptyLobby();
    const found = actions.findDirect(7);
    await server.reply("get_direct_list", { directs: [directInfo(9, "bob")], next: "a" });
    equal(server.requests("get_direct_list").map(({ before }) => before), [null, "a"]);
    await server.reply("get_direct_list", { directs: [directInfo(7, "carol")], next: "b" });
    equal((await found).name, "carol");
    const missing = actions.findDirect(6).catch(({ code }) => code);
    await server.reply("get_direct_list", { directs: [] });
    equal(await missing, "no_such_room");
  });

  test("messages that were not confirmed before a reload are sent with the same txn", async () => {
    const { server, state, actions } = await inEmptyLobby();
    state.restore({ rooms: [{ name: "lobby", outgoing: [
      { txn: "t", msg: "hello", at: AT, after: 0, state: "sending" },
      { txn: "u", msg: "no", at: AT, after: 0, state: "failed" }] }] });
    actions.resend();
    equal(server.requests("speak").map(({ txn }) => txn), ["t"]);
    await server.reply("speak", { id: "i", seq: 1, at: AT });
    equal(state.current.outgoing.map(({ txn, state: is }) => [txn, is]), [["u", "failed"]]);
  });

  test("a message of another user is reported with its conversation", async () => {
    const { server, state, actions } = await logIn([roomInfo("lobby"), roomInfo("den")]);
    const messages = [];
    actions.on("message", ({ conversation, usr, msg, mention }) => messages.push([conversation.name, usr, msg, mention]));
    await server.push(speak("den", 1, "bob", "hi @ann"));
    equal([messages, state.rooms.get("den").unread], [[["den", "bob", "hi @ann", true]], 1]);
  });

  test("a moderator who logs in is told that reports wait", async () => {
    const moderated = { role: "moderator" };
    const rooms = [roomInfo("lobby"), roomInfo("den", moderated), roomInfo("attic", { owner: "ann" }), roomInfo("shed", { ...moderated, joined: false })];
    const { server, state, actions } = await logIn(rooms);
    const dialogs = [];
    actions.on("notice", ({ text, dialog }) => dialogs.push([text, dialog.room.name]));
    equal(server.requests("get_reports").map((request) => request.room_name), ["den"]);
    await server.reply("get_reports", { reports: [] });
    equal([server.requests("get_reports").at(-1).room_name, dialogs], ["attic", []]);
    await server.reply("get_reports", { reports: [{ report_id: 4 }] });
    equal([dialogs, server.requests("get_reports").length], [[["reports_wait", "attic"]], 2]);
    equal([state.rooms.get("den").moderates("ann"), state.lobby.moderates("ann")], [true, false]);
  });

  test("an operator who logs in is told that reports wait, others do not ask", async () => {
    const { server, actions } = await logIn([roomInfo("lobby"), roomInfo("den", { owner: "ann" })], { operator: true });
    const dialogs = [];
    actions.on("notice", ({ dialog }) => dialogs.push(dialog));
    equal(server.requests("get_reports").map((request) => request.room_name), [undefined]);
    await server.reply("get_reports", { reports: [{ report_id: 4 }] });
    equal(dialogs, [{ name: "operator", section: "reports" }]);
    const other = await logIn([roomInfo("lobby"), roomInfo("den", { owner: "bob" })]);
    equal(other.server.requests("get_reports"), []);
  });

  test("a kick is shown as a notice", async () => {
    const { server, state, actions } = await logIn([roomInfo("lobby"), roomInfo("den")]);
    const notices = [];
    actions.on("notice", ({ text }) => notices.push(text));
    actions.open(state.rooms.get("den"));
    await server.push(event("kicked", { room_name: "den", usr: "ann", by: "bob", seq: 1 }));
    equal([notices, state.current.name, state.rooms.get("den").joined], [["kicked"], "lobby", false]);
  });

  test("a message that has to wait says why, and can be discarded", async () => {
    const { server, state, actions } = await inEmptyLobby();
    actions.send(state.current, "one");
    actions.send(state.current, "two");
    const [one] = state.current.outgoing;
    await server.replyError("speak", "over_quota", { retry_after: 3600 });
    equal([one.state, one.delay.code, one.delay.retryAfter], ["sending", "over_quota", 3600]);
    actions.discard(state.current, one);
    await settle();
    equal([server.requests("speak").map(({ msg }) => msg), state.current.outgoing.map(({ msg }) => msg)], [["one", "two"], ["two"]]);
  });

  // What is done with messages.

  // The user ann in a room with one message of hers, 1, and one of bob's, 2.
  const withMessages = async () => {
    const client = await logIn([roomInfo("lobby", { last_seq: 2 })]);
    client.connection.hello = { features: ["edit", "delete", "react", "reply", "action", "pin"], limits: { edit_window: 60 } };
    const entries = [{ ...speak("lobby", 1, "ann", "mine"), at: new Date().toISOString() }, speak("lobby", 2, "bob", "another")];
    await client.server.reply("history", { entries });
    return { ...client, room: client.state.lobby };
  };

  test("an edit is shown at once, and is in the message when it is pushed", async () => {
    const { server, actions, room } = await withMessages();
    actions.edit(room, room.entryAt(1), "better");
    equal([room.edits.get(1).msg, room.entryAt(1).msg], ["better", "mine"]);
    await server.reply("edit", { seq: 3, at: AT });
    equal([room.edits.size, room.entryAt(1).msg], [1, "mine"]);
    await server.push(event("edited", { room_name: "lobby", seq: 3, of: 1, usr: "ann", msg: "better" }));
    const { msg, edited, changed } = room.entryAt(1);
    equal([room.edits.size, msg, edited, changed], [0, "better", true, 3]);
  });

  test("an edit that changes nothing, or is refused, ends", async () => {
    const { server, actions, room } = await withMessages();
    actions.edit(room, room.entryAt(1), "mine");
    await server.reply("edit");
    equal(room.edits.size, 0);
    actions.edit(room, room.entryAt(1), "better");
    await server.replyError("edit", "too_late");
    const item = room.edits.get(1);
    equal([item.state, item.error.code], ["failed", "too_late"]);
    actions.discard(room, item);
    equal([room.edits.size, room.entryAt(1).msg], [0, "mine"]);
  });

  test("a second edit takes the place of one that was not sent", async () => {
    const { server, actions, room } = await withMessages();
    actions.edit(room, room.entryAt(1), "first");
    await server.replyError("edit", "rate_limited", { retry_after: 60 });
    actions.edit(room, room.entryAt(1), "second");
    server.answersPings = true;
    await server.advance(60_000);
    equal([room.edits.get(1).msg, server.requests("edit").map(({ msg }) => msg)], ["second", ["first", "second"]]);
  });

  test("a reply and an action carry what they are", async () => {
    const { server, actions, room } = await withMessages();
    actions.send(room, "yes", { reply: { seq: 2, usr: "bob" } });
    await server.reply("speak", { id: "i", seq: 3, at: AT });
    actions.send(room, "waves", { style: "action" });
    equal(server.requests("speak").map(({ reply, style }) => [reply, style]), [[2, null], [null, "action"]]);
    await server.reply("speak", { id: "j", seq: 4, at: AT });
    equal([room.entryAt(3).reply, room.entryAt(4).style], [{ seq: 2, usr: "bob" }, "action"]);
  });

  test("a reaction is taken back by the same click", async () => {
    const { server, actions, room } = await withMessages();
    actions.react(room, room.entryAt(2), "🎉");
    await server.reply("react", { seq: 3, at: AT });
    await server.push(event("reacted", { room_name: "lobby", seq: 3, of: 2, usr: "ann", emoji: "🎉", on: true }));
    actions.react(room, room.entryAt(2), "🎉");
    equal(server.requests("react").map(({ on }) => on), [true, false]);
  });

  test("what may be done with a message follows from its author, its age and the server", async () => {
    const { connection, actions, room } = await withMessages();
    const rights = (entry) => Object.entries(actions.rights(room, entry)).filter(([, may]) => may).map(([right]) => right);
    equal(rights(room.entryAt(1)), ["edit", "delete", "react", "reply"]);
    equal(rights(room.entryAt(2)), ["react", "reply"]);
    equal(rights({ ...room.entryAt(1), at: AT }), ["delete", "react", "reply"]);
    equal(rights({ ...room.entryAt(1), deleted: { by: "ann", reason: "" } }), []);
    room.owner = "ann";
    equal(rights(room.entryAt(2)), ["delete", "react", "reply", "pin"]);
    connection.hello = { features: [] };
    equal(rights(room.entryAt(1)), []);
  });

  test("messages that others reply to are loaded one by one, and once", async () => {
    const { server, actions, room } = await withMessages();
    actions.loadQuote(room, 1);
    room.reset(5000);
    for (const seq of [7, 7, 9]) actions.loadQuote(room, seq);
    await settle();
    const asked = () => server.requests("history").filter(({ limit }) => limit === 1);
    equal(asked().map(({ around }) => around), [7]);
    await server.reply("history", { entries: [speak("lobby", 7, "bob", "seven")] }, asked()[0]);
    await server.reply("history", { entries: [speak("lobby", 8, "bob", "eight")] }, asked()[1]);
    equal([room.quote(7).msg, room.quote(9), asked().length], ["seven", null, 2]);
  });

  test("pinned messages are loaded, and follow the pushes", async () => {
    const { server, actions, room } = await withMessages();
    const loaded = actions.loadPins(room);
    const pin = (type, seq, of) => event(type, { room_name: "lobby", seq, of, usr: "bob" });
    room.entries[1] = { ...room.entries[1], pinned: true };
    await server.reply("history", { entries: [pin("pinned", 3, 1), pin("pinned", 4, 2), pin("unpinned", 5, 1)] });
    await loaded;
    equal([...room.pins.keys()], [2]);
    room.lastSeq = 5;
    await server.push(pin("unpinned", 6, 2));
    equal(room.pins.size, 0);
    await server.push(pin("pinned", 7, 1));
    equal(room.pins, null);
  });

  test("what is pinned while the pinned messages are loaded is among them", async () => {
    const { server, actions, room } = await withMessages();
    const loaded = actions.loadPins(room);
    const pinned = event("pinned", { room_name: "lobby", seq: 3, of: 1, usr: "bob" });
    await server.push(pinned);
    await server.reply("history", { entries: [] });
    await server.reply("history", { entries: [pinned] });
    await loaded;
    equal([...room.pins.keys()], [1]);
  });

  test("what was not confirmed when a direct conversation is closed is not sent, and becomes a draft", async () => {
    const { server, state, actions, connection } = await inEmptyLobby();
    const kept = [];
    actions.on("unsent", ({ conversation, texts, gone }) => kept.push(conversation.name, texts, gone));
    await server.drop();
    actions.open(state.direct("bob"));
    actions.send(state.current, "psst");
    actions.closeDirect(state.current);
    equal(kept, ["bob", ["psst"], false]);
    connection.start();
    server.accept();
    await server.reply("resume", resumeReply([roomInfo("lobby")], []));
    equal(server.requests("speak"), []);
  });

  // Invitations.

  test("an invitation that is no longer good disappears with a notice", async () => {
    const { server, state, actions } = await inEmptyLobby();
    const notices = [];
    actions.on("notice", ({ text }) => notices.push(text));
    await server.push({ cmd: "c_invited", usr: "bob", room_name: "den", msg: "", at: AT });
    const full = actions.answerInvitation(state.invitations[0], "Y").catch((error) => error.code);
    await server.replyError("invite_reply", "room_full");
    equal([await full, state.invitations.length], ["room_full", 1]);
    const over = actions.answerInvitation(state.invitations[0], "Y");
    await server.replyError("invite_reply", "not_allowed");
    equal([await over, state.invitations, notices], [null, [], ["not_allowed"]]);
  });

  // Read marks.

  test("a login says that this client marks what was read", async () => {
    const { server } = await logIn();
    equal(server.requests("login")[0].marks_read, true);
  });

  test("read marks are sent at most once a second", async () => {
    const { server, state, actions } = await logIn([roomInfo("lobby"), roomInfo("den", { last_seq: 5, unread: 2, read_seq: 3 })]);
    const den = state.rooms.get("den");
    equal([den.unread, den.readSeq, server.requests("mark_read").length], [2, 3, 0]);
    actions.open(den);
    equal(server.requests("mark_read").length, 0);
    await server.reply("history", historyPage("den", 1, 5));
    equal(server.requests("mark_read").map(({ room_name: room, seq }) => [room, seq]), [["den", 5]]);
    await server.reply("mark_read");
    for (let seq = 6; seq < 20; seq += 1) await server.push(speak("den", seq, "bob", "x"));
    equal(server.requests("mark_read").length, 1);
    await server.advance(1000);
    equal(server.requests("mark_read").map(({ seq }) => seq), [5, 19]);
  });

  test("logging out sends outstanding read marks first", async () => {
    const { server, actions } = await inEmptyLobby();
    for (const seq of [1, 2, 3]) await server.push(speak("lobby", seq, "bob", "x"));
    equal(server.requests("mark_read").map(({ seq }) => seq), [1]);
    actions.logout();
    const sent = server.socket.sent.map(({ cmd, seq }) => [cmd, seq]).slice(-2);
    equal(sent, [["mark_read", 3], ["logout", null]]);
  });

  // Typing.

  test("typing is shown for six seconds, or until the message comes", async () => {
    const { server, state } = await logIn();
    const typing = (usr) => server.push(event("typing", { room_name: "lobby", usr }));
    await typing("bob");
    await typing("carol");
    equal([...state.current.typing], ["bob", "carol"]);
    await server.push(speak("lobby", 1, "bob", "there"));
    equal([...state.current.typing], ["carol"]);
    await server.advance(4000);
    await typing("carol");
    await server.advance(4000);
    equal([...state.current.typing], ["carol"]);
    await server.advance(4000);
    equal([...state.current.typing], []);
  });

  test("typing is signalled now and then, and only over an open connection", async () => {
    const { server, state, actions } = await logIn();
    for (let letter = 0; letter < 10; letter += 1) actions.typing(state.current);
    equal(server.requests("typing").length, 1);
    await server.advance(4000);
    actions.typing(state.current);
    equal(server.requests("typing").length, 2);
    await server.drop();
    await server.advance(200);
    actions.typing(state.current);
    equal(server.requests("typing").length, 2);
  });

  // Rooms and addresses.

  test("a room that is created, joined or accepted is returned and open", async () => {
    const { server, state, actions } = await logIn();
    for (const [cmd, act] of [
      ["create_room", () => actions.createRoom({ room_name: "den" })],
      ["join_room", () => actions.joinRoom("den")],
      ["invite_reply", () => actions.answerInvitation({ usr: "bob", room_name: "den" }, "Y")],
    ]) {
      const room = act();
      await server.reply(cmd, { room: roomDetails("den") });
      equal([(await room) === state.current, state.current.name], [true, "den"]);
      actions.open(state.lobby);
    }
  });

  test("a room that cannot be left stays", async () => {
    const { server, state, actions } = await logIn([roomInfo("lobby"), roomInfo("den")]);
    const refused = actions.leaveRoom("den").catch((error) => error.code);
    await server.replyError("leave_room", "internal");
    equal([await refused, state.rooms.get("den").joined], ["internal", true]);
  });

  test("a port that cannot be listened at is refused here", async () => {
    const { server, state, actions } = await logIn();
    equal(await actions.setListenPort(80).catch((error) => error.code), "bad_port");
    actions.setListenPort(4000);
    await server.reply("set_address");
    equal([state.listenPort, server.requests("set_address").length], [4000, 1]);
  });

  test("a request for the address that is no longer there ends", async () => {
    const { server, state, actions } = await logIn();
    const notices = [];
    actions.on("notice", ({ text }) => notices.push(text));
    for (const [answer, code] of [["deny", "not_allowed"], ["allow", "no_such_user"]]) {
      await server.push(event("address_request", { usr: "bob" }));
      const answered = actions.answerAddressRequest("bob", answer);
      await server.replyError(answer, code);
      equal([await answered, state.addressRequests, notices.at(-1)], [null, [], code]);
    }
    await server.push(event("address_request", { usr: "bob" }));
    const failed = actions.answerAddressRequest("bob", "allow").catch((error) => error.code);
    await server.replyError("allow", "internal");
    equal([await failed, state.addressRequests], ["internal", ["bob"]]);
  });

  test("a request that the server refuses changes nothing", async () => {
    const { server, state, actions } = await logIn();
    const refused = actions.request("block", { user: "bob" }).catch((error) => error.code);
    await server.replyError("block", "no_such_user");
    equal([await refused, state.blocked], ["no_such_user", []]);
  });
})();
