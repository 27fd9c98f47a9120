// Rooms before joining, and users that the page has not met.
"use strict";
(() => {
  test("a preview is a room that is not joined, with its last messages", async () => {
    const { server, state, actions } = await logIn([roomInfo("lobby"), roomInfo("den", { joined: false, preview: true, last_seq: 60 })]);
    const den = state.rooms.get("den");
    const loading = actions.preview(den);
    const { room_name: room, preview, limit } = server.requests("history").at(-1);
    equal([room, preview, limit], ["den", true, undefined]);
    const reply = { ...speak("den", 60, "bob", "yes"), reply: { seq: 3, usr: "eve" } };
    const other = { ...speak("den", 61, "bob", "no"), reply: { seq: 60, usr: "bob" } };
    await server.reply("history", { more: false, log_first: 1, log_last: 61, entries: [reply, other] });
    const shown = await loading;
    equal(shown.entries.map(({ seq }) => seq), [60, 61]);
    equal([shown.joined, actions.rights(shown, shown.entries[0])], [false, { unread: false, report: false }]);
    // What is before the preview is not asked for.
    equal([shown.quote(3), shown.quote(60).msg], [null, "yes"]);
    equal([den.entries.length, den.loaded, state.joinedRooms.map(({ name }) => name)], [0, false, ["lobby"]]);
  });

  test("lists, replies and entries tell whether a room has a preview", () => {
    const state = stateAfterLogin([roomInfo("lobby"), roomInfo("den", { preview: true, owner: "ann" })]);
    const den = state.rooms.get("den");
    equal([state.lobby.preview, den.preview], [false, true]);
    const changed = (seq, more) => event("room_changed", { room_name: "den", usr: "ann", seq, public: true, topic: "", max: 0, owner: "ann", ...more });
    GTChat.sync.push(state, changed(1, {}));
    equal(den.preview, false);
    GTChat.sync.push(state, changed(2, { preview: true }));
    equal(den.preview, true);
    GTChat.sync.reply(state, "set_room", { room: roomDetails("den") }, { room_name: "den" });
    equal(den.preview, false);
  });

  test("lists, replies and entries tell the member limit of a room", () => {
    const state = stateAfterLogin([roomInfo("lobby"), roomInfo("den", { max: 9, keep_days: 7 })]);
    const den = state.rooms.get("den");
    equal([state.lobby.max, den.max, den.keep.keep_messages, den.keep.keep_days], [0, 9, 0, 7]);
    GTChat.sync.push(state, event("room_changed", { room_name: "den", usr: "ann", seq: 1, public: true, topic: "", max: 5, owner: "ann" }));
    equal(den.max, 5);
    GTChat.sync.reply(state, "set_room", { room: roomDetails("den", { max: 4 }) }, { room_name: "den" });
    equal(den.max, 4);
    GTChat.sync.reply(state, "get_room_list", { rooms: [roomInfo("den")] }, {});
    equal(den.max, 0);
  });

  test("users are known from where the page has met them, each once", () => {
    const state = stateAfterLogin([roomInfo("lobby"), roomInfo("den")], {
      users: ["ann", "Bob"], directs: [directInfo(1, "eve"), directInfo(2, "gus", { ended: true })] });
    for (const name of ["ann", "bob", "dan"]) state.rooms.get("den").members.add(name);
    equal(state.people.sort(), ["Bob", "ann", "dan", "eve"]);
  });

  test("the server tells whether a user has a name", async () => {
    const { server, actions } = await logIn();
    const found = actions.findUser("bob");
    const { target_user: user, limit } = server.requests("history").at(-1);
    equal([user, limit], ["bob", 1]);
    await server.reply("history", { entries: [], more: false });
    equal(await found, true);
    const missing = actions.findUser("nix");
    await server.replyError("history", "no_such_user");
    equal(await missing, false);
  });
})();
