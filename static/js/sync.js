// How the state follows the server's pushes: tables from the kind of a push, of a log entry and of an event to
// the function that changes the state. Replies to requests are in replies.js.
//
// Each function returns effects, the things that remain to be done, which actions.js runs in order:
//   {effect: "loadHistory", room}                    load the latest page of the log
//   {effect: "loadMembers", room}                    load the list of members
//   {effect: "loadRooms"}                            load the list of rooms again
//   {effect: "loadMore", cmd, after, loaded, total}  load the rest of a list
//   {effect: "loadRoomPages", after, unlisted}       load the rest of the rooms; unlisted: names to drop if not in it
//   {effect: "findMentions"}                         search what is unread for mentions of the user
//   {effect: "keepUnsent", conversation, items, gone}  give up unconfirmed messages, keep their texts; gone: whether
//                                                    their conversation is no more
//   {effect: "rememberShown", ids}                   keep the ids of direct messages that were shown
//   {effect: "markRead", room}                       report `readSeq` to the server
//   {effect: "expireTyping", room, usr}              end the typing notice after a time
//   {effect: "notice", text, values}                 show a text of texts.js for some seconds
//   {effect: "message", conversation, usr, msg, mention}   a message of another user has come
// Nothing here sends, waits or draws.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;

  const { invitations, changes } = GTChat;
  const { notice, isShown, read, exitRoom, deleteRoom } = GTChat.transitions;

  const row = (table, key) => (Object.hasOwn(table, key) ? table[key] : null);

  // Turns a function that changes the state and returns nothing into one that returns no effects.
  const only = (change) => (state, ...details) => {
    change(state, ...details);
    return [];
  };

  // Entries of a room's log.

  const settings = only((_state, room, entry) => room.update(entry));

  // Its owner is the only member of a new room.
  const roomCreated = only((_state, room, entry) => {
    room.update(entry);
    if (!room.joined) room.memberCount = 1;
  });

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

  // What is unread, and whether the user was mentioned, follows the changes of messages.
  const isUnread = (state, room, entry, own) => !own && entry.of > room.readSeq && !state.isBlocked(entry.usr);

  const messageEdited = only((state, room, entry, own) => {
    if (isUnread(state, room, entry, own) && GTChat.mentions(entry.msg, state.me)) room.mentioned = true;
  });

  const messageDeleted = only((state, room, entry, own) => {
    if (!room.unread || !isUnread(state, room, entry, own)) return;
    room.unread -= 1;
    if (!room.unread) room.mentioned = false;
  });

  // By `type`: (state, room, entry, whether the user caused it or it is about them) => effects.
  const ENTRIES = {
    room_created: roomCreated,
    room_changed: settings,
    join_room: memberJoined,
    leave_room: memberLeft,
    kicked: memberLeft,
    removed: memberLeft,
    edited: messageEdited,
    deleted: messageDeleted,
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
      if (!room.append(entry, state.me)) return [];
    } else {
      room.lastSeq = Math.max(room.lastSeq, entry.seq);
    }
    if (!changes.has(entry)) room.typing.delete(entry.usr);
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
    address_request: only((state, { usr }) => { state.addressRequests = [...state.addressRequests.filter((name) => name !== usr), usr]; }),
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

  GTChat.sync = { push, takeEntry, row, only };
})();
