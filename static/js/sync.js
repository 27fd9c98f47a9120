// How the state follows the server: tables from the kind of a push, of a log entry, of an event and of
// a reply to the function that changes the state.
//
// Each function returns effects, the things that remain to be done, which actions.js runs in order:
//   {effect: "loadHistory", room}                    load the latest page of the log
//   {effect: "loadMembers", room}                    load the list of members
//   {effect: "loadRooms"}                            load the list of rooms again
//   {effect: "loadMore", cmd, after, loaded, total}  load the rest of a list
//   {effect: "loadRoomPages", after, unlisted}       load the rest of the rooms; unlisted: names to drop if not in it
//   {effect: "findMentions"}                         search what is unread for mentions of the user
//   {effect: "rememberShown", ids}                   keep the ids of direct messages that were shown
//   {effect: "markRead", room}                       report `readSeq` to the server
//   {effect: "expireTyping", room, usr}              end the typing notice after a time
//   {effect: "notice", text, values}                 show a text of texts.js for some seconds
//   {effect: "message", conversation, usr, msg, mention}   a message of another user has come
// Nothing here sends, waits or draws.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;

  const { invitations } = GTChat;
  const { notice, isShown, read, open, updateRoom, enterRoom, exitRoom, deleteRoom, updateListed } = GTChat.transitions;

  const row = (table, key) => (Object.hasOwn(table, key) ? table[key] : null);

  // Turns a function that changes the state and returns nothing into one that returns no effects.
  const only = (change) => (state, ...details) => {
    change(state, ...details);
    return [];
  };

  // Entries of a room's log.

  const settings = only((_state, room, entry) => room.update(entry));

  const memberJoined = (_state, room, entry, own) => {
    room.members.add(entry.usr);
    room.memberCount += 1;
    if (!own || room.joined) return [];
    room.reset(entry.seq);
    room.joined = true;
    return [{ effect: "loadRooms" }, notice("added", entry)];
  };

  const memberLeft = (state, room, entry, own) => {
    room.members.delete(entry.usr);
    room.memberCount -= 1;
    if (!own) return [];
    return [...(entry.type === "leave_room" ? [] : [notice(entry.type, entry)]), ...exitRoom(state, room.name)];
  };

  // By `type`: (state, room, entry, whether the user caused it or it is about them) => effects.
  const ENTRIES = {
    room_created: settings,
    room_changed: settings,
    join_room: memberJoined,
    leave_room: memberLeft,
    kicked: memberLeft,
    removed: memberLeft,
  };

  // A message of another user: it is read at once or counted as unread.
  const received = (state, conversation, message) => {
    const { usr, msg } = message;
    if (state.isBlocked(usr)) return read(state, conversation);
    const mention = conversation.kind === "direct" || GTChat.mentions(msg, state.me);
    const effects = read(state, conversation);
    if (!isShown(state, conversation)) {
      conversation.unread += 1;
      conversation.mentioned ||= mention;
    }
    return [...effects, { effect: "message", conversation, usr, msg, mention }];
  };

  const takeEntry = (state, entry) => {
    const own = entry.usr === state.me;
    const known = state.rooms.has(entry.room_name);
    const room = state.room(entry.room_name);
    if (known && (room.joined || own)) {
      if (!room.append(entry)) return [];
    } else {
      room.lastSeq = Math.max(room.lastSeq, entry.seq);
    }
    room.typing.delete(entry.usr);
    return [
      ...(known || entry.type === "room_created" ? [] : [{ effect: "loadRooms" }]),
      ...(row(ENTRIES, entry.type)?.(state, room, entry, own) ?? []),
      ...(entry.cmd === "c_speak" && !own ? received(state, room, entry) : read(state, room)),
    ];
  };

  // Pushes.

  const whisper = (state, push) => {
    if (state.messageIds.has(push.id)) return [];
    state.messageIds.add(push.id);
    const direct = state.direct(push.usr);
    direct.append(push);
    if (!state.shownIds.has(push.id)) return received(state, direct, push);
    // The server repeats what it does not know to have arrived.
    if (!direct.unread) direct.readSeq = direct.endSeq;
    return [];
  };

  const typing = (state, { room_name: name, usr }) => {
    const room = state.rooms.get(name);
    if (!room || usr === state.me) return [];
    room.typing.add(usr);
    return [{ effect: "expireTyping", room, usr }];
  };

  // The user has read a room in another session.
  const markedRead = only((state, { room_name: name, seq }) => {
    const room = state.rooms.get(name);
    if (!room) return;
    room.markedSeq = Math.max(room.markedSeq, seq);
    room.markReadTo(seq);
  });

  // Events that are not log entries, by `type`: (state, event) => effects.
  const EVENTS = {
    login: only((state, event) => state.setOnline(event.usr)),
    logout: only((state, event) => state.setOffline(event.usr)),
    presence: only((state, event) => {
      event.logins.forEach((name) => state.setOnline(name));
      event.logouts.forEach((name) => state.setOffline(name));
    }),
    room_gone: (state, event) => deleteRoom(state, event.room_name),
    typing,
    marked_read: markedRead,
    address_request: only((state, event) => state.addressRequests.push(event.usr)),
    address_granted: (_state, event) => [notice("address_granted", event)],
    address_denied: (_state, event) => [notice("address_denied", event)],
  };

  // Pushes by `cmd`: (state, push) => effects.
  const PUSHES = {
    c_speak: takeEntry,
    c_whisper: whisper,
    c_broadcast: (_state, push) => [notice("broadcast", push)],
    c_invited: only(invitations.add),
    c_invite_reply: (_state, push) => [notice(`invite_reply_${push.msg}`, push)],
    c_event: (state, event) => row(EVENTS, event.type)?.(state, event) ?? [],
  };

  // A push with a seq is an entry of a room's log, also of a kind that is unknown here.
  const isEntry = (push) => push.seq && push.room_name && push.type !== "marked_read";

  // Takes in a push of the server. message: the push; returns effects.
  const push = (state, message) => (isEntry(message) ? takeEntry : row(PUSHES, message.cmd))?.(state, message) ?? [];

  // Replies.

  const restOf = (cmd, names, total) => ({ effect: "loadMore", cmd, after: names.at(-1), loaded: names.length, total });

  // What the replies to `login` and `resume` list. The rest of long lists is loaded later.
  // unlisted(names): of the rooms that are listed; returns the names of known rooms that are not.
  const takeLists = (state, reply, unlisted = () => []) => {
    state.blocked = reply.blocked ?? state.blocked;
    reply.rooms.forEach((info) => updateListed(state, info));
    state.online.clear();
    reply.users.forEach((name) => state.setOnline(name));
    const names = reply.rooms.map((info) => info.room_name);
    const { rooms_next: after } = reply;
    return [
      after ? { effect: "loadRoomPages", after, unlisted: unlisted(names) } : restOf("get_room_list", names, reply.rooms_total),
      restOf("get_user_list", reply.users, reply.users_total),
      { effect: "findMentions" },
    ];
  };

  const login = (state, reply, fields) => {
    state.me = reply.usr;
    state.hasPassword = fields.pwd !== undefined;
    state.rooms.clear();
    state.current = null;
    state.postponed = [];
    invitations.replace(state, reply.invitations ?? []);
    const effects = takeLists(state, reply);
    return [...effects, ...open(state, state.lobby)];
  };

  // What happened in one room while the connection was lost.
  const resumeRoom = (state, room, missed) => {
    const effects = [];
    if (missed.state === "resumed") {
      for (const entry of missed.entries) effects.push(...takeEntry(state, entry));
    } else {
      room.reset(missed.last_seq);
      room.recount = true;
      room.searchedSeq = -1;
      if (missed.state === "reset") room.readSeq = room.markedSeq = 0;
    }
    room.membersLoaded = false;
    room.members.clear();
    return effects;
  };

  // listsInvitations: whether a reply without invitations means that there are none; otherwise the server
  // does not list them, and those that are known stay.
  const resume = (state, reply, { listsInvitations }) => {
    state.me = reply.usr;
    const effects = [];
    if (reply.invitations ?? listsInvitations) invitations.replace(state, reply.invitations ?? []);
    const joined = new Set(state.joinedRooms.map((room) => room.name));
    for (const missed of reply.resumed) {
      const room = joined.has(missed.room_name) && state.rooms.get(missed.room_name);
      if (room) effects.push(...resumeRoom(state, room, missed));
    }
    const unlisted = (listed) => [...state.rooms.keys()].filter((name) => !listed.includes(name));
    effects.push(...takeLists(state, reply, unlisted));
    if (!reply.rooms_next && reply.rooms_total === reply.rooms.length) {
      for (const name of unlisted(reply.rooms.map((info) => info.room_name))) effects.push(...deleteRoom(state, name));
    }
    for (const conversation of [...state.rooms.values(), ...state.directs.values()]) {
      for (const item of conversation.outgoing) item.resent = true;
    }
    const { current } = state;
    const left = !current || (current.kind === "room" && !current.joined);
    return [...effects, ...open(state, left ? state.lobby : current)];
  };

  // Removes a message that the server has confirmed from the outgoing ones.
  const confirm = (conversation, txn) => {
    conversation.outgoing = conversation.outgoing.filter((item) => item.txn !== txn);
  };

  const spoken = (state, { id, at, seq }, { room_name: name, msg, txn }) => {
    const room = state.rooms.get(name);
    if (!room) return [];
    confirm(room, txn);
    room.append({ cmd: "c_speak", room_name: name, seq, usr: state.me, msg, id, at });
    return read(state, room);
  };

  const whispered = only((state, { id, at, delivered }, { target_user: name, msg, txn }) => {
    const direct = state.findDirect(name);
    if (!direct) return; // closed since
    confirm(direct, txn);
    direct.append({ usr: state.me, msg, id, at, stored: delivered === "stored" });
  });

  const invitationAnswered = (state, reply, { inviter, room_name, reply: answer }) => {
    const invitation = { usr: inviter, room_name };
    if (answer === "L") invitations.postpone(state, invitation);
    else invitations.end(state, invitation);
    return reply.room ? enterRoom(state, reply.room) : [];
  };

  const addressAnswered = only((state, _reply, { user }) => {
    state.addressRequests = state.addressRequests.filter((name) => name !== user);
  });

  const setBlocked = only((state, reply) => { state.blocked = reply.blocked; });

  const takeMembers = only((state, reply, { room_name: name }) => {
    const room = state.rooms.get(name);
    if (!room) return;
    reply.users.forEach((user) => room.members.add(user));
    reply.online.forEach((user) => state.setOnline(user));
    room.memberCount = reply.users_total;
  });

  // Replies by the `cmd` of the request: (state, reply, fields of the request) => effects.
  const REPLIES = {
    login,
    resume,
    get_room_list: only((state, reply) => reply.rooms.forEach((info) => updateListed(state, info))),
    get_user_list: only((state, reply) => reply.users.forEach((name) => state.setOnline(name))),
    get_room_user_list: takeMembers,
    create_room: (state, reply) => enterRoom(state, reply.room),
    join_room: (state, reply) => enterRoom(state, reply.room),
    leave_room: (state, _reply, fields) => exitRoom(state, fields.room_name),
    delete_room: (state, _reply, fields) => deleteRoom(state, fields.room_name),
    set_room: (state, reply) => updateRoom(state, reply.room),
    add_member: (state, reply) => updateRoom(state, reply.room),
    remove_member: (state, reply) => updateRoom(state, reply.room),
    invite_reply: invitationAnswered,
    speak: spoken,
    whisper: whispered,
    block: setBlocked,
    unblock: setBlocked,
    set_address: only((state, _reply, fields) => { state.listenPort = fields.port; }),
    allow: addressAnswered,
    deny: addressAnswered,
  };

  // Takes in a reply without an error. cmd, fields: of its request; returns effects.
  const reply = (state, cmd, message, fields) => row(REPLIES, cmd)?.(state, message, fields) ?? [];

  GTChat.sync = { push, reply };
})();
