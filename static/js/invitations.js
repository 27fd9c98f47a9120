// The invitations of the user that are open, and those to be answered later.
//
// Each function changes the state. An invitation is {usr, room_name}: the inviter and the room; those of
// the server have the time `at` as well.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;

  const isSame = (one, other) => one.usr === other.usr && one.room_name === other.room_name;

  const without = (list, invitation) => list.filter((other) => !isSame(other, invitation));

  // One has come, perhaps not for the first time.
  const add = (state, { room_name, usr, at }) => {
    const invitation = { room_name, usr, at };
    state.postponed = without(state.postponed, invitation);
    if (!state.invitations.some((other) => isSame(other, invitation))) state.invitations.push(invitation);
  };

  // Takes over all that are open, except those that the user wants to answer later.
  const replace = (state, invitations) => {
    state.invitations = invitations.filter((one) => !state.postponed.some((other) => isSame(one, other)));
  };

  // One has been answered, here or in another session, or is no longer good.
  const end = (state, invitation) => {
    state.invitations = without(state.invitations, invitation);
    state.postponed = without(state.postponed, invitation);
  };

  // Keeps those for which `stays` is true.
  const keep = (state, stays) => {
    state.invitations = state.invitations.filter(stays);
    state.postponed = state.postponed.filter(stays);
  };

  // The user is a member of a room, or it is gone.
  const endRoom = (state, name) => keep(state, ({ room_name: room }) => room !== name);

  // The user wants to answer one later.
  const postpone = (state, invitation) => {
    end(state, invitation);
    state.postponed.push(invitation);
  };

  GTChat.invitations = { add, replace, end, keep, endRoom, postpone };
})();
