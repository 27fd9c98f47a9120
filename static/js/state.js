// What the page knows: rooms, direct conversations, users online, invitations, and the open conversation.
//
// Data and queries only. What pushes and replies change in it is in sync.js, what the user does in
// actions.js. A conversation is a Room or a Direct.
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

  const saveLog = (room) => {
    const { name, lastSeq, readSeq, markedSeq, confirmedSeq, held, unread, mentions, outgoing, edits } = room;
    return { name, lastSeq, readSeq, markedSeq, confirmedSeq, held, unread, mentions,
      outgoing: saveOutgoing(outgoing), edits: saveEdits(edits) };
  };

  const loadLog = (room, { outgoing = [], edits = [], ...known }) => Object.assign(room, known, {
    outgoing: loadOutgoing(outgoing), edits: new Map(loadOutgoing(edits).map((item) => [item.of, item])) });

  GTChat.State = class {
    constructor() {
      this.me = ""; // name of the user; "" before a login
      this.hasPassword = false;
      this.operator = false; // whether the account can administer the server
      this.rooms = new Map(); // name -> Room
      this.directs = []; // Direct
      this.online = new Map(); // folded name -> name
      this.mentions = new GTChat.MentionList();
      this.invitations = []; // {room_name, usr, at}, until they are answered
      this.postponed = []; // the same, of those that the user wants to answer later
      this.addressRequests = []; // names of users who ask for the user's address
      this.blocked = []; // names of users whose messages are hidden
      this.listenPort = 0; // where another client of the user listens for peers; 0: unknown
      this.current = null; // the open conversation
      this.focused = true; // whether the page is visible and has the focus
    }

    get joinedRooms() { return [...this.rooms.values()].filter((room) => room.joined); }
    get joinableRooms() { return [...this.rooms.values()].filter((room) => !room.joined && room.public); }
    get lobby() { return this.rooms.get("lobby") ?? null; }

    // Direct conversations that are not closed, the newest first; one without a message is about to have one.
    get openDirects() {
      const order = (a, b) => (b.at === null) - (a.at === null) || (a.at < b.at ? 1 : a.at > b.at ? -1 : 0);
      return this.directs.filter(({ closed }) => !closed).sort(order);
    }

    // Conversations in the order of the sidebar: the lobby, other rooms by name, direct conversations.
    get conversations() {
      const order = (a, b) => (b.name === "lobby") - (a.name === "lobby") || GTChat.inOrder(a.name, b.name);
      return [...this.joinedRooms.sort(order), ...this.openDirects];
    }

    // What was received, as `resume` needs it. Of direct conversations whose log is not loaded its list tells enough.
    get seen() {
      const directs = this.directs.filter(({ id, loaded }) => id !== null && loaded);
      return {
        seen: Object.fromEntries(this.joinedRooms.map(({ name, lastSeq }) => [name, lastSeq])),
        seen_directs: Object.fromEntries(directs.map(({ id, lastSeq }) => [id, lastSeq])),
      };
    }

    isBlocked(name) { return this.blocked.some((other) => fold(other) === fold(name)); }

    // Whether messages wait that the server has not confirmed.
    get hasUnsent() { return this.conversations.some(({ outgoing }) => outgoing.length > 0); }

    // Names of the users that the page has met: those who are online, members of the user's rooms, and those of direct
    // conversations, whether they are online or not.
    get people() {
      const members = [...this.rooms.values()].flatMap((room) => [...room.members]);
      const others = this.directs.filter(({ ended }) => !ended).map(({ name }) => name);
      const names = new Map([...members, ...others].map((name) => [fold(name), name]));
      return [...new Map([...names, ...this.online]).values()];
    }

    isOnline(name) { return this.online.has(fold(name)); }
    setOnline(name) { this.online.set(fold(name), name); }
    setOffline(name) { this.online.delete(fold(name)); }

    // Returns the room of that name; it is created if it is unknown.
    room(name) {
      if (!this.rooms.has(name)) this.rooms.set(name, new GTChat.Room(name));
      return this.rooms.get(name);
    }

    // Returns the direct conversation with the user who has a name; it is created if it is unknown.
    direct(name) {
      const known = this.findDirect(name);
      if (!known) this.directs.push(new GTChat.Direct(this.online.get(fold(name)) ?? name));
      return known ?? this.directs.at(-1);
    }

    // Returns the direct conversation with the user who has a name, or undefined. Those with accounts that have
    // ended are found by their ids only.
    findDirect(name) { return this.directs.find((direct) => !direct.ended && fold(direct.name) === fold(name)); }

    directById(id) { return this.directs.find((direct) => direct.id === id); }

    removeDirect(direct) { this.directs = this.directs.filter((other) => other !== direct); }

    // Returns the conversation that the fields of a request, a reply or a push name, or undefined.
    conversation({ room_name: name, direct: id, target_user: usr }) {
      return name !== undefined ? this.rooms.get(name) : id !== undefined ? this.directById(id) : this.findDirect(usr);
    }

    // Returns the conversation of a message that mentions the user, or undefined. Of direct ones with accounts of the same
    // name it is one that has the entry.
    conversationOf({ cmd, room_name: name, usr, seq }) {
      if (cmd !== "c_whisper") return this.rooms.get(name);
      const has = (direct) => fold(direct.name) === fold(usr) && direct.lastSeq >= seq;
      return this.directs.find((direct) => !direct.ended && has(direct)) ?? this.directs.find(has);
    }

    // Unread messages that mention the user, without those of muted conversations.
    get unreadMentions() {
      return this.conversations.reduce((sum, { level, mentions }) => sum + (level === "none" ? 0 : mentions), 0);
    }

    // Returns what a reload of the page must not lose, as JSON data.
    snapshot() {
      const { current } = this;
      return {
        hasPassword: this.hasPassword,
        current: current && { kind: current.kind, name: current.name, id: current.id },
        invitations: this.invitations,
        postponed: this.postponed,
        directs: this.directs.map((direct) => ({
          ...saveLog(direct), id: direct.id, at: direct.at, guest: direct.guest, ended: direct.ended, closed: direct.closed })),
        rooms: this.joinedRooms.map(saveLog),
      };
    }

    // Takes over a snapshot, without its open conversation. The reply to `resume` tells what has
    // happened since.
    restore({ hasPassword, invitations = [], postponed = [], directs = [], rooms = [] }) {
      Object.assign(this, { hasPassword, invitations, postponed });
      for (const saved of directs) loadLog(this.#restoredDirect(saved), saved);
      for (const saved of rooms) loadLog(this.room(saved.name), { ...saved, joined: true });
    }

    // Earlier versions kept the messages here, and no ids: what the server has of them counts.
    #restoredDirect(saved) {
      if (saved.id === undefined) for (const key of ["entries", "readSeq", "unread"]) delete saved[key];
      const direct = new GTChat.Direct(saved.name);
      this.directs.push(direct);
      return direct;
    }
  };
})();
