// state.js, room.js, direct.js: the data without a connection.
"use strict";
(() => {
  test("conversations are listed as lobby, rooms by name, direct conversations by their newest message", () => {
    const state = stateAfterLogin([roomInfo("room 10"), roomInfo("room 9"), roomInfo("lobby"), roomInfo("other", { joined: false })]);
    for (const [index, name] of ["bob", "carol", "dora"].entries()) state.direct(name).at = `2026-01-0${index + 1}T12:00:00.000Z`;
    state.direct("new");
    state.direct("carol").closed = true;
    equal(state.conversations.map(({ kind, name }) => `${kind} ${name}`),
      ["room lobby", "room room 9", "room room 10", "direct new", "direct dora", "direct bob"]);
  });

  test("public rooms that the user is not in can be joined", () => {
    const state = stateAfterLogin([roomInfo("lobby"), roomInfo("den", { joined: false }), roomInfo("x", { joined: false, public: false })]);
    equal(state.joinableRooms.map((room) => room.name), ["den"]);
    equal(state.joinedRooms.map((room) => room.name), ["lobby"]);
  });

  test("resume needs the last seq of each joined room, and of each direct conversation whose log is loaded", () => {
    const state = stateAfterLogin([roomInfo("lobby", { last_seq: 7 }), roomInfo("den", { joined: false, last_seq: 3 })]);
    Object.assign(state.direct("bob"), { id: 4, lastSeq: 3, loaded: true });
    Object.assign(state.direct("carol"), { id: 5, lastSeq: 3 });
    Object.assign(state.direct("dora"), { loaded: true });
    equal(state.seen, { seen: { lobby: 7 }, seen_directs: { 4: 3 } });
  });

  test("user names are compared without regard to case", () => {
    const state = stateAfterLogin([], { users: ["Bob"], blocked: ["Eve"] });
    equal([state.isOnline("bOB"), state.isBlocked("EVE"), state.isBlocked("bob")], [true, true, false]);
    const direct = state.direct("BOB");
    equal([direct.name, state.direct("bob") === direct, state.findDirect("Bob") === direct], ["Bob", true, true]);
    state.setOffline("BOB");
    equal(state.isOnline("Bob"), false);
    state.removeDirect(direct);
    equal(state.findDirect("bob"), undefined);
  });

  test("a snapshot restores rooms, direct conversations and unconfirmed messages", () => {
    const before = stateAfterLogin([roomInfo("lobby", { last_seq: 9 })]);
    Object.assign(before.lobby, { unread: 2, readSeq: 7, markedSeq: 6, confirmedSeq: 5, held: true, mentions: 1 });
    before.lobby.outgoing.push({ txn: "t", msg: "hello", at: AT, after: 9, state: "sending", resent: false });
    before.lobby.outgoing.push({ txn: "u", msg: "no", at: AT, after: 9, state: "failed", error: new Error("x") });
    before.lobby.edits.set(4, { of: 4, txn: "v", msg: "better", state: "sending" });
    Object.assign(before.direct("bob"), { id: 7, lastSeq: 4, unread: 1, readSeq: 3, at: AT, closed: true });
    before.direct("bob").outgoing.push({ txn: "w", msg: "psst", at: AT, after: 4, state: "sending" });
    Object.assign(before.direct("carol"), { id: 8, ended: true, guest: true });
    const saved = JSON.parse(JSON.stringify(before.snapshot()));
    equal(saved.current, { kind: "room", name: "lobby" });
    const after = new GTChat.State();
    after.restore(saved);
    const { joined, lastSeq, unread, readSeq, markedSeq, confirmedSeq, held, mentions, outgoing } = after.lobby;
    equal([joined, lastSeq, unread, readSeq, markedSeq, confirmedSeq, held, mentions], [true, 9, 2, 7, 6, 5, true, 1]);
    equal(outgoing.map(({ txn, state, resent, error }) => [txn, state, resent, error?.code]),
      [["t", "sending", true, null], ["u", "failed", true, "unanswered"]]);
    equal([...after.lobby.edits.values()].map(({ of, msg, state, resent }) => [of, msg, state, resent]), [[4, "better", "sending", true]]);
    const direct = after.direct("bob");
    equal([direct.id, direct.unread, direct.readSeq, direct.lastSeq, direct.at, direct.closed], [7, 1, 3, 4, AT, true]);
    equal([direct.outgoing.map(({ txn }) => txn), direct.entries, direct.loaded], [["w"], [], false]);
    equal([after.directById(8).ended, after.directById(8).guest, after.findDirect("carol")], [true, true, undefined]);
    equal(after.hasPassword, true);
  });

  test("a snapshot of another version does not break the page", () => {
    const state = new GTChat.State();
    state.restore({ hasPassword: false });
    equal(state.conversations.length, 0);
  });

  test("a room's window is bounded in both directions", () => {
    const room = new GTChat.Room("den");
    room.lastSeq = 5000;
    room.addPage("latest", historyPage("den", 4901, 5000));
    for (let first = 4801; first > 4000; first -= 100) {
      equal(room.historyQuery("before"), { before: first + 100, limit: 100 });
      room.addPage("before", historyPage("den", first, first + 99));
    }
    equal([room.entries.length, room.firstLoaded, room.atEnd, room.historyQuery("after").after], [400, 4001, false, 4400]);
    room.addPage("after", historyPage("den", 4401, 4500));
    equal([room.entries.length, room.firstLoaded, room.lastLoaded], [400, 4101, 4500]);
  });

  const joins = (from, to) => Array.from({ length: to - from + 1 }, (_unused, index) => (
    event("join_room", { room_name: "den", usr: `user${from + index}`, seq: from + index })));

  test("the window counts lines: many joins in a row are one", () => {
    const room = new GTChat.Room("den");
    room.lastSeq = 451;
    room.addPage("latest", { entries: [...joins(352, 450), speak("den", 451, "ann", "mine")], more: true });
    for (let first = 252; first > 31; first -= 100) room.addPage("before", { entries: joins(first, first + 99), more: true });
    room.addPage("before", { entries: [...historyPage("den", 1, 30).entries, ...joins(31, 51)] });
    equal([room.entries.length, room.atStart, room.atEnd, room.trimmed], [451, true, true, null]);
    room.trim();
    equal(room.entries.length, 451);
  });

  test("what was just dropped is not loaded again while both ends of the window are near", () => {
    const room = new GTChat.Room("den");
    room.lastSeq = 9000;
    room.addPage("latest", { entries: joins(8901, 9000), more: true });
    for (let first = 8801; first > 4900; first -= 100) room.addPage("before", { entries: joins(first, first + 99), more: true });
    equal([room.entries.length, room.trimmed], [4000, "after"]);
    room.sparsePages = 0;
    const loads = (isShort) => ["before", "after"].map((direction) => room.loadsOn(direction, isShort));
    equal([loads(true), loads(false)], [[true, false], [true, true]]);
    room.addPage("after", { entries: joins(room.lastLoaded + 1, room.lastLoaded + 100), more: true });
    equal([room.entries.length, room.trimmed, loads(true)], [4000, "before", [false, true]]);
    room.reset(9000);
    equal(loads(true), [true, true]);
  });

  test("pages that show next to nothing are not loaded without end", () => {
    const room = new GTChat.Room("den");
    room.lastSeq = 5000;
    let pages = 0;
    for (let first = 4901; first > 0 && room.loadsOn("before", true); first -= 100, pages += 1) {
      room.addPage(pages ? "before" : "latest", { entries: joins(first, first + 99), more: true });
    }
    equal([pages, room.atStart], [10, false]);
    room.addPage("before", historyPage("den", 3901, 4000));
    equal(room.loadsOn("before", true), true);
  });

  test("numbers that are missing between pushes are no gaps, and empty pages end the loading", () => {
    const room = new GTChat.Room("den");
    room.addPage("latest", historyPage("den", 1, 1));
    for (let seq = 3; seq < 60; seq += 2) equal(room.append(speak("den", seq, "bob", "x")), true);
    equal([room.atEnd, room.entries.length, room.lastSeq, room.append(speak("den", 59, "bob", "x"))], [true, 30, 59, false]);
    for (let time = 0; time < 10; time += 1) room.addPage("before", { entries: [], more: true });
    equal(room.loadsOn("before", false), false);
  });

  test("a page that is ahead of the pushes does not hide them", () => {
    const room = new GTChat.Room("den");
    room.lastSeq = 3;
    room.addPage("latest", historyPage("den", 1, 5));
    equal([room.lastSeq, room.atEnd], [3, true]);
    equal([4, 5, 5, 6].map((seq) => room.append(speak("den", seq, "bob", "x"))), [true, true, false, true]);
    equal(room.entries.map(({ seq }) => seq), [1, 2, 3, 4, 5, 6]);
  });

  test("an own message whose reply comes late is put in its place", () => {
    const room = new GTChat.Room("den");
    room.addPage("latest", historyPage("den", 1, 1));
    room.append(speak("den", 3, "bob", "later"));
    room.append(event("reacted", { room_name: "den", seq: 4, of: 2, usr: "bob", emoji: "🎉", on: true }), "ann");
    equal(room.append(speak("den", 2, "ann", "mine"), "ann"), false);
    equal(room.entries.map(({ seq, changed, reactions }) => [seq, changed, reactions?.[0].users]),
      [[1, null, null], [2, 4, ["bob"]], [3, null, null]]);
    equal([room.append(speak("den", 2, "ann", "mine"), "ann"), room.entries.length], [false, 3]);
  });

  test("nothing is requested beyond the ends of a log, before it is loaded, or while loading", () => {
    const room = new GTChat.Room("den");
    room.lastSeq = 3;
    equal([room.historyQuery("before"), room.historyQuery("after"), room.historyQuery("latest")], [null, null, { limit: 100 }]);
    room.addPage("latest", historyPage("den", 1, 3));
    equal([room.atStart, room.atEnd, room.historyQuery("before"), room.historyQuery("after")], [true, true, null, null]);
    room.loading = "around";
    equal(room.historyQuery("latest"), null);
  });

  test("entries that overlap the window are not added twice", () => {
    const room = new GTChat.Room("den");
    room.addPage("around", historyPage("den", 10, 20));
    room.addPage("before", historyPage("den", 5, 12));
    room.addPage("after", historyPage("den", 18, 25));
    equal(room.entries.map((entry) => entry.seq), Array.from({ length: 21 }, (_unused, index) => index + 5));
  });

  test("entries that the server has removed leave the window", () => {
    const room = new GTChat.Room("den");
    room.addPage("latest", historyPage("den", 5, 20));
    equal([room.atStart, room.logFirst], [false, 1]);
    room.addPage("before", { entries: [], log_first: 8, log_last: 20, more: false });
    equal([room.entries[0].seq, room.atStart, room.logFirst, room.firstLoaded], [8, true, 8, 8]);
  });

  test("the snapshot of an earlier version, which had the messages, loses nothing that was not sent", () => {
    const state = new GTChat.State();
    state.restore({ hasPassword: true, directs: [{ name: "bob", entries: [{ id: "w", usr: "bob", msg: "old", cmd: "c_whisper", seq: 0 }],
      unread: 1, mentioned: true, readSeq: 0, outgoing: [{ txn: "t", msg: "psst", at: AT, after: 0, state: "sending" }] }] });
    const { id, entries, unread, mentions, outgoing, place } = state.direct("bob");
    equal([id, entries, unread, mentions, outgoing.map(({ msg }) => msg), place], [null, [], 0, 0, ["psst"], { target_user: "bob" }]);
  });

  test("a conversation is found by what a request or a push names", () => {
    const state = stateAfterLogin();
    Object.assign(state.direct("bob"), { id: 7, ended: true });
    const direct = Object.assign(state.direct("Bob"), { id: 8 });
    const found = [{ room_name: "lobby" }, { direct: 7 }, { direct: 8, target_user: "x" }, { target_user: "BOB" }, { direct: 9 }].map((one) => state.conversation(one));
    equal(found.map((one) => one?.id ?? one?.name ?? null), ["lobby", 7, 8, 8, null]);
    equal([direct.place, state.lobby.place], [{ direct: 8 }, { room_name: "lobby" }]);
  });
})();
