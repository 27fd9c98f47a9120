// How the state follows the server's pushes: tables from the kind of a push, of a log entry and of an event to
// the function that changes the state. Replies to requests are in replies.js.
//
// Each function returns effects, the things that remain to be done, which actions.js runs in order:
//   {effect: "loadHistory", room}                    load the latest page of the log
//   {effect: "loadMembers", room}                    load the list of members
//   {effect: "loadRooms"}                            load the list of rooms again
//   {effect: "loadMore", cmd, after, loaded, total}  load the rest of a list
//   {effect: "loadDirects", pages, wait}             load the list of direct conversations; pages: at most so many;
//                                                    wait: milliseconds until then
//   {effect: "loadRoomPages", after, unlisted}       load the rest of the rooms; unlisted: names to drop if not in it
//   {effect: "recount", room}                        ask the server what is unread in rooms that are `miscounted`, after a moment
//   {effect: "loadMentions"}                         load the messages that mention the user
//   {effect: "findReports", rooms}                   tell the user if reports wait in one of the rooms, for an operator anywhere
//   {effect: "keepUnsent", conversation, items, gone}  give up unconfirmed messages, keep their texts; gone: whether
//                                                    their conversation is no more
//   {effect: "markRead", room}                       report `readSeq` to the server
//   {effect: "expireTyping", room, usr}              end the typing notice after a time
//   {effect: "notice", text, values, dialog}         show a text of texts.js for some seconds, and a button for a dialog
//   {effect: "message", conversation, usr, msg, mention}   a message of another user has come
// Nothing here sends, waits or draws.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;

  const { invitations, changes, isMessage, readMarks } = GTChat;
  const { notice, isShown, read, exitRoom, deleteRoom } = GTChat.transitions;

  // Milliseconds within which the account of a temporary user who logs out has ended.
  const ENDING = 2000;

  const row = (table, key) => (Object.hasOwn(table, key) ? table[key] : null);

  // Turns a function that changes the state and returns nothing into one that returns no effects.
  const only = (change) => (state, ...details) => {
    change(state, ...details);
    return [];
  };

  // Entries of a room's log.

  const settings = only((_state, room, entry) => room.update(entry));

  // Its owner is the only member of a new room. Public rooms are announced to users who are not members. A room of the
  // user's own was created in another session.
  const roomCreated = only((_state, room, entry, own) => {
    room.update({ public: true, ...entry });
    if (room.joined) return;
    room.memberCount = 1;
    if (!own) return;
    room.reset(entry.seq);
    room.joined = true;
    readMarks.readAll(room);
  });

  const memberJoined = (state, room, entry, own) => {
    room.members.add(entry.usr);
    room.memberCount += 1;
    if (!own || room.joined) return [];
    room.reset(entry.seq);
    room.joined = true;
    readMarks.readAll(room);
    invitations.endRoom(state, room.name);
    return [{ effect: "loadRooms" }, notice("added", entry)];
  };

  const memberLeft = (state, room, entry, own) => {
    room.members.delete(entry.usr);
    room.roles.delete(entry.usr);
    room.memberCount -= 1;
    if (!own) return [];
    return [...(entry.type === "leave_room" ? [] : [notice(entry.type, entry)]), ...exitRoom(state, room.name)];
  };

  const roleChanged = only((_state, room, { usr, role }) => {
    if (role) room.roles.set(usr, role);
    else room.roles.delete(usr);
  });

  // What is unread, and the mentions, follow the changes of messages.
  const messageChanged = (state, room, entry) => {
    const isMention = entry.type === "edited" && !state.isBlocked(entry.usr) && GTChat.mentionsUser(state, room, entry);
    state.mentions.change(room, entry, room.entryAt(entry.of), isMention);
    return readMarks.change(state, room, entry, isMention);
  };

  // By `type`: (state, room, entry, whether the user caused it or it is about them) => effects.
  const ENTRIES = {
    room_created: roomCreated,
    room_changed: settings,
    join_room: memberJoined,
    leave_room: memberLeft,
    kicked: memberLeft,
    removed: memberLeft,
    role: roleChanged,
    muted: only((_state, room, { until = "" }, own) => { if (own) room.mutedUntil = until; }),
    unmuted: only((_state, room, _entry, own) => { if (own) room.mutedUntil = undefined; }),
    edited: messageChanged,
    deleted: messageChanged,
  };

  // A message of another user: it is read at once or counted as unread.
  const received = (state, conversation, message) => {
    const { usr, msg } = message;
    if (state.isBlocked(usr)) return read(state, conversation);
    const mention = GTChat.mentionsUser(state, conversation, message);
    if (mention) state.mentions.add(message);
    const effects = read(state, conversation);
    if (!isShown(state, conversation)) readMarks.addUnread(conversation, message, mention);
    return [...effects, { effect: "message", conversation, usr, msg, mention }];
  };

  // Own messages of other sessions: the server counts all before them as read.
  const sent = (state, conversation, { seq }) => [...readMarks.readTo(state, conversation, seq), ...read(state, conversation)];

  // What follows from an entry that is new.
  const follow = (state, room, entry) => {
    const own = entry.usr === state.me;
    if (!changes.has(entry)) room.typing.delete(entry.usr);
    return [
      ...(row(ENTRIES, entry.type)?.(state, room, entry, own) ?? []),
      ...(isMessage(entry) ? (own ? sent : received)(state, room, entry) : read(state, room)),
    ];
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
    return [...(known || entry.type === "room_created" ? [] : [{ effect: "loadRooms" }]), ...follow(state, room, entry)];
  };

  // Entries of the log of a direct conversation.

  const loadDirects = (pages = 1, wait = 0) => ({ effect: "loadDirects", pages, wait });

  const takeDirect = (state, direct, entry) => (direct.append(entry, state.me) ? follow(state, direct, entry) : []);

  // A push names the other user. What is not known of the conversation is in the list; `recount` has it tell what is
  // unread.
  const pushedDirect = (state, entry) => {
    const { cmd, usr, to, target_user: other = usr === state.me ? to : usr, seq } = entry;
    const known = state.findDirect(other);
    if (known ? known.contradicts(entry) : cmd !== "c_whisper") return [loadDirects()];
    const direct = known ?? state.direct(other);
    if (!known) {
      direct.reset(seq - 1);
      Object.assign(direct, { recount: true, loaded: seq === 1 });
    }
    return [...(direct.id === null ? [loadDirects()] : []), ...takeDirect(state, direct, entry)];
  };

  // The account of a temporary user may end when they go offline, a moment later.
  const wentOffline = (state, names) => {
    names.forEach((name) => state.setOffline(name));
    const guests = state.directs.filter(({ guest, ended }) => guest && !ended);
    return guests.some(({ name }) => names.includes(name)) ? [loadDirects(1, ENDING)] : [];
  };

  // Pushes.

  const typing = (state, event) => {
    const { usr } = event;
    const room = state.conversation(event);
    if (!room || usr === state.me) return [];
    room.typing.add(usr);
    return [{ effect: "expireTyping", room, usr }];
  };

  // The user has read a conversation in another session, or marked it as unread.
  const markedRead = (state, event) => {
    const room = state.conversation(event);
    return room ? readMarks.markedElsewhere(state, room, event.read_seq) : [];
  };

  const setLevel = only((state, event) => {
    const room = state.conversation(event);
    if (room) room.level = event.level;
  });

  // A notice with a button for the list of reports in which the user answers them.
  const reportNotice = (state, key, event) => {
    const room = state.rooms.get(event.room_name);
    const dialog = room?.moderates(state.me) ? { name: "reports", room } : { name: "operator", section: "reports" };
    return { ...notice(key, event), dialog };
  };

  // Events that are not log entries, by `type`: (state, event) => effects.
  const EVENTS = {
    login: only((state, event) => state.setOnline(event.usr)),
    logout: (state, event) => wentOffline(state, [event.usr]),
    presence: (state, event) => {
      event.logins.forEach((name) => state.setOnline(name));
      return wentOffline(state, event.logouts);
    },
    room_gone: (state, event) => deleteRoom(state, event.room_name),
    typing,
    marked_read: markedRead,
    notify: setLevel,
    invitation_ended: only(invitations.end),
    address_request: only((state, { usr }) => { state.addressRequests = [...state.addressRequests.filter((name) => name !== usr), usr]; }),
    address_granted: (_state, event) => [notice("address_granted", event)],
    reported: (state, event) => [reportNotice(state, event.by === "word filter" ? "flagged" : "reported", event)],
    report_answered: (_state, event) => [notice(`report_${event.outcome}`, { answer: "", ...event })],
    address_denied: (_state, event) => [notice("address_denied", event)],
  };

  // Pushes by `cmd`: (state, push) => effects.
  const PUSHES = {
    c_speak: takeEntry,
    c_whisper: pushedDirect,
    c_broadcast: (_state, push) => [notice("broadcast", push)],
    c_invited: only(invitations.add),
    c_invite_reply: (_state, push) => [notice(`invite_reply_${push.msg}`, push)],
    c_event: (state, event) => row(EVENTS, event.type)?.(state, event) ?? [],
  };

  // A push with a seq is an entry of a log, also of a kind that is unknown here. `marked_read` has one until the
  // next release.
  const takerOf = ({ cmd, type, seq, room_name: room, target_user: usr }) => {
    if (!seq || type === "marked_read" || !(room || usr)) return row(PUSHES, cmd);
    return room ? takeEntry : pushedDirect;
  };

  // Takes in a push of the server. message: the push; returns effects.
  const push = (state, message) => takerOf(message)?.(state, message) ?? [];

  GTChat.sync = { push, takeEntry, takeDirect, loadDirects, reportNotice, row, only };
})();
