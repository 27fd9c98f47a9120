// sync.js and transitions.js: what pushes, replies and the focus change, and which effects follow.
"use strict";
(() => {
  const { sync, transitions } = GTChat;
  // Effects in short: the kind, and what it is about.
  const short = (effects) => effects.map(({ effect, room, conversation, cmd, text, usr }) => (
    [effect, room?.name ?? conversation?.name ?? cmd ?? text, effect === "expireTyping" && usr].filter(Boolean).join(" ")));
  const push = (state, message) => short(sync.push(state, message));
  const reply = (state, cmd, message, fields = {}) => short(sync.reply(state, cmd, message, fields));
  const resume = (state, rooms, resumed, more) => reply(state, "resume", resumeReply(rooms, resumed, more));
  const invitation = { cmd: "c_invited", usr: "bob", room_name: "attic", msg: "", at: AT };

  // Login and resume.

  test("a login opens the lobby and asks for the rest of long lists", () => {
    const state = new GTChat.State();
    const effects = reply(state, "login", loginReply("ann", [roomInfo("lobby"), roomInfo("den")], { blocked: ["eve"] }), { pwd: "x" });
    equal(effects, ["loadMore get_room_list", "loadMore get_user_list", "loadHistory lobby", "loadMembers lobby"]);
    equal([state.me, state.hasPassword, state.current.name, state.blocked, state.isOnline("ann")], ["ann", true, "lobby", ["eve"], true]);
  });

  test("a login without a password is remembered as that", () => {
    const state = new GTChat.State();
    reply(state, "login", loginReply("ann", []), {});
    equal([state.hasPassword, state.current], [false, null]);
  });

  test("what a list leaves out is loaded from its last name on", () => {
    const state = new GTChat.State();
    const [rooms, users] = sync.reply(state, "login",
      loginReply("ann", [roomInfo("lobby")], { rooms_total: 5, users: ["ann", "bob"], users_total: 9 }), {});
    equal([rooms.after, rooms.loaded, rooms.total], ["lobby", 1, 5]);
    equal([users.after, users.loaded, users.total], ["bob", 2, 9]);
  });

  test("a resume takes in the entries that were missed", () => {
    const state = stateAfterLogin([roomInfo("lobby"), roomInfo("den")]);
    const den = state.rooms.get("den");
    den.members.add("bob");
    const missed = [speak("den", 1, "bob", "one"), speak("den", 2, "bob", "two, @ann")];
    const effects = resume(state, [roomInfo("lobby"), roomInfo("den", { last_seq: 2, unread: 2 })],
      [{ room_name: "den", state: "resumed", last_seq: 2, entries: missed }]);
    equal([den.lastSeq, den.unread, den.mentions, den.membersLoaded, den.members.size], [2, 2, 1, false, 0]);
    equal(effects.filter((effect) => effect.startsWith("message")), ["message den", "message den"]);
  });

  test("what is unread in a room that is behind is what the server counts, less what was read here", () => {
    const state = stateAfterLogin([roomInfo("lobby"), roomInfo("den"), roomInfo("attic")]);
    const [den, attic] = ["den", "attic"].map((name) => state.rooms.get(name));
    den.addPage("latest", { entries: [] });
    attic.addPage("latest", { entries: [] });
    Object.assign(attic, { lastSeq: 890, readSeq: 890 }); // its mark had not reached the server
    const behind = (name) => ({ room_name: name, state: "behind", last_seq: 900, entries: [] });
    resume(state, [roomInfo("lobby"), roomInfo("den", { last_seq: 900, read_seq: 0, unread: 350 }),
      roomInfo("attic", { last_seq: 900, read_seq: 0, unread: 350 })], [behind("den"), behind("attic")]);
    const { unread, lastSeq, loaded } = den;
    equal([unread, lastSeq, loaded, attic.unread, attic.readSeq], [350, 900, false, 10, 890]);
  });

  test("a joined room that a resume does not tell of is loaded again and counted anew", () => {
    const state = stateAfterLogin([roomInfo("lobby"), roomInfo("den"), roomInfo("attic")]);
    const [den, attic] = ["den", "attic"].map((name) => state.rooms.get(name));
    openLoaded(state, den);
    attic.addPage("latest", historyPage("attic", 1, 1));
    const effects = resume(state, [roomInfo("lobby"), roomInfo("den", { last_seq: 9, unread: 4 }), roomInfo("attic", { last_seq: 0 })],
      [{ room_name: "lobby", state: "resumed", last_seq: 0, entries: [] }]);
    equal([den, attic].map(({ lastSeq, loaded, recount, unread }) => [lastSeq, loaded, recount, unread]), [[9, false, false, 4], [0, false, false, 0]]);
    equal([effects.includes("loadHistory den"), effects.includes("loadMembers den")], [true, true]);
  });

  test("a later page of the list of rooms has the open room loaded again, if it was left behind", () => {
    const state = stateAfterLogin([roomInfo("lobby"), roomInfo("den")]);
    const den = state.rooms.get("den");
    openLoaded(state, den);
    resume(state, [roomInfo("lobby")], [], { rooms_next: "p", rooms_total: 2 });
    den.addPage("latest", { entries: [] });
    equal(reply(state, "get_room_list", { rooms: [roomInfo("den", { last_seq: 7, unread: 2 })] }), ["loadHistory den"]);
    equal([den.lastSeq, den.unread, den.recount], [7, 2, false]);
  });

  test("a room that was joined in another session is counted as the server says", () => {
    const state = stateAfterLogin([roomInfo("lobby"), roomInfo("den", { joined: false, last_seq: 2 })]);
    const den = state.rooms.get("den");
    Object.assign(den, { readSeq: 50, mentions: 1 });
    reply(state, "get_room_list", { rooms: [roomInfo("den", { last_seq: 9, read_seq: 6, unread: 3 })] });
    equal([den.joined, den.lastSeq, den.readSeq, den.markedSeq, den.unread], [true, 9, 6, 6, 3]);
  });

  test("entering and leaving a room ends what was unread in it", () => {
    const state = stateAfterLogin([roomInfo("lobby"), roomInfo("den")]);
    const den = state.rooms.get("den");
    push(state, speak("den", 1, "bob", "@ann?"));
    equal([den.unread, den.mentions], [1, 1]);
    reply(state, "leave_room", {}, { room_name: "den" });
    equal([den.unread, den.mentions], [0, 0]);
    den.mentions = 1;
    reply(state, "join_room", { room: roomDetails("den", { last_seq: 1 }) }, { room_name: "den" });
    equal([den.unread, den.mentions], [0, 0]);
  });

  test("what was not confirmed is kept when its conversation is closed, left or deleted", () => {
    const close = {
      closed: (state) => transitions.closeDirect(state, state.direct("bob")),
      "public room left": (state) => transitions.exitRoom(state, "den"),
      "private room left": (state) => transitions.exitRoom(state, "attic"),
      deleted: (state) => transitions.deleteRoom(state, "den"),
    };
    const expected = { closed: ["bob", false], "public room left": ["den", false], "private room left": ["attic", true], deleted: ["den", true] };
    for (const [how, run] of Object.entries(close)) {
      const state = stateAfterLogin([roomInfo("lobby"), roomInfo("den"), roomInfo("attic", { public: false })]);
      for (const conversation of [state.direct("bob"), state.rooms.get("den"), state.rooms.get("attic")]) {
        conversation.outgoing.push({ txn: "t", msg: "one" });
        conversation.edits?.set(3, { txn: "u", msg: "two", of: 3 });
      }
      const [{ conversation, items, gone }, ...more] = run(state).filter(({ effect }) => effect === "keepUnsent");
      equal([how, conversation.name, gone, items[0].msg, conversation.outgoing.length, more.length], [how, ...expected[how], "one", 0, 0]);
    }
  });

  test("a room that was created again is read as far as the server says", () => {
    const state = stateAfterLogin([roomInfo("lobby"), roomInfo("den", { last_seq: 50, read_seq: 50 })]);
    resume(state, [roomInfo("lobby"), roomInfo("den", { last_seq: 9, read_seq: 2, unread: 6 })],
      [{ room_name: "den", state: "reset", last_seq: 9, entries: [] }]);
    const { unread, readSeq, markedSeq } = state.rooms.get("den");
    equal([unread, readSeq, markedSeq], [6, 2, 2]);
  });

  test("a resume removes deleted rooms and opens the lobby instead", () => {
    const state = stateAfterLogin([roomInfo("lobby"), roomInfo("den")]);
    transitions.open(state, state.rooms.get("den"));
    const effects = resume(state, [roomInfo("lobby")], []);
    equal([state.rooms.has("den"), state.current.name, effects.includes("notice room_gone")], [false, "lobby", true]);
  });

  test("a resume with an incomplete list removes no room", () => {
    const state = stateAfterLogin([roomInfo("lobby"), roomInfo("den")]);
    resume(state, [roomInfo("lobby")], [], { rooms_total: 2 });
    equal(state.rooms.has("den"), true);
  });

  test("rooms that a cut list does not have are kept until the rest is known", () => {
    const state = stateAfterLogin([roomInfo("lobby"), roomInfo("den"), roomInfo("attic"), roomInfo("barn", { joined: false })]);
    const [rest] = sync.reply(state, "resume", resumeReply([roomInfo("lobby")], [], { rooms_total: 1, rooms_next: "x" }), {});
    equal([rest.effect, rest.after, rest.unlisted], ["loadRoomPages", "x", ["den", "attic", "barn"]]);
    equal(state.rooms.size, 4);
    // The user is no longer a member of attic; barn is gone.
    transitions.dropUnlisted(state, ["attic", "barn"], true);
    equal([state.joinedRooms.map(({ name }) => name), state.rooms.size], [["lobby", "den"], 4]);
    equal(short(transitions.dropUnlisted(state, ["barn"], false)), []);
    equal([...state.rooms.keys()], ["lobby", "den", "attic"]);
  });

  test("a resume leads from a room that the user has left to the lobby, and stays in a direct conversation", () => {
    const state = stateAfterLogin([roomInfo("lobby"), roomInfo("den")]);
    transitions.open(state, state.rooms.get("den"));
    resume(state, [roomInfo("lobby"), roomInfo("den", { joined: false })], []);
    equal(state.current.name, "lobby");
    transitions.open(state, state.direct("bob"));
    resume(state, [roomInfo("lobby")], []);
    equal(state.current.name, "bob");
  });

  // Log entries.

  test("an entry that is known already changes nothing", () => {
    const state = stateAfterLogin();
    state.lobby.addPage("latest", { entries: [] });
    push(state, speak("lobby", 1, "bob", "hi"));
    equal(push(state, speak("lobby", 1, "bob", "hi")), []);
    equal(state.lobby.entries.length, 1);
  });

  test("a number that is missing between pushes belongs to another user's log", () => {
    const state = stateAfterLogin();
    state.lobby.addPage("latest", { entries: [] });
    push(state, speak("lobby", 1, "bob", "one"));
    push(state, speak("lobby", 3, "bob", "three"));
    equal([state.lobby.entries.length, state.lobby.lastSeq, state.lobby.atEnd], [2, 3, true]);
  });

  test("an entry of an unknown kind counts as an entry", () => {
    const state = stateAfterLogin();
    push(state, event("later_kind", { room_name: "lobby", seq: 1, usr: "bob" }));
    push(state, { cmd: "c_later", room_name: "lobby", seq: 2, usr: "bob", at: AT });
    equal(state.lobby.lastSeq, 2);
  });

  test("pushes of an unknown kind are ignored", () => {
    const state = stateAfterLogin();
    equal([push(state, { cmd: "c_later" }), push(state, { cmd: "constructor" }), push(state, event("later")), push(state, event("toString"))],
      [[], [], [], []]);
  });

  test("messages in other rooms are counted as unread, with mentions", () => {
    const state = stateAfterLogin([roomInfo("lobby"), roomInfo("den")]);
    const den = state.rooms.get("den");
    push(state, speak("den", 1, "bob", "hi"));
    equal(push(state, speak("den", 2, "bob", "hi @ANN!")), ["message den"]);
    equal([den.unread, den.mentions, unreadTotal(state)], [2, 1, 2]);
    equal(short(openLoaded(state, den)), ["markRead den"]);
    equal([den.unread, den.dividerSeq, den.dividerCount, unreadTotal(state)], [0, 0, 2, 0]);
  });

  test("nothing is read before it is shown", () => {
    const state = stateAfterLogin([roomInfo("lobby"), roomInfo("den", { last_seq: 9, read_seq: 5, unread: 4 })]);
    const den = state.rooms.get("den");
    equal(short(transitions.open(state, den)), ["loadHistory den", "loadMembers den"]);
    equal([den.unread, den.readSeq], [4, 5]);
    den.addPage("latest", historyPage("den", 1, 9));
    equal(short(transitions.read(state, den)), ["markRead den"]);
    equal([den.unread, den.readSeq], [0, 9]);
  });

  test("messages below what is shown are unread until the user gets there", () => {
    const state = stateAfterLogin();
    openLoaded(state, state.lobby);
    equal(transitions.setEndShown(state, state.lobby, false), []);
    equal(push(state, speak("lobby", 1, "bob", "hi")), ["message lobby"]);
    push(state, event("join_room", { room_name: "lobby", usr: "carol", seq: 2 }));
    equal([state.lobby.unread, state.lobby.readSeq], [1, 0]);
    equal(short(transitions.setEndShown(state, state.lobby, true)), ["markRead lobby"]);
    equal([state.lobby.unread, state.lobby.readSeq], [0, 2]);
  });

  test("messages of blocked users are not counted", () => {
    const state = stateAfterLogin([roomInfo("lobby"), roomInfo("den")], { blocked: ["Eve"] });
    equal(push(state, speak("den", 1, "eve", "@ann!")), []);
    equal([state.rooms.get("den").unread, state.rooms.get("den").mentions], [0, 0]);
  });

  test("nothing is read while the page is not focused", () => {
    const state = stateAfterLogin();
    openLoaded(state, state.lobby);
    transitions.setFocused(state, false);
    push(state, speak("lobby", 1, "bob", "hi"));
    equal(unreadTotal(state), 1);
    equal(short(transitions.setFocused(state, true)), ["markRead lobby"]);
    equal([unreadTotal(state), state.lobby.dividerSeq], [0, 0]);
  });

  test("own messages from another session are not unread, nor is what was said before them", () => {
    const state = stateAfterLogin([roomInfo("lobby"), roomInfo("den")]);
    push(state, speak("den", 1, "bob", "hi @ann"));
    equal(push(state, speak("den", 2, "ann", "hi")), []);
    equal([state.rooms.get("den").unread, state.rooms.get("den").mentions], [0, 0]);
  });

  test("a message ends the typing notice of its sender", () => {
    const state = stateAfterLogin();
    equal(push(state, event("typing", { room_name: "lobby", usr: "bob" })), ["expireTyping lobby bob"]);
    push(state, event("typing", { room_name: "lobby", usr: "carol" }));
    equal(push(state, event("typing", { room_name: "lobby", usr: "ann" })), []);
    equal([...state.lobby.typing], ["bob", "carol"]);
    push(state, speak("lobby", 1, "bob", "there"));
    equal([...state.lobby.typing], ["carol"]);
  });

  test("members who join and leave are added and removed", () => {
    const state = stateAfterLogin();
    push(state, event("join_room", { room_name: "lobby", usr: "bob", seq: 1 }));
    equal([state.lobby.members.has("bob"), state.lobby.memberCount], [true, 2]);
    push(state, event("kicked", { room_name: "lobby", usr: "bob", by: "carol", seq: 2 }));
    equal([state.lobby.members.has("bob"), state.lobby.memberCount], [false, 1]);
  });

  test("changed settings of a room are taken over", () => {
    const state = stateAfterLogin();
    push(state, event("room_changed", { room_name: "lobby", usr: "bob", seq: 1, topic: "new", public: false, max: 9, owner: "bob" }));
    const { topic, public: isPublic, max, owner } = state.lobby;
    equal([topic, isPublic, max, owner], ["new", false, 9, "bob"]);
  });

  test("roles and mutes follow the log of a room", () => {
    const state = stateAfterLogin();
    const room = state.lobby;
    const pushed = (type, fields) => push(state, event(type, { room_name: "lobby", by: "carol", seq: room.lastSeq + 1, ...fields }));
    pushed("role", { usr: "bob", role: "moderator" });
    equal([room.moderates("bob"), room.moderates("bob", room.rankOf("bob")), room.moderates("ann")], [true, false, false]);
    pushed("muted", { usr: "bob" });
    equal(room.silence("ann"), null);
    pushed("muted", { usr: "ann", until: "2026-01-01T00:00:10Z" });
    equal([0, 20].map((after) => room.silence("ann", Date.UTC(2026, 0, 1, 0, 0, after))), ["muted", null]);
    pushed("muted", { usr: "ann" });
    equal(room.silence("ann"), "muted");
    pushed("unmuted", { usr: "ann" });
    room.update({ public: true, moderated: true });
    equal([room.silence("ann"), room.silence("bob")], ["moderated", null]);
    pushed("role", { usr: "bob", role: "" });
    equal(room.silence("bob"), "moderated");
  });

  test("a kicked user gets a notice and goes to the lobby", () => {
    const state = stateAfterLogin([roomInfo("lobby"), roomInfo("den")]);
    transitions.open(state, state.rooms.get("den"));
    const effects = push(state, event("kicked", { room_name: "den", usr: "ann", by: "bob", seq: 1 }));
    equal(effects[0], "notice kicked");
    equal([state.current.name, state.rooms.get("den").joined], ["lobby", false]);
  });

  test("leaving in another session causes no notice and removes a private room", () => {
    const state = stateAfterLogin([roomInfo("lobby"), roomInfo("den", { public: false })]);
    equal(push(state, event("leave_room", { room_name: "den", usr: "ann", seq: 1 })), []);
    equal(state.rooms.has("den"), false);
  });

  test("a user who is added to a room gets a notice, and its settings are loaded", () => {
    const state = stateAfterLogin();
    equal(push(state, event("join_room", { room_name: "den", usr: "ann", by: "bob", seq: 4 })),
      ["loadRooms", "loadRooms", "notice added"]);
    equal([state.rooms.get("den").joined, state.rooms.get("den").lastSeq], [true, 4]);
  });

  test("a new public room can be joined at once", () => {
    const state = stateAfterLogin();
    equal(push(state, event("room_created", { room_name: "den", usr: "bob", seq: 1 })), []);
    equal(state.joinableRooms.map((room) => [room.name, room.memberCount]), [["den", 1]]);
  });

  // Changes of messages.

  const change = (type, seq, of, usr, fields = {}) => event(type, { room_name: "den", seq, of, usr, ...fields });

  test("a deleted message is not unread, and an edit may mention the user", () => {
    const state = stateAfterLogin([roomInfo("lobby"), roomInfo("den")]);
    const den = state.rooms.get("den");
    push(state, speak("den", 1, "bob", "one"));
    push(state, speak("den", 2, "bob", "two"));
    equal([den.unread, den.mentions], [2, 0]);
    push(state, change("edited", 3, 1, "bob", { msg: "one, @ann" }));
    equal([den.unread, den.mentions], [2, 1]);
    push(state, change("deleted", 4, 1, "bob", { by: "carol", reason: "" }));
    push(state, change("deleted", 5, 2, "bob", { by: "bob", reason: "" }));
    push(state, change("deleted", 6, 9, "ann", { by: "bob", reason: "" }));
    equal([den.unread, den.mentions], [0, 0]);
  });

  test("a change ends no typing notice and is no message", () => {
    const state = stateAfterLogin([roomInfo("lobby"), roomInfo("den")]);
    push(state, speak("den", 1, "bob", "one"));
    push(state, event("typing", { room_name: "den", usr: "bob" }));
    equal(push(state, change("reacted", 2, 1, "bob", { emoji: "🎉", on: true })), []);
    equal([...state.rooms.get("den").typing], ["bob"]);
  });

  // Other pushes.

  test("what was read in another session is not unread", () => {
    const state = stateAfterLogin([roomInfo("lobby"), roomInfo("den")]);
    const den = state.rooms.get("den");
    for (const seq of [1, 2, 3]) push(state, speak("den", seq, "bob", "@ann?"));
    equal(push(state, event("marked_read", { room_name: "den", read_seq: 2, seq: 2 })), ["recount den"]);
    equal([den.unread, den.mentions, den.lastSeq], [1, 1, 3]);
    push(state, event("marked_read", { room_name: "den", read_seq: 3 }));
    equal([den.unread, den.mentions], [0, 0]);
  });

  test("users come online and go offline", () => {
    const state = stateAfterLogin();
    push(state, event("login", { usr: "Bob" }));
    push(state, event("presence", { logins: ["carol", "dora"], logouts: ["bob"] }));
    push(state, event("logout", { usr: "dora" }));
    equal([...state.online.values()], ["ann", "carol"]);
  });

  test("a deleted room disappears, and its members get a notice", () => {
    const state = stateAfterLogin([roomInfo("lobby"), roomInfo("den"), roomInfo("attic", { joined: false })]);
    transitions.open(state, state.rooms.get("den"));
    equal(push(state, event("room_gone", { room_name: "attic" })), []);
    equal(push(state, event("room_gone", { room_name: "den" }))[0], "notice room_gone");
    equal([[...state.rooms.keys()], state.current.name], [["lobby"], "lobby"]);
  });

  test("open invitations are listed by login and resume", () => {
    const listed = ["attic", "cellar"].map((name) => ({ room_name: name, usr: "bob", at: AT }));
    const state = stateAfterLogin([roomInfo("lobby")], { invitations: listed });
    push(state, invitation);
    const names = () => state.invitations.map((open) => open.room_name);
    equal(names(), ["attic", "cellar"]);
    reply(state, "invite_reply", {}, { inviter: "bob", room_name: "attic", reply: "L" });
    const restored = new GTChat.State();
    restored.restore(JSON.parse(JSON.stringify(state.snapshot())));
    equal([restored.invitations, restored.postponed.length], [[listed[1]], 1]);
    // One that is to be answered later stays away until the next login; one that is gone disappears.
    resume(state, [roomInfo("lobby")], [], { invitations: [listed[0]] });
    equal(names(), []);
    push(state, invitation);
    equal(names(), ["attic"]);
    // A server that does not list invitations ends none.
    resume(state, [roomInfo("lobby")], []);
    equal(names(), ["attic"]);
    reply(state, "resume", resumeReply([roomInfo("lobby")], []), { listsInvitations: true });
    equal(names(), []);
    reply(state, "login", loginReply("ann", [roomInfo("lobby")], { invitations: listed }));
    equal(names(), ["attic", "cellar"]);
  });

  test("an invitation is kept once until it is answered", () => {
    const state = stateAfterLogin();
    push(state, invitation);
    push(state, invitation);
    equal(state.invitations.length, 1);
    reply(state, "invite_reply", {}, { inviter: "bob", room_name: "attic", reply: "L" });
    equal([state.invitations.length, state.rooms.has("attic")], [0, false]);
  });

  test("an accepted invitation opens the room", () => {
    const state = stateAfterLogin();
    push(state, invitation);
    reply(state, "invite_reply", { room: roomDetails("attic", { users: ["ann", "bob"], users_total: 2 }) },
      { inviter: "bob", room_name: "attic", reply: "Y" });
    equal([state.current.name, state.current.joined, state.current.memberCount], ["attic", true, 2]);
  });

  test("what only informs the user is a notice", () => {
    const state = stateAfterLogin();
    equal([
      push(state, { cmd: "c_broadcast", usr: "bob", msg: "hi", at: AT }),
      push(state, { cmd: "c_invite_reply", usr: "bob", room_name: "den", msg: "N", at: AT }),
      push(state, event("address_granted", { usr: "bob", host: "h", port: 1 })),
      push(state, event("address_denied", { usr: "bob" })),
    ], [["notice broadcast"], ["notice invite_reply_N"], ["notice address_granted"], ["notice address_denied"]]);
  });

  test("a report is a notice that leads to the list of those who may answer it", () => {
    const state = stateAfterLogin();
    const dialogOf = (fields) => GTChat.sync.push(state, event("reported", { usr: "bob", by: "eve", of: 1, report_id: 4, ...fields }))[0].dialog;
    equal(dialogOf({}), { name: "operator", section: "reports" });
    equal(dialogOf({ room_name: "lobby" }).name, "operator");
    state.lobby.roles.set("ann", "moderator");
    equal(dialogOf({ room_name: "lobby" }), { name: "reports", room: state.lobby });
    const noticed = (by) => push(state, event("reported", { usr: "bob", by, of: 1, report_id: 4 }));
    equal([noticed("eve"), noticed("word filter")], [["notice reported"], ["notice flagged"]]);
    equal(push(state, event("report_answered", { usr: "bob", of: 1, report_id: 4, outcome: "dismissed" })), ["notice report_dismissed"]);
  });

  test("a request for the address waits until it is answered", () => {
    const state = stateAfterLogin();
    for (const usr of ["bob", "carol", "bob", "dora"]) push(state, event("address_request", { usr }));
    reply(state, "allow", {}, { user: "carol" });
    reply(state, "deny", {}, { user: "dora" });
    equal(state.addressRequests, ["bob"]);
    push(state, event("address_request", { usr: "bob" }));
    equal(state.addressRequests, ["bob"]);
  });

  // Replies.

  test("a room that is created or joined is opened", () => {
    const state = stateAfterLogin([roomInfo("lobby"), roomInfo("den", { joined: false })]);
    for (const [cmd, name] of [["create_room", "attic"], ["join_room", "den"]]) {
      const effects = reply(state, cmd, { room: roomDetails(name, { last_seq: 5, topic: "t" }) }, { room_name: name });
      equal(effects, [`loadHistory ${name}`, `loadMembers ${name}`]);
      const { joined, lastSeq, readSeq, topic } = state.current;
      equal([joined, lastSeq, readSeq, topic], [true, 5, 5, "t"]);
    }
  });

  test("leaving or deleting a room leads to the lobby", () => {
    const state = stateAfterLogin([roomInfo("lobby"), roomInfo("den"), roomInfo("attic")]);
    transitions.open(state, state.rooms.get("den"));
    reply(state, "leave_room", {}, { room_name: "den" });
    equal([state.current.name, state.rooms.get("den").joined], ["lobby", false]);
    transitions.open(state, state.rooms.get("attic"));
    equal(reply(state, "delete_room", {}, { room_name: "attic" })[0], "notice room_gone");
    equal([state.current.name, state.rooms.has("attic")], ["lobby", false]);
  });

  test("replies about a room update its settings and members", () => {
    const state = stateAfterLogin();
    for (const [cmd, topic] of [["set_room", "a"], ["add_member", "b"], ["remove_member", "c"]]) {
      reply(state, cmd, { room: roomDetails("lobby", { topic, users: ["bob"], users_total: 2 }) });
      equal([state.lobby.topic, state.lobby.members.has("bob"), state.lobby.memberCount], [topic, true, 2]);
    }
  });

  test("the log has own changes of a room, which are not pushed", () => {
    const details = (users) => ({ room: roomDetails("den", { topic: "new", users, users_total: users.length }) });
    for (const [cmd, fields, answer, expected, members] of [
      ["set_room", { topic: "new" }, details(["ann", "bob"]), ["room_changed", "ann", undefined, "new"], ["ann", "bob"]],
      ["add_member", { user: "CAROL" }, details(["ann", "bob", "carol"]), ["join_room", "carol", undefined, undefined], ["ann", "bob", "carol"]],
      ["remove_member", { user: "bob" }, details(["ann"]), ["removed", "bob", "ann", undefined], ["ann"]],
      ["kick", { user: "bob" }, {}, ["kicked", "bob", "ann", undefined], ["ann"]],
    ]) {
      const state = stateAfterLogin([roomInfo("lobby"), roomInfo("den", { members: 2 })]);
      const den = state.rooms.get("den");
      ["ann", "bob"].forEach((name) => den.members.add(name));
      den.addPage("latest", { entries: [] });
      reply(state, cmd, { ...answer, seq: 1, at: AT }, { room_name: "den", ...fields });
      const [{ type, usr, by, topic }] = den.entries;
      equal([[type, usr, by, topic], [...den.members], den.memberCount, den.lastSeq], [expected, members, members.length, 1]);
    }
  });

  test("the reply to a request that was done before brings no entry, and its room can be gone", () => {
    const state = stateAfterLogin([roomInfo("lobby"), roomInfo("den", { members: 2 })]);
    const den = state.rooms.get("den");
    den.addPage("latest", { entries: [] });
    for (const cmd of ["set_room", "add_member", "remove_member", "kick", "create_room", "join_room", "invite_reply"]) {
      reply(state, cmd, { dup: true, seq: 1, at: AT }, { room_name: "den", user: "bob", inviter: "bob", reply: "Y" });
    }
    equal([den.entries, den.lastSeq, [...state.rooms.keys()]], [[], 0, ["lobby", "den"]]);
  });

  test("a room that another session has created is a room of the user's own", () => {
    const state = stateAfterLogin();
    push(state, event("room_created", { room_name: "den", usr: "ann", seq: 1, public: false, topic: "", max: 0, owner: "ann" }));
    const { joined, public: isPublic, lastSeq, memberCount, unread } = state.rooms.get("den");
    equal([joined, isPublic, lastSeq, memberCount, unread], [true, false, 1, 1, 0]);
  });

  test("pages of lists add rooms, users and members", () => {
    const state = stateAfterLogin();
    reply(state, "get_room_list", { rooms: [roomInfo("den", { last_seq: 4, unread: 1 })] });
    equal([state.rooms.get("den").unread, state.rooms.get("den").readSeq], [1, 3]);
    reply(state, "get_user_list", { users: ["bob"] });
    reply(state, "get_room_user_list", { users: ["bob", "carol"], online: ["carol"], users_total: 7 }, { room_name: "lobby" });
    equal([[...state.online.values()], [...state.lobby.members], state.lobby.memberCount], [["ann", "bob", "carol"], ["bob", "carol"], 7]);
  });

  test("a confirmed message moves into the log", () => {
    const state = stateAfterLogin();
    state.lobby.addPage("latest", { entries: [] });
    state.lobby.outgoing.push({ txn: "t", msg: "hi" }, { txn: "u", msg: "ho" });
    equal(reply(state, "speak", { id: "i", seq: 1, at: AT }, { room_name: "lobby", msg: "hi", txn: "t" }), ["markRead lobby"]);
    equal([state.lobby.outgoing.map(({ txn }) => txn), state.lobby.entries.map(({ usr, msg }) => `${usr} ${msg}`)], [["u"], ["ann hi"]]);
  });

  test("blocked users and the port to listen at are kept", () => {
    const state = stateAfterLogin();
    reply(state, "block", { blocked: ["bob", "eve"] });
    equal(state.blocked, ["bob", "eve"]);
    reply(state, "unblock", { blocked: ["eve"] });
    reply(state, "set_address", {}, { port: 4000 });
    equal([state.blocked, state.listenPort], [["eve"], 4000]);
  });

  test("a reply that changes nothing has no effects", () => {
    equal(reply(stateAfterLogin(), "kick", {}, { room_name: "lobby", user: "bob" }), []);
  });
})();
