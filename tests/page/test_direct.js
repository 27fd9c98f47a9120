// Direct conversations: what the lists, pushes and a resume make of them.
"use strict";
(() => {
  const { sync, transitions } = GTChat;
  const short = (effects) => effects.map(({ effect, text, room, conversation }) => [effect, text ?? room?.name ?? conversation?.name].filter(Boolean).join(" "));
  const push = (state, message) => short(sync.push(state, message));
  const withDirects = (...directs) => stateAfterLogin([roomInfo("lobby")], { directs });
  const resume = (state, resumed, directs) => short(sync.reply(state, "resume", resumeReply([roomInfo("lobby")], resumed, { directs }), {}));
  const list = (state, ...directs) => short(sync.reply(state, "get_direct_list", { directs }, {}));
  const seen = ({ id, name, lastSeq, readSeq, unread, ended, closed }) => [id, name, lastSeq, readSeq, unread, ended, closed];
  // Opens a direct conversation whose log is loaded.
  const openLoadedDirect = (state, direct, entries) => {
    transitions.open(state, direct);
    direct.addPage("latest", { entries, log_first: 1, log_last: direct.lastSeq });
    transitions.read(state, direct);
  };

  test("the reply to a login lists direct conversations", () => {
    const state = withDirects(directInfo(7, "bob", { last_seq: 5, read_seq: 3, unread: 2 }), directInfo(8, "dora", { ended: true, guest: true }));
    equal(state.openDirects.map(seen), [[7, "bob", 5, 3, 2, false, false], [8, "dora", 0, 0, 0, true, false]]);
    equal([state.directById(8).readOnly, state.directById(8).guest, state.directById(7).readOnly], [true, true, false]);
    equal(short(transitions.open(state, state.directById(7))), ["loadHistory bob"]);
  });

  test("a list that is full is loaded on", () => {
    const directs = Array.from({ length: 200 }, (_unused, index) => directInfo(index + 1, `user${index}`));
    const effects = sync.reply(new GTChat.State(), "login", loginReply("ann", [roomInfo("lobby")], { directs }), {});
    equal(effects.filter(({ effect }) => effect === "loadDirects").map(({ pages }) => pages), [10]);
  });

  test("messages are pushed by the name of the other user, own ones of other sessions with the receiver", () => {
    const state = withDirects(directInfo(7, "Bob", { last_seq: 1, read_seq: 1 }));
    equal(push(state, whisper(2, "bob", "psst")), ["message Bob"]);
    equal(push(state, whisper(2, "bob", "psst")), []);
    const direct = state.directById(7);
    equal([direct.unread, direct.lastSeq, direct.mentions], [1, 2, 0]);
    openLoadedDirect(state, direct, [whisper(1, "ann", "hi", { to: "bob" }), whisper(2, "bob", "psst", { to: "ann" })]);
    equal(push(state, whisper(3, "ann", "from my phone", { to: "bob" })), ["markRead Bob"]);
    equal([direct.entries.map(({ msg }) => msg), direct.unread], [["hi", "psst", "from my phone"], 0]);
    push(state, event("edited", { target_user: "bob", seq: 4, of: 2, usr: "bob", msg: "hello" }));
    push(state, event("reacted", { target_user: "bob", seq: 5, of: 3, usr: "bob", emoji: "🎉", on: true }));
    equal([direct.entries[1].msg, direct.entries[2].reactions[0].emoji], ["hello", "🎉"]);
    push(state, event("deleted", { target_user: "bob", seq: 6, of: 1, usr: "ann", by: "ann", reason: "" }));
    equal([direct.entries[0].msg, direct.entries[0].to, direct.lastSeq], ["", "bob", 6]);
  });

  test("a draft belongs to a conversation, and not to the next user of a name", () => {
    const { drafts } = GTChat.storage;
    const [old, present] = [new GTChat.Direct("gus"), new GTChat.Direct("gus")];
    const texts = () => [old, present].map((direct) => drafts.get("ann", direct));
    drafts.set("ann", old, "psst");
    old.id = 7;
    equal(drafts.get("ann", old), "psst");
    drafts.set("ann", old, "psst!");
    old.ended = true;
    equal(texts(), ["psst!", ""]);
    drafts.set("ann", present, "hi");
    equal(texts(), ["psst!", "hi"]);
    for (const direct of [old, present]) drafts.set("ann", direct, "");
    equal(texts(), ["", ""]);
  });

  test("notes of the user to themselves are a conversation, and never unread", () => {
    const state = withDirects();
    equal(push(state, whisper(1, "ann", "milk", { to: "ann" })), ["loadDirects"]);
    const [notes] = state.directs;
    equal([notes.name, notes.unread, notes.entries.length], ["ann", 0, 1]);
  });

  test("the first message of a conversation begins it, and its id comes with the list", () => {
    const state = withDirects();
    equal(push(state, whisper(1, "bob", "hi")), ["loadDirects", "message bob"]);
    const [direct] = state.directs;
    equal([direct.id, direct.unread, direct.atEnd, direct.atStart, direct.entries.length], [null, 1, true, true, 1]);
    list(state, directInfo(7, "Bob", { last_seq: 1, unread: 1 }));
    equal(seen(direct), [7, "Bob", 1, 0, 1, false, false]);
    equal(push(state, whisper(2, "bob", "there?")), ["message Bob"]);
    equal([direct.unread, state.directs.length], [2, 1]);
  });

  test("what was unread before in a conversation that was not listed is counted by the list", () => {
    const state = withDirects();
    equal(push(state, whisper(9, "bob", "hi")), ["loadDirects", "message bob"]);
    list(state, directInfo(7, "bob", { last_seq: 9, read_seq: 5, unread: 4 }));
    equal([seen(state.directs[0]), state.directs[0].loaded], [[7, "bob", 9, 5, 4, false, false], false]);
    equal(push(state, event("reacted", { target_user: "carol", seq: 3, of: 1, usr: "carol", emoji: "🎉", on: true })), ["loadDirects"]);
    equal(state.directs.length, 1);
  });

  test("a list that is behind the pushes, or ahead of them, counts nothing twice", () => {
    const state = withDirects(directInfo(7, "bob", { last_seq: 1, read_seq: 1 }));
    push(state, whisper(2, "bob", "two"));
    list(state, directInfo(7, "bob", { last_seq: 1, read_seq: 1, unread: 0 }));
    equal(seen(state.directs[0]), [7, "bob", 2, 1, 1, false, false]);
    list(state, directInfo(7, "bob", { last_seq: 3, read_seq: 1, unread: 2 }));
    push(state, whisper(3, "bob", "three"));
    equal(seen(state.directs[0]), [7, "bob", 3, 1, 2, false, false]);
  });

  test("a resume brings what was missed of loaded conversations; the list tells of the others", () => {
    const state = withDirects(directInfo(7, "bob", { last_seq: 1, read_seq: 1 }), directInfo(8, "carol"), directInfo(9, "dora", { last_seq: 4, read_seq: 4 }));
    const [bob, carol, dora] = state.directs;
    openLoadedDirect(state, bob, [whisper(1, "ann", "hi", { to: "bob" })]);
    const missed = { direct: 7, target_user: "bob", state: "resumed", last_seq: 3,
      entries: [whisper(2, "bob", "two", { to: "ann" }), event("edited", { target_user: "bob", seq: 3, of: 1, usr: "ann", msg: "hello" })] };
    const effects = resume(state, [missed], [directInfo(7, "bob", { last_seq: 3, read_seq: 1, unread: 1 }), directInfo(8, "carol", { last_seq: 2, unread: 2 }),
      directInfo(9, "dora", { last_seq: 4, read_seq: 4 })]);
    equal([bob.entries.map(({ msg }) => msg), bob.unread, bob.loaded], [["hello", "two"], 0, true]);
    equal([carol, dora].map(seen), [[8, "carol", 2, 0, 2, false, false], [9, "dora", 4, 4, 0, false, false]]);
    equal([effects.includes("message bob"), effects.includes("loadHistory bob")], [true, false]);
  });

  test("a conversation of which too much was missed is loaded again, one that the server does not have goes", () => {
    const state = withDirects(directInfo(7, "bob", { last_seq: 1, read_seq: 1 }), directInfo(8, "carol"));
    const [bob, carol] = state.directs;
    openLoadedDirect(state, carol, []);
    openLoadedDirect(state, bob, [whisper(1, "ann", "hi", { to: "bob" })]);
    const effects = resume(state, [{ direct: 7, target_user: "bob", state: "behind", last_seq: 900, entries: [] }, { direct: 8, state: "reset", last_seq: 0, entries: [] }],
      [directInfo(7, "bob", { last_seq: 900, read_seq: 1, unread: 899 })]);
    equal([bob.loaded, bob.lastSeq, effects.includes("loadHistory bob"), state.directs.length], [false, 900, true, 1]);
    resume(state, [{ direct: 7, state: "reset", last_seq: 0, entries: [] }], undefined);
    equal([state.directs.length, state.current.name], [0, "lobby"]);
  });

  test("read marks and typing of another session and user name the other user", () => {
    const state = withDirects(directInfo(7, "bob", { last_seq: 3, read_seq: 0, unread: 3 }));
    const [direct] = state.directs;
    push(state, event("marked_read", { target_user: "Bob", read_seq: 2, seq: 2 }));
    equal([direct.unread, direct.markedSeq], [1, 2]);
    equal(push(state, event("typing", { target_user: "bob", usr: "bob" })), ["expireTyping bob"]);
    push(state, whisper(4, "bob", "x"));
    equal(direct.typing.size, 0);
  });

  test("another user who has the name now has another conversation", () => {
    const state = withDirects(directInfo(7, "bob", { last_seq: 5, read_seq: 5, guest: true }));
    const [old] = state.directs;
    equal(push(state, whisper(1, "bob", "hi", { id: "new" })), ["loadDirects"]);
    equal(old.lastSeq, 5);
    list(state, directInfo(8, "bob", { last_seq: 1, unread: 1 }), directInfo(7, "bob", { last_seq: 5, read_seq: 5, guest: true, ended: true }));
    equal(state.directs.map(seen), [[7, "bob", 5, 5, 0, true, false], [8, "bob", 1, 0, 1, false, false]]);
    equal(push(state, whisper(2, "bob", "me")), ["message bob"]);
    equal([old.lastSeq, state.findDirect("bob").id, state.findDirect("bob").unread], [5, 8, 2]);
  });

  test("when a temporary user goes offline, the list tells whether their account has ended", () => {
    const state = withDirects(directInfo(7, "bob", { guest: true }), directInfo(8, "carol"));
    equal(push(state, event("logout", { usr: "carol" })), []);
    equal(sync.push(state, event("logout", { usr: "bob" })), [{ effect: "loadDirects", pages: 1, wait: 2000 }]);
    list(state, directInfo(7, "bob", { guest: true, ended: true }));
    equal([state.directById(7).readOnly, push(state, event("presence", { logins: [], logouts: ["bob"] }))], [true, []]);
  });

  test("a closed conversation comes back with the next message, also with one that was missed", () => {
    const state = withDirects(directInfo(7, "bob", { last_seq: 1, read_seq: 1 }), directInfo(8, "carol"));
    const [bob, carol] = state.directs;
    transitions.open(state, bob);
    transitions.closeDirect(state, bob);
    transitions.closeDirect(state, carol);
    equal([state.current.name, state.openDirects.length, state.directs.length], ["lobby", 0, 2]);
    push(state, whisper(2, "bob", "hi"));
    equal(state.openDirects.map(({ name }) => name), ["bob"]);
    transitions.closeDirect(state, bob);
    resume(state, [], [directInfo(8, "carol", { last_seq: 1, unread: 1 }), directInfo(7, "bob", { last_seq: 2, read_seq: 2 })]);
    equal(state.openDirects.map(({ name }) => name), ["carol"]);
    const begun = state.direct("dora");
    transitions.open(state, begun);
    transitions.closeDirect(state, begun);
    equal(state.directs.length, 2);
  });

  test("the reply to a message that was sent before its conversation was closed leaves it closed", () => {
    const state = withDirects(directInfo(7, "bob"));
    transitions.closeDirect(state, state.directById(7));
    sync.reply(state, "speak", { id: "i", seq: 1, at: AT }, { direct: 9, msg: "hi", txn: "t" });
    equal([state.openDirects.length, state.directs.length], [0, 1]);
  });

  test("messages of a user who is no longer blocked are loaded and counted", () => {
    const state = withDirects(directInfo(7, "bob", { last_seq: 1, read_seq: 1 }));
    sync.reply(state, "block", { blocked: ["bob"] }, {});
    equal(short(sync.reply(state, "unblock", { blocked: [] }, {})), ["loadHistory lobby", "loadDirects"]);
    list(state, directInfo(7, "bob", { last_seq: 4, read_seq: 1, unread: 3 }));
    equal(seen(state.directs[0]), [7, "bob", 4, 1, 3, false, false]);
  });
})();
