// What the page knows: rooms, direct chats, users online, invitations, and the open conversation.
//
// Data and queries only. What pushes and replies change in it is in sync.js, what the user does in
// actions.js. A conversation is a Room or a DirectChat.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;

  // User names are compared without regard to case.
  const fold = (name) => name.toLowerCase();

  // The fields of an unconfirmed message that are saved; it is sent again with the same txn.
  const saveOutgoing = (outgoing) => outgoing.map(({ txn, msg, at, after, state, reply, style }) => (
    { txn, msg, at, after, state, reply, style }));

  const saveEdits = (edits) => [...edits.values()].map(({ of, txn, msg, state }) => ({ of, txn, msg, state }));

  const loadOutgoing = (outgoing) => outgoing.map((item) => ({
    ...item, resent: true, ...(item.state === "failed" ? { error: { code: "unanswered" } } : {}),
  }));

  GTChat.State = class {
    constructor() {
      this.me = ""; // name of the user; "" before a login
      this.hasPassword = false;
      this.rooms = new Map(); // name -> Room
      this.directs = new Map(); // folded name -> DirectChat
      this.online = new Map(); // folded name -> name
      this.invitations = []; // {room_name, usr, at}, until they are answered
      this.postponed = []; // the same, of those that the user wants to answer later
      this.addressRequests = []; // names of users who ask for the user's address
      this.blocked = []; // names of users whose messages are hidden
      this.listenPort = 0; // where another client of the user listens for peers; 0: unknown
      this.current = null; // the open conversation
      this.focused = true; // whether the page is visible and has the focus
      this.messageIds = new Set(); // ids of received direct messages
      this.shownIds = new Set(); // ids of direct messages that were shown, also in earlier sessions
    }

    get joinedRooms() { return [...this.rooms.values()].filter((room) => room.joined); }
    get joinableRooms() { return [...this.rooms.values()].filter((room) => !room.joined && room.public); }
    get lobby() { return this.rooms.get("lobby") ?? null; }

    // Conversations in the order of the sidebar: the lobby, other rooms by name, direct chats.
    get conversations() {
      const order = (a, b) => (b.name === "lobby") - (a.name === "lobby") || GTChat.inOrder(a.name, b.name);
      return [...this.joinedRooms.sort(order), ...this.directs.values()];
    }

    // The last seq received of each room, as `resume` needs it: {room name: seq}.
    get lastSeqs() {
      return Object.fromEntries(this.joinedRooms.map((room) => [room.name, room.lastSeq]));
    }

    isBlocked(name) { return this.blocked.some((other) => fold(other) === fold(name)); }

    // Whether messages wait that the server has not confirmed.
    get hasUnsent() { return this.conversations.some(({ outgoing }) => outgoing.length > 0); }

    isOnline(name) { return this.online.has(fold(name)); }
    setOnline(name) { this.online.set(fold(name), name); }
    setOffline(name) { this.online.delete(fold(name)); }

    // Returns the room of that name; it is created if it is unknown.
    room(name) {
      if (!this.rooms.has(name)) this.rooms.set(name, new GTChat.Room(name));
      return this.rooms.get(name);
    }

    // Returns the direct chat with a user; it is created if there is none.
    direct(name) {
      const key = fold(name);
      if (!this.directs.has(key)) this.directs.set(key, new GTChat.DirectChat(this.online.get(key) ?? name));
      return this.directs.get(key);
    }

    // Returns the direct chat with a user, or undefined.
    findDirect(name) { return this.directs.get(fold(name)); }

    removeDirect(direct) { this.directs.delete(fold(direct.name)); }

    // Returns what a reload of the page must not lose, as JSON data.
    snapshot() {
      const { current } = this;
      return {
        hasPassword: this.hasPassword,
        current: current && { kind: current.kind, name: current.name },
        invitations: this.invitations,
        postponed: this.postponed,
        directs: [...this.directs.values()].map(({ name, entries, outgoing, unread, mentioned, readSeq }) => (
          { name, entries, unread, mentioned, readSeq, outgoing: saveOutgoing(outgoing) })),
        rooms: this.joinedRooms.map((room) => ({
          name: room.name, lastSeq: room.lastSeq, readSeq: room.readSeq, markedSeq: room.markedSeq, unread: room.unread,
          mentioned: room.mentioned, outgoing: saveOutgoing(room.outgoing), edits: saveEdits(room.edits) })),
      };
    }

    // Takes over a snapshot, without its open conversation. The reply to `resume` tells what has
    // happened since.
    restore({ hasPassword, invitations = [], postponed = [], directs = [], rooms = [] }) {
      Object.assign(this, { hasPassword, invitations, postponed });
      for (const { name, outgoing, ...known } of directs) {
        Object.assign(this.direct(name), known, { outgoing: loadOutgoing(outgoing) });
        for (const entry of known.entries) this.messageIds.add(entry.id);
      }
      for (const { outgoing, edits = [], ...known } of rooms) {
        Object.assign(this.room(known.name), known, { joined: true, outgoing: loadOutgoing(outgoing),
          edits: new Map(loadOutgoing(edits).map((item) => [item.of, item])) });
      }
    }
  };
})();
