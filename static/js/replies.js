// How the state follows the replies to requests: a table from the command to the function that changes the
// state. Each returns effects, as sync.js lists them. Nothing here sends, waits or draws.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { sync, invitations, readMarks } = GTChat;
  const { takeEntry, takeDirect, loadDirects, row, only } = sync;
  const { read, open, takeRoles, updateRoom, enterRoom, exitRoom, deleteRoom, removeDirect, updateListed, updateDirect } = GTChat.transitions;

  // Direct conversations that the replies to `login` and `resume` list at most, and pages of the list that are read.
  const LISTED_DIRECTS = 200;
  const DIRECT_PAGES = 10;

  // Rooms that a moderator's login asks for reports.
  const REPORT_ROOMS = 10;

  const restOf = (cmd, names, total) => ({ effect: "loadMore", cmd, after: names.at(-1), loaded: names.length, total });

  // What the replies to `login` and `resume` list. The rest of long lists is loaded later.
  // unlisted(names): of the rooms that are listed; returns the names of known rooms that are not.
  const takeLists = (state, reply, unlisted = () => []) => {
    state.operator = reply.operator === true;
    state.blocked = reply.blocked ?? state.blocked;
    reply.rooms.forEach((info) => updateListed(state, info));
    const { directs = [] } = reply;
    directs.forEach((info) => updateDirect(state, info));
    state.online.clear();
    reply.users.forEach((name) => state.setOnline(name));
    const names = reply.rooms.map((info) => info.room_name);
    const { rooms_next: after } = reply;
    return [
      after ? { effect: "loadRoomPages", after, unlisted: unlisted(names) } : restOf("get_room_list", names, reply.rooms_total),
      restOf("get_user_list", reply.users, reply.users_total),
      ...(directs.length < LISTED_DIRECTS ? [] : [loadDirects(DIRECT_PAGES)]),
      ...(state.unreadMentions ? [{ effect: "loadMentions" }] : []),
    ];
  };

  // The rooms whose reports the user answers: undefined for all.
  const answered = (state, rooms) => {
    if (state.operator) return [undefined];
    const names = rooms.map((info) => info.room_name).filter((name) => state.rooms.get(name).joined && state.rooms.get(name).moderates(state.me));
    return names.slice(0, REPORT_ROOMS);
  };

  const login = (state, reply, fields) => {
    state.me = reply.usr;
    state.hasPassword = fields.pwd !== undefined || fields.type === "link";
    state.rooms.clear();
    state.directs = [];
    state.current = null;
    state.postponed = [];
    state.mentions.reset();
    invitations.replace(state, reply.invitations ?? []);
    const effects = takeLists(state, reply);
    const rooms = answered(state, reply.rooms);
    return [...effects, ...(rooms.length ? [{ effect: "findReports", rooms }] : []), ...open(state, state.lobby)];
  };

  // The log and the members have to be loaded again; the next list tells what is unread.
  const forgetLog = (room, lastSeq = room.lastSeq) => {
    room.reset(lastSeq);
    room.recount = true;
    room.forgetMembers();
  };

  // What happened in one conversation while the connection was lost.
  const resumeRoom = (state, room, missed) => {
    if (missed.state !== "resumed") {
      forgetLog(room, missed.last_seq);
      if (missed.state === "reset") room.readSeq = room.markedSeq = room.confirmedSeq = 0;
      return [];
    }
    const effects = missed.entries.flatMap((entry) => (
      room.kind === "room" ? takeEntry(state, entry) : takeDirect(state, room, entry)));
    room.forgetMembers();
    return effects;
  };

  // listsInvitations: whether a reply without invitations means that there are none; otherwise the server
  // does not list them, and those that are known stay.
  const resume = (state, reply, { listsInvitations }) => {
    state.me = reply.usr;
    state.mentions.reset();
    const effects = [];
    if (reply.invitations ?? listsInvitations) invitations.replace(state, reply.invitations ?? []);
    const left = new Set([...state.joinedRooms, ...state.directs]);
    for (const missed of reply.resumed) {
      const room = state.conversation(missed);
      if (room?.kind === "direct" && missed.state === "reset") effects.push(...removeDirect(state, room));
      else if (left.has(room)) effects.push(...resumeRoom(state, room, missed));
      left.delete(room);
    }
    left.forEach((room) => forgetLog(room));
    const unlisted = (listed) => [...state.rooms.keys()].filter((name) => !listed.includes(name));
    effects.push(...takeLists(state, reply, unlisted));
    if (!reply.rooms_next && reply.rooms_total === reply.rooms.length) {
      for (const name of unlisted(reply.rooms.map((info) => info.room_name))) effects.push(...deleteRoom(state, name));
    }
    for (const conversation of [...state.rooms.values(), ...state.directs]) {
      for (const item of conversation.outgoing) item.resent = true;
    }
    const { current } = state;
    return [...effects, ...open(state, current?.joined ? current : state.lobby)];
  };

  // Removes a message that the server has confirmed from the outgoing ones.
  const confirm = (conversation, txn) => {
    conversation.outgoing = conversation.outgoing.filter((item) => item.txn !== txn);
  };

  const spoken = (state, { id, at, seq }, fields) => {
    const { room_name: name, msg, txn } = fields;
    const room = state.conversation(fields);
    if (!room) return [];
    const { reply, style } = room.outgoing.find((item) => item.txn === txn) ?? {};
    confirm(room, txn);
    const kind = room.kind === "room" ? { cmd: "c_speak", room_name: name } : { cmd: "c_whisper", to: room.name };
    room.append({ ...kind, seq, usr: state.me, msg, id, at, reply, style });
    room.held = false;
    return [...(room.id === null ? [loadDirects()] : []), ...readMarks.readTo(state, room, seq), ...read(state, room)];
  };

  // The session that asks for a change of a room is not pushed its entry: it is put together from the reply. That to a
  // request that was done before has an entry that a resume has brought.
  // details(state, reply, fields): what the entry has besides.
  const changed = (type, details) => (state, reply, fields) => {
    const { seq, at, room, dup } = reply;
    const entry = seq && !dup ? { cmd: "c_event", type, room_name: fields.room_name, seq, at, ...details(state, reply, fields) } : null;
    return [...(entry ? takeEntry(state, entry) : []), ...updateRoom(state, room)];
  };

  // The name of a user may have been typed.
  const memberNamed = ({ users }, typed) => users.find((name) => name.toLowerCase() === typed.toLowerCase()) ?? typed;

  const settingsOf = ({ topic, public: isPublic, owner, max, preview, moderated, slow }) => ({ topic, public: isPublic, owner, max, preview, moderated, slow });

  const expelled = (state, _reply, { user }) => ({ usr: user, by: state.me });

  // The ban of a member kicks them.
  const banned = (state, reply, fields) => {
    const type = state.rooms.get(fields.room_name)?.members.has(fields.user) ? "kicked" : "banned";
    return changed(type, (...details) => ({ ...expelled(...details), banned: type === "kicked" || undefined }))(state, reply, fields);
  };

  const entered = (state, { room }) => (room ? enterRoom(state, room) : []);

  const invitationAnswered = (state, reply, { inviter, room_name, reply: answer }) => {
    const invitation = { usr: inviter, room_name };
    if (answer === "L") invitations.postpone(state, invitation);
    else invitations.end(state, invitation);
    return entered(state, reply);
  };

  const addressAnswered = only((state, _reply, { user }) => {
    state.addressRequests = state.addressRequests.filter((name) => name !== user);
  });

  const reloadOpen = ({ current }) => (
    current?.joined && !current.loaded && !current.loading ? [{ effect: "loadHistory", room: current }] : []);

  // Messages of users who are no longer blocked were not pushed: the logs are loaded again.
  const setBlocked = (state, reply) => {
    const shorter = reply.blocked.length < state.blocked.length;
    state.blocked = reply.blocked;
    state.mentions.reset();
    invitations.keep(state, ({ usr }) => !state.isBlocked(usr));
    if (!shorter) return [];
    for (const room of [...state.joinedRooms, ...state.directs]) room.reset(room.lastSeq);
    for (const direct of state.directs) direct.recount = true;
    return [...reloadOpen(state), ...(state.directs.length ? [loadDirects(DIRECT_PAGES)] : [])];
  };

  // The server has taken a mark, or set it back.
  const marked = only((state, { read_seq: readSeq }, fields) => {
    const room = state.conversation(fields);
    if (room) room.confirmedSeq = readSeq ?? Math.max(room.confirmedSeq, fields.seq);
  });

  const notifySet = only((state, _reply, fields) => {
    const room = state.conversation(fields);
    if (room) room.level = fields.level;
  });

  const takeMentions = only((state, reply, { before }) => {
    state.mentions.addPage(reply, before);
    for (const message of state.mentions.entries) {
      const conversation = state.conversationOf(message);
      if (conversation) readMarks.knowMention(conversation, message.seq);
    }
  });

  // A page of a list may tell that the log of the open conversation has to be loaded again.
  const listed = (state, { rooms = [], directs = [] }) => {
    rooms.forEach((info) => updateListed(state, info));
    directs.forEach((info) => updateDirect(state, info));
    return [...reloadOpen(state), ...(state.current ? read(state, state.current) : [])];
  };

  const takeMembers = only((state, reply, { room_name: name }) => {
    const room = state.rooms.get(name);
    if (!room) return;
    reply.users.forEach((user) => room.members.add(user));
    takeRoles(room, reply);
    reply.online.forEach((user) => state.setOnline(user));
    room.memberCount = reply.users_total;
  });

  // Changes of messages are pushed to the session that asked for them, too: their replies tell nothing.
  // Replies by the `cmd` of the request: (state, reply, fields of the request) => effects.
  const REPLIES = {
    login,
    resume,
    get_room_list: listed,
    get_direct_list: listed,
    get_user_list: only((state, reply) => reply.users.forEach((name) => state.setOnline(name))),
    get_room_user_list: takeMembers,
    create_room: entered,
    join_room: entered,
    leave_room: (state, _reply, fields) => exitRoom(state, fields.room_name),
    delete_room: (state, _reply, fields) => deleteRoom(state, fields.room_name),
    set_room: changed("room_changed", (state, { room }) => ({ usr: state.me, ...settingsOf(room) })),
    add_member: changed("join_room", (_state, { room }, { user }) => ({ usr: memberNamed(room, user) })),
    remove_member: changed("removed", expelled),
    kick: changed("kicked", expelled),
    set_role: changed("role", (state, _reply, { user, role }) => ({ usr: user, role, by: state.me })),
    mute: changed("muted", expelled),
    unmute: changed("unmuted", expelled),
    ban: banned,
    unban: changed("unbanned", expelled),
    invite_reply: invitationAnswered,
    speak: spoken,
    mark_read: marked,
    mark_unread: marked,
    set_notify: notifySet,
    get_mentions: takeMentions,
    block: setBlocked,
    unblock: setBlocked,
    set_address: only((state, _reply, fields) => { state.listenPort = fields.port; }),
    allow: addressAnswered,
    deny: addressAnswered,
  };

  // Takes in a reply without an error. cmd, fields: of its request; returns effects.
  sync.reply = (state, cmd, message, fields) => row(REPLIES, cmd)?.(state, message, fields) ?? [];
})();
