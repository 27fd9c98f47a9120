// Changes of messages: entries of a room's log that change an earlier one, which `of` names.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;

  // Names of users that a reaction lists.
  const MAX_USERS = 10;

  // Returns the reactions after one of them has changed.
  const react = (reactions, { usr, emoji, on }, me) => {
    const known = reactions.find((reaction) => reaction.emoji === emoji) ?? { emoji, count: 0, users: [], me: false };
    const others = known.users.filter((name) => name !== usr);
    const changed = {
      emoji,
      count: known.count + (on ? 1 : -1),
      users: on ? [...others, usr].slice(0, MAX_USERS) : others,
      me: usr === me ? on : known.me,
    };
    const all = reactions.includes(known) ? reactions.map((reaction) => (reaction === known ? changed : reaction)) : [...reactions, changed];
    return all.filter(({ count }) => count > 0);
  };

  // By `type`: (message, change, name of the user) => the changed message.
  const CHANGES = {
    edited: (message, { msg }) => ({ ...message, msg, edited: true }),
    // What is left of a deleted message.
    deleted: ({ cmd, room_name, to, seq, usr, id, at, guest }, { by, reason }) => (
      { cmd, room_name, to, seq, usr, id, at, guest, msg: "", deleted: { by, reason } }),
    reacted: (message, change, me) => ({ ...message, reactions: react(message.reactions ?? [], change, me) }),
    pinned: (message) => ({ ...message, pinned: true }),
    unpinned: (message) => ({ ...message, pinned: false }),
  };

  GTChat.changes = {
    // Returns whether an entry is a change of a message.
    has: (entry) => entry.cmd === "c_event" && Object.hasOwn(CHANGES, entry.type),

    // Returns the message as it is after a change, which may be in it already: `changed` is the seq of the
    // last change in it. me: the name of the user.
    apply: (message, change, me) => (change.seq <= (message.changed ?? 0) ? message
      : { ...CHANGES[change.type](message, change, me), changed: change.seq }),
  };
})();
