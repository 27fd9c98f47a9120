// Changes of the state that more than one push, reply or action causes: opening a conversation, reading
// it, entering and leaving rooms.
//
// Each function returns effects, the things that remain to be done; sync.js lists them. Nothing here
// sends, waits or draws.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;

  const { invitations, readMarks } = GTChat;
  const { divide, readAll } = readMarks;

  const notice = (text, values) => ({ effect: "notice", text, values });

  // The open conversation and what is read.

  // Returns whether the user sees the end of a conversation, and so reads it. target: what is about to be shown instead.
  const isShown = (state, conversation) => {
    const { endShown, atEnd, held, target } = conversation;
    return conversation === state.current && state.focused && endShown && atEnd && !held && !target;
  };

  // Counts all of a conversation as read, if the user sees its end.
  const read = (state, conversation) => {
    if (!isShown(state, conversation)) return [];
    readAll(conversation);
    return conversation.joined ? [{ effect: "markRead", room: conversation }] : [];
  };

  // Opens a conversation; null: none. A reload of the page is no return to what was marked as unread.
  const open = (state, conversation) => {
    if (conversation && conversation !== state.current) {
      if (state.current) conversation.held = false;
      divide(conversation);
      conversation.endShown = true;
      conversation.closed = false;
    }
    state.current = conversation;
    if (!conversation) return [];
    const effects = read(state, conversation);
    if (!conversation.loaded) effects.push({ effect: "loadHistory", room: conversation });
    if (!conversation.membersLoaded) effects.push({ effect: "loadMembers", room: conversation });
    return effects;
  };

  // What was written in a conversation and not confirmed is not sent any more. It becomes its draft, or, if the
  // conversation is gone, a notice.
  const keepUnsent = (conversation, gone = false) => {
    const items = [...conversation.outgoing, ...conversation.edits.values()];
    if (!items.length) return [];
    conversation.outgoing = [];
    conversation.edits.clear();
    return [{ effect: "keepUnsent", conversation, items, gone }];
  };

  // Hides a direct conversation until its next message.
  const closeDirect = (state, direct) => {
    direct.closed = true;
    if (direct.id === null) state.removeDirect(direct); // it has not begun
    return [...keepUnsent(direct), ...(state.current === direct ? open(state, state.lobby) : [])];
  };

  // Removes a direct conversation that the server does not have.
  const removeDirect = (state, direct) => {
    state.removeDirect(direct);
    return closeDirect(state, direct);
  };

  // Takes the "New" divider away; what was marked as unread is read.
  const hideDivider = (state, conversation) => {
    Object.assign(conversation, { dividerSeq: null, held: false });
    return read(state, conversation);
  };

  // Marks conversations as read to their ends, whether they were shown or not.
  const readWhole = (_state, conversations) => conversations.map((conversation) => {
    readAll(conversation);
    return { effect: "markRead", room: conversation };
  });

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

  // Takes over the roles that a reply has.
  const takeRoles = (room, { roles = {} }) => Object.entries(roles).forEach(([name, role]) => room.roles.set(name, role));

  // Takes over `details`, the `room` of a reply.
  const updateRoom = (state, details) => {
    const room = state.rooms.get(details?.room_name);
    if (!room) return [];
    room.update(details);
    room.memberCount = details.users_total;
    room.mutedUntil = details.muted_until;
    details.users.forEach((name) => room.members.add(name));
    takeRoles(room, details);
    return [];
  };

  const enterRoom = (state, details) => {
    const room = state.room(details.room_name);
    room.reset(details.last_seq);
    Object.assign(room, { joined: true, membersLoaded: false, level: "all" });
    readAll(room);
    invitations.endRoom(state, room.name);
    updateRoom(state, details);
    return open(state, room);
  };

  const exitRoom = (state, name) => {
    const room = state.rooms.get(name);
    if (!room) return [];
    const effects = keepUnsent(room, !room.public);
    Object.assign(room, { joined: false, composing: null, markedSeq: 0, confirmedSeq: 0 });
    room.forgetMembers();
    room.reset(room.lastSeq);
    readAll(room);
    state.mentions.leave(name);
    if (!room.public) state.rooms.delete(name);
    return [...effects, ...(state.current === room ? open(state, state.lobby) : [])];
  };

  const deleteRoom = (state, name) => {
    const room = state.rooms.get(name);
    invitations.endRoom(state, name);
    state.mentions.leave(name);
    if (!room) return [];
    state.rooms.delete(name);
    return [
      ...(room.joined ? [notice("room_gone", { room_name: name })] : []),
      ...keepUnsent(room, true),
      ...(state.current === room ? open(state, state.lobby) : []),
    ];
  };

  // Takes over `info`, an entry of a room list.
  const updateListed = (state, info) => {
    const known = state.rooms.has(info.room_name);
    const room = state.room(info.room_name);
    if (!known) room.lastSeq = info.last_seq;
    else if (room.joined !== info.joined || (room.recount && room.lastSeq !== info.last_seq)) room.reset(info.last_seq);
    if (!known || (info.joined && !room.joined)) readMarks.begin(room, info);
    else if (info.joined) readMarks.follow(state, room, info);
    room.update(info);
    Object.assign(room, { memberCount: info.members, joined: info.joined, level: info.notify ?? "all", mutedUntil: info.muted_until });
    if (info.role) room.roles.set(state.me, info.role);
  };

  // Returns the direct conversation that `info`, an entry of a list of them, is about. It is new if its id is.
  const listedDirect = (state, info) => {
    const known = state.directById(info.id);
    if (known) return known;
    const named = info.ended ? undefined : state.findDirect(info.usr);
    if (named?.id === null) return named;
    if (named) named.ended = true; // the name belongs to another account now
    const direct = new GTChat.Direct(info.usr);
    state.directs.push(direct);
    return direct;
  };

  // Takes over `info`, an entry of a list of direct conversations. What is pushed is newer than a list, except where
  // the log is not followed yet.
  const updateDirect = (state, info) => {
    const direct = listedDirect(state, info);
    const isNew = direct.id === null;
    const { id, usr: name, guest = false, ended = false, last_seq: lastSeq, at } = info;
    if (isNew) direct.lastSeq = Math.max(direct.lastSeq, lastSeq);
    else if (direct.recount && direct.lastSeq !== lastSeq) direct.reset(lastSeq);
    direct.recount ||= isNew;
    const counted = direct.recount;
    readMarks.follow(state, direct, info);
    if (counted && direct.unread) direct.closed = false;
    Object.assign(direct, { id, name, guest, ended, at: direct.at > at ? direct.at : at, level: info.notify ?? "all" });
  };

  // Removes the rooms that a complete list does not have. joined: whether it lists the user's own only.
  const dropUnlisted = (state, names, joined) => names.flatMap((name) => {
    if (!joined) return deleteRoom(state, name);
    return state.rooms.get(name)?.joined ? exitRoom(state, name) : [];
  });

  GTChat.transitions = {
    notice, isShown, read, open, hideDivider, readWhole, closeDirect, removeDirect, setFocused, setEndShown, takeRoles, updateRoom, enterRoom, exitRoom, deleteRoom,
    updateListed, updateDirect, dropUnlisted,
  };
})();
