// What one person knows of the chat: rooms, people, talks in private, invitations; and where somebody
// looks.
//
// How it follows from what a connection tells stands in `hearing`, what a person does in `chat`.
// Happenings: "change", "heard" (a message came: {place, usr, msg, mention}), "notice" (something to
// tell: {text, values}), "over".
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  // Names in a page of a list.
  const LIST = 1000;
  // Milliseconds between two times that what was read of a room is told.
  const MARK_AGAIN = 1000;

  const folded = (name) => name.toLowerCase();

  GTChat.World = class extends GTChat.Emitter {
    constructor(connection) {
      super();
      this.connection = connection;
      this.me = "";
      this.hasPassword = false;
      this.rooms = new Map(); // name -> Room
      this.talks = new Map(); // folded name -> Talk
      this.people = new Map(); // folded name -> name, of those who are here
      this.invitations = []; // {room_name, usr}
      this.requests = []; // names of those who ask for one's address
      this.blocked = []; // names of those whom one does not want to hear
      this.port = 0; // where a program of one's own listens for peers
      this.place = null; // what is looked at: a Room or a Talk
      this.attentive = true; // whether somebody looks at the page
      this.given = new Set(); // ids of whispers
      connection.seen = () => this.seen();
      connection.on("over", (end) => this.emit("over", end));
      connection.on("state", () => this.emit("change"));
    }

    // Rooms and then talks, as they stand in a list: the lobby first, then by name.
    get places() {
      const order = (a, b) => (b.name === "lobby") - (a.name === "lobby") || GTChat.inOrder(a.name, b.name);
      return [...this.joined.sort(order), ...this.talks.values()];
    }

    get joined() { return [...this.rooms.values()].filter((room) => room.joined); }
    get open() { return [...this.rooms.values()].filter((room) => !room.joined && room.public); }

    seen() {
      return Object.fromEntries(this.joined.map((room) => [room.name, room.lastSeq]));
    }

    isBlocked(name) { return this.blocked.some((other) => folded(other) === folded(name)); }

    isHere(name) { return this.people.has(folded(name)); }

    // Looking.

    look(place) {
      if (this.place !== place && place) place.line = place.unread ? place.readSeq : null;
      this.place = place;
      if (place) this.read(place);
      if (place instanceof GTChat.Room) {
        if (!place.started) this.load(place, "latest");
        if (!place.membersLoaded) this.loadMembers(place);
      }
      this.emit("change");
    }

    attend(attentive) {
      this.attentive = attentive;
      const place = this.place;
      if (!place) return;
      if (attentive && place.unread) place.line = place.readSeq;
      this.read(place);
      this.emit("change");
    }

    talk(name) {
      const key = folded(name);
      if (!this.talks.has(key)) this.talks.set(key, new GTChat.Talk(this.people.get(key) ?? name));
      return this.talks.get(key);
    }

    closeTalk(talk) {
      this.talks.delete(folded(talk.name));
      if (this.place === talk) this.look(this.rooms.get("lobby") ?? null);
      this.emit("change");
    }

    // What is looked at counts as read.
    read(place) {
      if (place !== this.place || !this.attentive) return;
      place.readSeq = place.end;
      place.unread = 0;
      place.mentioned = false;
      if (place instanceof GTChat.Room && place.joined) this.#mark(place);
    }

    // Tells the server what was read, for one's other devices; not for each message anew.
    async #mark(room) {
      if (room.marking || room.readSeq <= room.markedSeq || !this.connection.session) return;
      room.marking = true;
      await this.#tellRead(room);
      this.connection.after(MARK_AGAIN, () => {
        room.marking = false;
        if (room.joined && room.readSeq > room.markedSeq) this.#mark(room);
      });
    }

    async #tellRead(room) {
      const seq = room.markedSeq = room.readSeq;
      await this.connection.request("mark_read", { room_name: room.name, seq }).catch(() => {});
    }

    // Tells at once what was read and is not told yet, of somebody who goes.
    tellRead() {
      for (const room of this.joined) if (room.readSeq > room.markedSeq) this.#tellRead(room);
    }

    // Reads a room's log on: "latest", "before" or "after" what is here, or "around" a seq.
    async load(room, direction, seq) {
      const span = room.request(direction, seq);
      if (!span) return;
      const { stretch } = room;
      room.loading = direction;
      this.emit("change");
      const page = await this.connection.request("history", { room_name: room.name, ...span }).catch(() => null);
      if (room.stretch !== stretch) return;
      if (page) room.place(direction, page);
      room.failed = !page;
      room.loading = null;
      this.emit("change");
    }

    async loadMembers(room) {
      room.membersLoaded = true;
      try {
        let after;
        do {
          const page = await this.connection.request("get_room_user_list",
            { room_name: room.name, limit: LIST, ...(after === undefined ? {} : { after }) });
          for (const name of page.users) room.members.add(name);
          for (const name of page.online) this.people.set(folded(name), name);
          room.memberCount = page.users_total;
          after = page.users.length === LIST ? page.users.at(-1) : undefined;
        } while (after !== undefined);
      } catch {
        room.membersLoaded = false;
      }
      this.emit("change");
    }

    // The pages of a list behind the one that is here. list: names; take: does with a page.
    async loadRest(cmd, list, total, take) {
      let after = list.at(-1);
      let count = list.length;
      while (count < total && after !== undefined) {
        const page = await this.connection.request(cmd, { after, limit: LIST });
        const items = page.rooms?.map((room) => room.room_name) ?? page.users;
        take(page);
        count += items.length;
        after = items.at(-1);
      }
      this.emit("change");
    }

    // Asks for the rooms anew.
    async refresh() {
      try {
        const page = await this.connection.request("get_room_list", { limit: LIST });
        page.rooms.forEach((info) => this.list(info));
        this.emit("change");
      } catch { /* the next login or resume brings them */ }
    }

    // What a list says of a room.
    list(info) {
      let room = this.rooms.get(info.room_name);
      if (!room) {
        room = new GTChat.Room(info.room_name);
        room.lastSeq = info.last_seq;
        room.unread = info.unread;
        room.readSeq = room.markedSeq = info.read_seq ?? info.last_seq - info.unread;
        this.rooms.set(info.room_name, room);
      }
      room.describe(info);
      room.memberCount = info.members;
      if (room.joined !== info.joined) room.forget(info.last_seq);
      room.joined = info.joined;
      if (info.read_seq > room.markedSeq) {
        room.markedSeq = info.read_seq;
        room.readTo(info.read_seq);
      }
    }

    tell(text, values) { this.emit("notice", { text, values }); }

    // Rooms that one comes into, and that one is out of.

    entered(details) {
      const room = this.rooms.get(details.room_name) ?? new GTChat.Room(details.room_name);
      this.rooms.set(details.room_name, room);
      room.forget(details.last_seq);
      Object.assign(room, { joined: true, membersLoaded: false, unread: 0, readSeq: details.last_seq });
      this.describe(details);
      this.look(room);
      return room;
    }

    describe(details) {
      const room = this.rooms.get(details.room_name);
      if (!room) return;
      room.describe(details);
      room.memberCount = details.users_total;
      details.users.forEach((name) => room.members.add(name));
    }

    left(name) {
      const room = this.rooms.get(name);
      if (!room) return;
      Object.assign(room, { joined: false, unread: 0, membersLoaded: false, outgoing: [] });
      room.members.clear();
      room.forget(room.lastSeq);
      if (!room.public) this.rooms.delete(name);
      if (this.place === room) this.look(this.rooms.get("lobby") ?? null);
    }

    gone(name) {
      const room = this.rooms.get(name);
      if (!room) return;
      if (room.joined) this.tell("room_gone", { room_name: name });
      this.rooms.delete(name);
      if (this.place === room) this.look(this.rooms.get("lobby") ?? null);
    }
  };
})();
