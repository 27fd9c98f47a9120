// Changes of the state that more than one push, reply or action causes: opening a conversation, reading
// it, entering and leaving rooms.
//
// Each function returns effects, the things that remain to be done; sync.js lists them. Nothing here
// sends, waits or draws.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;

  const notice = (text, values) => ({ effect: "notice", text, values });

  // The open conversation and what is read.

  // Returns whether the user sees the end of a conversation.
  const isShown = (state, conversation) => (
    conversation === state.current && state.focused && conversation.endShown && conversation.atEnd);

  // Keeps the ids of the direct messages that were shown.
  const rememberShown = (state, direct) => {
    const ids = direct.entries.filter(({ id, usr }) => usr !== state.me && !state.shownIds.has(id)).map(({ id }) => id);
    for (const id of ids) state.shownIds.add(id);
    return ids.length ? [{ effect: "rememberShown", ids }] : [];
  };

  // Counts all of a conversation as read, if the user sees its end.
  const read = (state, conversation) => {
    if (!isShown(state, conversation)) return [];
    conversation.readSeq = conversation.endSeq;
    conversation.unread = 0;
    conversation.mentioned = false;
    if (conversation.kind === "direct") return rememberShown(state, conversation);
    return conversation.joined ? [{ effect: "markRead", room: conversation }] : [];
  };

  // Puts the "New" divider before what is unread.
  const divide = (conversation) => {
    conversation.dividerSeq = conversation.unread ? conversation.readSeq : null;
    conversation.dividerCount = conversation.unread;
  };

  // Opens a conversation; null: none.
  const open = (state, conversation) => {
    if (conversation && conversation !== state.current) {
      divide(conversation);
      conversation.endShown = true;
    }
    state.current = conversation;
    if (!conversation) return [];
    const effects = read(state, conversation);
    if (conversation.kind !== "room") return effects;
    if (!conversation.loaded) effects.push({ effect: "loadHistory", room: conversation });
    if (!conversation.membersLoaded) effects.push({ effect: "loadMembers", room: conversation });
    return effects;
  };

  // What was written in a conversation and not confirmed is not sent any more. It becomes its draft, or, if the
  // conversation is gone, a notice.
  const keepUnsent = (conversation, gone = false) => {
    const items = [...conversation.outgoing, ...(conversation.edits?.values() ?? [])];
    if (!items.length) return [];
    conversation.outgoing = [];
    conversation.edits?.clear();
    return [{ effect: "keepUnsent", conversation, items, gone }];
  };

  const closeDirect = (state, direct) => {
    state.removeDirect(direct);
    return [...keepUnsent(direct), ...(state.current === direct ? open(state, state.lobby) : [])];
  };

  // Takes the "New" divider away.
  const hideDivider = (_state, conversation) => {
    conversation.dividerSeq = null;
    return [];
  };

  // The page gets the focus or loses it.
  const setFocused = (state, focused) => {
    state.focused = focused;
    const { current } = state;
    if (!current) return [];
    if (focused && current.unread) divide(current);
    return read(state, current);
  };

  // The view of a conversation has scrolled to its end, or away from it.
  const setEndShown = (state, conversation, shown) => {
    conversation.endShown = shown;
    return read(state, conversation);
  };

  // Rooms that the user joins or leaves.

  // Takes over `details`, the `room` of a reply.
  const updateRoom = (state, details) => {
    const room = state.rooms.get(details?.room_name);
    if (!room) return [];
    room.update(details);
    room.memberCount = details.users_total;
    details.users.forEach((name) => room.members.add(name));
    return [];
  };

  const enterRoom = (state, details) => {
    const room = state.room(details.room_name);
    room.reset(details.last_seq);
    Object.assign(room, { joined: true, membersLoaded: false, unread: 0, mentioned: false, readSeq: details.last_seq });
    updateRoom(state, details);
    return open(state, room);
  };

  const exitRoom = (state, name) => {
    const room = state.rooms.get(name);
    if (!room) return [];
    const effects = keepUnsent(room, !room.public);
    Object.assign(room, { joined: false, unread: 0, mentioned: false, membersLoaded: false, composing: null });
    room.members.clear();
    room.reset(room.lastSeq);
    if (!room.public) state.rooms.delete(name);
    return [...effects, ...(state.current === room ? open(state, state.lobby) : [])];
  };

  const deleteRoom = (state, name) => {
    const room = state.rooms.get(name);
    if (!room) return [];
    state.rooms.delete(name);
    return [
      ...(room.joined ? [notice("room_gone", { room_name: name })] : []),
      ...keepUnsent(room, true),
      ...(state.current === room ? open(state, state.lobby) : []),
    ];
  };

  // Takes over what `info`, an entry of a room list, tells of what is unread. What was read here and not reported
  // yet counts, unless the user was no member.
  const recount = (room, info) => {
    const readSeq = info.read_seq ?? info.last_seq - info.unread;
    if (room.joined) {
      room.readSeq = Math.max(room.readSeq, info.read_seq ?? 0);
      room.unread = Math.min(info.unread, Math.max(0, info.last_seq - room.readSeq));
    } else {
      Object.assign(room, { readSeq, markedSeq: readSeq, unread: info.unread });
    }
    if (!room.unread) room.mentioned = false;
    room.recount = false;
  };

  // Takes over `info`, an entry of a room list.
  const updateListed = (state, info) => {
    const known = state.rooms.has(info.room_name);
    const room = state.room(info.room_name);
    if (!known) room.lastSeq = info.last_seq;
    else if (room.joined !== info.joined || (room.recount && room.lastSeq !== info.last_seq)) room.reset(info.last_seq);
    if (!known || room.recount || (info.joined && !room.joined)) recount(room, info);
    room.update(info);
    room.memberCount = info.members;
    room.joined = info.joined;
    if (info.read_seq > room.markedSeq) {
      room.markedSeq = info.read_seq;
      room.markReadTo(info.read_seq);
    }
  };

  // Removes the rooms that a complete list does not have. joined: whether it lists the user's own only.
  const dropUnlisted = (state, names, joined) => names.flatMap((name) => {
    if (!joined) return deleteRoom(state, name);
    return state.rooms.get(name)?.joined ? exitRoom(state, name) : [];
  });

  // Looks for the user's name in messages that came while the user was away.
  const findMention = (state, room, entries) => {
    room.mentioned ||= entries.some(({ cmd, seq, usr, msg }) => (
      cmd === "c_speak" && seq > room.readSeq && usr !== state.me && !state.isBlocked(usr) && GTChat.mentions(msg, state.me)));
    return [];
  };

  GTChat.transitions = {
    notice, isShown, read, open, hideDivider, closeDirect, setFocused, setEndShown, updateRoom, enterRoom, exitRoom, deleteRoom,
    updateListed, dropUnlisted, findMention,
  };
})();
