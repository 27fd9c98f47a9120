// What follows from what is heard: order, gaps, unread counts, one's own messages.
"use strict";
(() => {
  const unread = (chat) => chat.joined.reduce((sum, room) => sum + room.unread, 0);
  const page = (room, from, to) => ({
    entries: Array.from({ length: to - from + 1 }, (_unused, index) => spoken(room, from + index, "bob", `text ${from + index}`)),
  });

  test("a room's newest page is asked for, and pushes go on behind it", async () => {
    const { server, chat } = await inside([roomInfo("lobby", { last_seq: 3 })]);
    await server.answer("history", page("lobby", 1, 3));
    await server.say(spoken("lobby", 4, "bob", "hi"));
    equal(chat.place.entries.map((entry) => entry.seq), [1, 2, 3, 4]);
    equal(chat.place.atEnd, true);
  });

  test("an entry that came already is not taken twice", async () => {
    const { server, chat } = await inside();
    await server.answer("history", { entries: [] });
    await server.say(spoken("lobby", 1, "bob", "hi"));
    await server.say(spoken("lobby", 1, "bob", "hi"));
    equal(chat.place.entries.length, 1);
  });

  test("a gap is never shown as if it were none", async () => {
    const { server, chat } = await inside();
    await server.answer("history", { entries: [] });
    await server.say(spoken("lobby", 1, "bob", "one"));
    await server.say(spoken("lobby", 3, "bob", "three"));
    equal([chat.place.entries.length, chat.place.lastSeq, chat.place.atEnd], [1, 3, false]);
    chat.load(chat.place, "after");
    equal(server.asked("history").at(-1).after, 1);
    await server.answer("history", page("lobby", 2, 3));
    equal(chat.place.entries.map((entry) => entry.seq), [1, 2, 3]);
  });

  test("other rooms count what is unread, and mentions", async () => {
    const { server, chat } = await inside([roomInfo("lobby"), roomInfo("den")]);
    await server.say(spoken("den", 1, "bob", "hi"));
    await server.say(spoken("den", 2, "bob", "hi @ANN!"));
    const den = chat.rooms.get("den");
    equal([den.unread, den.mentioned, unread(chat)], [2, true, 2]);
    chat.look(den);
    equal([den.unread, den.line, unread(chat)], [0, 0, 0]);
  });

  test("a page that nobody looks at reads nothing", async () => {
    const { server, chat } = await inside();
    chat.attend(false);
    await server.say(spoken("lobby", 1, "bob", "hi"));
    equal(unread(chat), 1);
    chat.attend(true);
    equal([unread(chat), chat.place.line], [0, 0]);
  });

  test("one's own message shows at once, and once when it is confirmed", async () => {
    const { server, chat } = await inside();
    await server.answer("history", { entries: [] });
    chat.say(chat.place, "hello");
    equal(chat.place.waiting("ann").map((item) => item.state), ["sending"]);
    await server.answer("speak", { id: "i", seq: 1, at: "2026-01-01T12:00:00.000Z" });
    equal([chat.place.waiting("ann").length, chat.place.entries.map((entry) => entry.msg)], [0, ["hello"]]);
  });

  test("a message that was refused is sent again with the same txn", async () => {
    const { server, chat } = await inside();
    await server.answer("history", { entries: [] });
    const item = chat.say(chat.place, "hello") && chat.place.outgoing[0];
    await server.refuseIt("speak", "not_stored");
    equal([item.state, item.error.code], ["failed", "not_stored"]);
    chat.again(chat.place, item);
    await server.answer("speak", { id: "i", seq: 1, at: "2026-01-01T12:00:00.000Z" });
    const asked = server.asked("speak");
    equal([asked.length, asked[0].txn === asked[1].txn, chat.place.entries.length], [2, true, 1]);
  });

  test("a message that was stored before the answer was lost shows once", async () => {
    const { server, connection, chat } = await inside();
    await server.answer("history", { entries: [] });
    chat.say(chat.place, "hello");
    await server.lose();
    connection.start();
    server.accept();
    await server.answer("resume", { ...loginReply("ann", [roomInfo("lobby", { last_seq: 1 })]),
      resumed: [{ room_name: "lobby", state: "resumed", last_seq: 1, entries: [spoken("lobby", 1, "ann", "hello")] }] });
    equal([chat.place.entries.length, chat.place.waiting("ann").length], [1, 0]);
    await server.answer("speak", { id: "i", seq: 1, at: "2026-01-01T12:00:00.000Z", dup: true });
    equal([chat.place.entries.length, chat.place.outgoing.length], [1, 0]);
  });

  test("a room of which too much was missed is loaded anew", async () => {
    const { server, connection, chat } = await inside();
    await server.answer("history", { entries: [] });
    await server.lose();
    connection.start();
    server.accept();
    await server.answer("resume", { ...loginReply("ann", [roomInfo("lobby", { last_seq: 900 })]),
      resumed: [{ room_name: "lobby", state: "behind", last_seq: 900, entries: [] }] });
    await server.answer("history", page("lobby", 801, 900));
    equal([chat.place.first, chat.place.last, chat.place.atEnd, chat.place.atStart], [801, 900, true, false]);
  });

  test("the stretch that is kept is bounded, whichever way one reads", async () => {
    const { server, chat } = await inside([roomInfo("lobby", { last_seq: 5000 })]);
    await server.answer("history", page("lobby", 4901, 5000));
    for (let first = 4801; first > 4000; first -= 100) {
      chat.load(chat.place, "before");
      await server.answer("history", page("lobby", first, first + 99));
    }
    equal([chat.place.entries.length, chat.place.first, chat.place.atEnd], [400, 4001, false]);
    chat.load(chat.place, "after");
    equal(server.asked("history").at(-1).after, 4400);
    await server.answer("history", page("lobby", 4401, 4500));
    equal([chat.place.entries.length, chat.place.first, chat.place.last], [400, 4101, 4500]);
  });

  test("a page that was asked for before a jump is put aside", async () => {
    const { server, chat } = await inside([roomInfo("lobby", { last_seq: 5000 })]);
    await server.answer("history", page("lobby", 4901, 5000));
    chat.load(chat.place, "before");
    const late = server.asked("history").at(-1);
    chat.place.forget(5000);
    chat.load(chat.place, "latest");
    await server.answer("history", page("lobby", 4801, 4900), late);
    equal([chat.place.started, chat.place.entries.length], [false, 0]);
    await server.answer("history", page("lobby", 4901, 5000));
    equal([chat.place.first, chat.place.atEnd], [4901, true]);
  });

  test("one can go to any entry, and read on from there", async () => {
    const { server, chat } = await inside([roomInfo("lobby", { last_seq: 5000 })]);
    await server.answer("history", page("lobby", 4901, 5000));
    chat.load(chat.place, "around", 1);
    equal(server.asked("history").at(-1).around, 1);
    await server.answer("history", page("lobby", 1, 100));
    equal([chat.place.atStart, chat.place.atEnd, chat.place.lastSeq], [true, false, 5000]);
    await server.say(spoken("lobby", 5001, "bob", "x"));
    equal([chat.place.last, chat.place.lastSeq], [100, 5001]);
  });

  test("a whisper that comes again shows once", async () => {
    const { server, chat } = await inside();
    const whisper = { cmd: "c_whisper", usr: "bob", msg: "psst", id: "w", at: "2026-01-01T12:00:00.000Z" };
    await server.say(whisper);
    await server.say(whisper);
    equal([chat.talk("Bob").entries.length, chat.talk("bob").unread], [1, 1]);
  });

  test("being put out of a room is told, and leads to the lobby", async () => {
    const { server, chat } = await inside([roomInfo("lobby"), roomInfo("den")]);
    const told = [];
    chat.on("notice", ({ text }) => told.push(text));
    chat.look(chat.rooms.get("den"));
    await server.say({ cmd: "c_event", type: "kicked", room_name: "den", usr: "ann", by: "bob", seq: 1, at: "2026-01-01T12:00:00.000Z" });
    equal([told, chat.place.name, chat.rooms.get("den").joined], [["kicked"], "lobby", false]);
  });

  test("names are mentioned as words, with an @ or without", () => {
    equal(["@ann", "Ann!", "hi ann", "annals", "joann", "@annabel", "安ann"].map((text) => GTChat.mentions(text, "ann")),
      [true, true, true, false, false, false, false]);
  });

  test("what is read is told to the server, at most once a second", async () => {
    const { server, chat } = await inside([roomInfo("lobby"), roomInfo("den", { last_seq: 5, unread: 2, read_seq: 3 })]);
    const den = chat.rooms.get("den");
    equal([den.unread, den.readSeq, server.asked("mark_read").length], [2, 3, 0]);
    chat.look(den);
    equal(server.asked("mark_read").map(({ room_name: room, seq }) => [room, seq]), [["den", 5]]);
    await server.answer("mark_read");
    for (let seq = 6; seq < 20; seq += 1) await server.say(spoken("den", seq, "bob", "x"));
    equal(server.asked("mark_read").length, 1);
    await server.pass(1000);
    equal(server.asked("mark_read").map(({ seq }) => seq), [5, 19]);
  });

  test("who goes has told all that was read", async () => {
    const { server, chat } = await inside();
    for (const seq of [1, 2, 3]) await server.say(spoken("lobby", seq, "bob", "x"));
    equal(server.asked("mark_read").map(({ seq }) => seq), [1]);
    chat.logout();
    const sent = server.socket.sent.map(({ cmd, seq }) => [cmd, seq]).slice(-2);
    equal(sent, [["mark_read", 3], ["logout", null]]);
  });

  test("what was read elsewhere is not unread here", async () => {
    const { server, chat } = await inside([roomInfo("lobby"), roomInfo("den")]);
    const den = chat.rooms.get("den");
    for (const seq of [1, 2, 3]) await server.say(spoken("den", seq, "bob", "ann?"));
    await server.say({ cmd: "c_event", type: "marked_read", room_name: "den", seq: 2, at: "2026-01-01T12:00:00.000Z" });
    equal([den.unread, den.mentioned, den.lastSeq], [1, true, 3]);
    await server.say({ cmd: "c_event", type: "marked_read", room_name: "den", seq: 3, at: "2026-01-01T12:00:00.000Z" });
    equal([den.unread, den.mentioned], [0, false]);
  });

  test("who types is shown for a while, or until he has said it", async () => {
    const { server, chat } = await inside();
    const typing = (usr) => server.say({ cmd: "c_event", type: "typing", room_name: "lobby", usr, at: "2026-01-01T12:00:00.000Z" });
    await typing("bob");
    await typing("carol");
    equal([...chat.place.typing.keys()], ["bob", "carol"]);
    await server.say(spoken("lobby", 1, "bob", "there"));
    equal([...chat.place.typing.keys()], ["carol"]);
    await server.pass(4000);
    await typing("carol");
    await server.pass(4000);
    equal([...chat.place.typing.keys()], ["carol"]);
    await server.pass(4000);
    equal([...chat.place.typing.keys()], []);
  });

  test("that one types is told now and then, and only over a connection", async () => {
    const { server, chat } = await inside();
    for (let letter = 0; letter < 10; letter += 1) chat.typing(chat.place);
    equal(server.asked("typing").length, 1);
    await server.pass(4000);
    chat.typing(chat.place);
    equal(server.asked("typing").length, 2);
    await server.lose();
    await server.pass(200);
    chat.typing(chat.place);
    equal(server.asked("typing").length, 2);
  });

  test("what was not confirmed before a reload is sent with the same txn", async () => {
    const { server, chat } = await inside();
    await server.answer("history", { entries: [] });
    chat.takeUp(chat.place, [{ txn: "t", msg: "hello", at: "2026-01-01T12:00:00.000Z", after: 0, state: "sending" },
      { txn: "u", msg: "no", at: "2026-01-01T12:00:00.000Z", after: 0, state: "failed" }]);
    equal(server.asked("speak").map(({ txn }) => txn), ["t"]);
    await server.answer("speak", { id: "i", seq: 1, at: "2026-01-01T12:00:00.000Z" });
    equal(chat.place.outgoing.map(({ txn, state }) => [txn, state]), [["u", "failed"]]);
  });
})();
