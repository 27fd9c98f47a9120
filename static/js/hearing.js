// What a connection tells, folded into what is known: logins, what was missed, pushes.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;

  const folded = (name) => name.toLowerCase();

  // Milliseconds after which somebody who was writing is not any more.
  const WRITES = 6000;

  GTChat.Hearing = class extends GTChat.World {
    constructor(connection) {
      super(connection);
      connection.on("login", (reply) => this.#enter(reply));
      connection.on("resumed", (reply) => this.#resumed(reply));
      connection.on("push", (push) => this.#take(push));
    }

    #enter(reply) {
      this.me = reply.usr;
      this.rooms.clear();
      this.#list(reply);
      this.place = null;
      this.look(this.rooms.get("lobby") ?? null);
    }

    #list(reply) {
      this.blocked = reply.blocked ?? this.blocked;
      for (const info of reply.rooms) this.list(info);
      this.people = new Map(reply.users.map((name) => [folded(name), name]));
      const rest = (cmd, list, total, take) => {
        this.loadRest(cmd, list, total, take).catch(() => {});
      };
      rest("get_room_list", reply.rooms.map((room) => room.room_name), reply.rooms_total,
        (page) => page.rooms.forEach((info) => this.list(info)));
      rest("get_user_list", reply.users, reply.users_total,
        (page) => page.users.forEach((name) => this.people.set(folded(name), name)));
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
      const out = this.place instanceof GTChat.Room && !this.place.joined;
      this.look(this.place && !out ? this.place : this.rooms.get("lobby") ?? null);
    }

    #take(push) {
      if (push.cmd === "c_speak" || (push.seq && push.room_name && push.type !== "marked_read")) this.#entry(push);
      else if (push.cmd === "c_whisper") this.#whispered(push);
      else if (push.cmd === "c_broadcast") this.tell("broadcast", push);
      else if (push.cmd === "c_invited") this.#invited(push);
      else if (push.cmd === "c_invite_reply") this.tell(`invite_reply_${push.msg}`, push);
      else if (push.cmd === "c_event") this.#event(push);
      this.emit("change");
    }

    #entry(entry) {
      const name = entry.room_name;
      const mine = entry.usr === this.me;
      let room = this.rooms.get(name);
      if (!room) {
        room = new GTChat.Room(name);
        room.lastSeq = entry.seq;
        this.rooms.set(name, room);
        if (entry.type !== "room_created") this.refresh();
      } else if (room.joined || mine) {
        if (!room.take(entry)) return;
      } else {
        room.lastSeq = Math.max(room.lastSeq, entry.seq);
      }
      room.typing.get(entry.usr)?.();
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
          this.refresh();
          this.tell("added", entry);
        }
      } else if (["leave_room", "kicked", "removed"].includes(type)) {
        room.members.delete(entry.usr);
        room.memberCount -= 1;
        if (mine) {
          if (type !== "leave_room") this.tell(type, entry);
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

    #whispered(push) {
      if (this.given.has(push.id)) return;
      this.given.add(push.id);
      const talk = this.talk(push.usr);
      talk.keep(push);
      this.#count(talk, push);
    }

    #invited(push) {
      const same = (other) => other.usr === push.usr && other.room_name === push.room_name;
      if (!this.invitations.some(same)) this.invitations.push(push);
    }

    // Somebody is writing in a room, for a while.
    #writes({ room_name: name, usr }) {
      const typing = this.rooms.get(name)?.typing;
      if (!typing || usr === this.me) return;
      typing.get(usr)?.();
      const cancel = this.connection.after(WRITES, () => end());
      const end = () => {
        cancel();
        typing.delete(usr);
        this.emit("change");
      };
      typing.set(usr, end);
    }

    // One has read a room elsewhere.
    #read({ room_name: name, seq }) {
      const room = this.rooms.get(name);
      if (!room) return;
      room.markedSeq = Math.max(room.markedSeq, seq);
      room.readTo(seq);
    }

    #event(event) {
      const here = (name) => this.people.set(folded(name), name);
      const away = (name) => this.people.delete(folded(name));
      switch (event.type) {
        case "login": here(event.usr); break;
        case "logout": away(event.usr); break;
        case "presence": event.logins.forEach(here); event.logouts.forEach(away); break;
        case "room_gone": this.gone(event.room_name); break;
        case "typing": this.#writes(event); break;
        case "marked_read": this.#read(event); break;
        case "address_request": this.requests.push(event.usr); break;
        case "address_granted": case "address_denied": this.tell(event.type, event); break;
        default:
      }
    }
  };
})();
