// What one person knows of the chat: rooms, people, talks in private, invitations.
//
// It is the fold of what a connection tells, and it reads on where somebody looks. What a person does
// stands in `chat`. Happenings: "change", "heard" (a message came: {place, usr, msg, mention}),
// "notice" (something to tell: {text, values}), "over".
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const LIST = 1000;
  // Whispers kept of a talk in private, in the page.
  const TALK = 500;

  const folded = (name) => name.toLowerCase();

  // A talk in private with one person; it is kept here alone, the server forgets what was delivered.
  GTChat.Talk = class {
    constructor(name, entries = []) {
      this.name = name;
      this.entries = entries;
      this.outgoing = [];
      this.unread = 0;
      this.readSeq = 0; // how many entries were read
      this.line = null;
    }
  };

  GTChat.World = class extends GTChat.Emitter {
    constructor(connection) {
      super();
      this.connection = connection;
      this.me = "";
      this.registered = false;
      this.rooms = new Map(); // name -> Room
      this.talks = new Map(); // folded name -> Talk
      this.people = new Map(); // folded name -> name, of those who are here
      this.invitations = []; // {room_name, usr}
      this.requests = []; // names of those who ask for one's address
      this.blocked = new Set();
      this.place = null; // what is looked at: a Room or a Talk
      this.attentive = true; // whether somebody looks at the page
      this.given = new Set(); // ids of whispers
      connection.seen = () => this.seen();
      connection.on("login", (reply) => this.#enter(reply));
      connection.on("resumed", (reply) => this.#resumed(reply));
      connection.on("push", (push) => this.#take(push));
      connection.on("over", (end) => this.emit("over", end));
      connection.on("state", () => this.emit("change"));
    }

    get joined() { return [...this.rooms.values()].filter((room) => room.joined); }
    get open() { return [...this.rooms.values()].filter((room) => !room.joined && room.public); }
    get waitingCount() {
      return [...this.joined, ...this.talks.values()].reduce((sum, place) => sum + place.unread, 0);
    }

    seen() {
      return Object.fromEntries(this.joined.map((room) => [room.name, room.lastSeq]));
    }

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

    #end(place) { return place instanceof GTChat.Room ? place.lastSeq : place.entries.length; }

    read(place) {
      if (place !== this.place || !this.attentive) return;
      place.readSeq = this.#end(place);
      place.unread = 0;
      place.mentioned = false;
    }

    // Reads a room's log on: "latest", "before" or "after" what is here.
    async load(room, direction) {
      const span = room.request(direction);
      if (!span) return;
      room.loading = direction;
      this.emit("change");
      try {
        const page = await this.connection.request("history", { room_name: room.name, ...span });
        room.place(direction, page);
        room.failed = false;
      } catch {
        room.failed = true;
      }
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

    async #loadRest(cmd, list, total, take) {
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

    // Hearing.

    #enter(reply) {
      this.me = reply.usr;
      this.rooms.clear();
      this.#list(reply);
      this.place = null;
      this.look(this.rooms.get("lobby") ?? null);
    }

    #list(reply) {
      for (const info of reply.rooms) this.#info(info);
      this.people = new Map(reply.users.map((name) => [folded(name), name]));
      const rest = (cmd, list, total, take) => {
        this.#loadRest(cmd, list, total, take).catch(() => {});
      };
      rest("get_room_list", reply.rooms.map((room) => room.room_name), reply.rooms_total,
        (page) => page.rooms.forEach((info) => this.#info(info)));
      rest("get_user_list", reply.users, reply.users_total,
        (page) => page.users.forEach((name) => this.people.set(folded(name), name)));
    }

    #info(info) {
      let room = this.rooms.get(info.room_name);
      if (!room) {
        room = new GTChat.Room(info.room_name);
        room.lastSeq = info.last_seq;
        room.unread = info.unread;
        room.readSeq = info.last_seq - info.unread;
        this.rooms.set(info.room_name, room);
      }
      room.describe(info);
      room.memberCount = info.members;
      if (room.joined !== info.joined) room.forget(info.last_seq);
      room.joined = info.joined;
    }

    // A connection came back: what was missed, room by room.
    #resumed(reply) {
      this.me = reply.usr;
      const before = new Map([...this.rooms].map(([name, room]) => [name, room.joined]));
      for (const missed of reply.resumed) {
        const room = this.rooms.get(missed.room_name);
        if (!room || !before.get(missed.room_name)) continue;
        if (missed.state === "resumed") {
          for (const entry of missed.entries) this.#entry(entry);
        } else {
          const more = Math.max(0, missed.last_seq - room.lastSeq);
          room.forget(missed.last_seq);
          room.unread += missed.state === "behind" ? more : 0;
        }
        room.membersLoaded = false;
        room.members.clear();
      }
      this.#list(reply);
      const listed = new Set(reply.rooms.map((info) => info.room_name));
      for (const name of [...this.rooms.keys()]) {
        if (!listed.has(name) && reply.rooms_total === listed.size) this.gone(name);
      }
      for (const place of [...this.rooms.values(), ...this.talks.values()]) {
        for (const item of place.outgoing) item.again = true;
      }
      this.look(this.place ?? this.rooms.get("lobby") ?? null);
    }

    #take(push) {
      if (push.cmd === "c_speak" || (push.seq && push.room_name)) this.#entry(push);
      else if (push.cmd === "c_whisper") this.#whispered(push);
      else if (push.cmd === "c_broadcast") this.#tell("broadcast", push);
      else if (push.cmd === "c_invited") this.#invited(push);
      else if (push.cmd === "c_invite_reply") this.#tell(`invite_reply_${push.msg}`, push);
      else if (push.cmd === "c_event") this.#event(push);
      this.emit("change");
    }

    #tell(text, values) { this.emit("notice", { text, values }); }

    #entry(entry) {
      const name = entry.room_name;
      const mine = entry.usr === this.me;
      let room = this.rooms.get(name);
      if (!room) {
        room = new GTChat.Room(name);
        room.lastSeq = entry.seq;
        this.rooms.set(name, room);
        if (entry.type !== "room_created") this.#refresh();
      } else if (room.joined || mine) {
        if (!room.take(entry)) return;
      } else {
        room.lastSeq = Math.max(room.lastSeq, entry.seq);
      }
      this.#apply(room, entry, mine);
      if (entry.cmd === "c_speak" && !mine) this.#count(room, entry);
      else this.read(room);
    }

    // What an entry changes in its room.
    #apply(room, entry, mine) {
      const type = entry.type;
      if (type === "room_created" || type === "room_changed") {
        room.describe(entry);
      } else if (type === "join_room") {
        room.members.add(entry.usr);
        room.memberCount += 1;
        if (mine && !room.joined) {
          room.forget(entry.seq);
          room.joined = true;
          this.#refresh();
          this.#tell("added", entry);
        }
      } else if (["leave_room", "kicked", "removed"].includes(type)) {
        room.members.delete(entry.usr);
        room.memberCount -= 1;
        if (mine) {
          if (type !== "leave_room") this.#tell(type, entry);
          this.left(room.name);
        }
      }
    }

    #count(place, message) {
      const mention = place instanceof GTChat.Talk || GTChat.mentions(message.msg, this.me);
      if (place !== this.place || !this.attentive) {
        place.unread += 1;
        place.mentioned ||= mention;
      } else {
        this.read(place);
      }
      this.emit("heard", { place, usr: message.usr, msg: message.msg, mention });
    }

    #refresh() {
      this.connection.request("get_room_list", { limit: LIST }).then((page) => {
        page.rooms.forEach((info) => this.#info(info));
        this.emit("change");
      }).catch(() => {});
    }

    #whispered(push) {
      if (this.given.has(push.id)) return;
      this.given.add(push.id);
      const talk = this.talk(push.usr);
      this.keep(talk, push);
      this.#count(talk, push);
    }

    keep(talk, entry) {
      if (talk.entries.some((other) => other.id === entry.id)) return;
      talk.entries.push({ ...entry, cmd: "c_whisper", seq: 0 });
      if (talk.entries.length > TALK) talk.entries.shift();
    }

    #invited(push) {
      const same = (other) => other.usr === push.usr && other.room_name === push.room_name;
      if (!this.invitations.some(same)) this.invitations.push(push);
    }

    #event(event) {
      const here = (name) => this.people.set(folded(name), name);
      const away = (name) => this.people.delete(folded(name));
      switch (event.type) {
        case "login": here(event.usr); break;
        case "logout": away(event.usr); break;
        case "presence": event.logins.forEach(here); event.logouts.forEach(away); break;
        case "room_gone": this.gone(event.room_name); break;
        case "address_request": this.requests.push(event.usr); break;
        case "address_granted": case "address_denied": this.#tell(event.type, event); break;
        default:
      }
    }

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
      if (room.joined) this.#tell("room_gone", { room_name: name });
      this.rooms.delete(name);
      if (this.place === room) this.look(this.rooms.get("lobby") ?? null);
    }
  };

  // Whether a text names a person: @name, or the bare name as a word.
  GTChat.mentions = (text, name) => {
    if (!name) return false;
    const quoted = name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
    return new RegExp(`(^|[^\\p{L}\\p{N}_])@?${quoted}(?![\\p{L}\\p{N}_])`, "iu").test(text);
  };
})();
