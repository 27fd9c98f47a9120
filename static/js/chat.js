// What a person does: every click and every line that is written ends here.
//
// What is asked of the server is a promise that fails with a Refusal or Unanswered.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const randomText = () => {
    const bytes = crypto.getRandomValues(new Uint8Array(12));
    return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  };

  // Milliseconds between two signs that one writes.
  const TYPING_EVERY = 3200;

  // A random UUID (version 4, RFC 9562); the browser's own way is not there for pages without TLS.
  GTChat.randomKey = () => {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    const digits = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
    return digits.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
  };

  GTChat.Chat = class extends GTChat.Hearing {
    async login(fields) {
      const reply = await this.connection.request("login", fields);
      this.hasPassword = fields.pwd !== undefined;
      return reply;
    }

    register(fields) { return this.connection.request("register", fields); }

    async logout() {
      this.tellRead();
      await this.connection.request("logout").catch(() => {});
      this.emit("over", { code: "logout" });
    }

    async create(fields) {
      const { room } = await this.connection.request("create_room", fields);
      return this.entered(room);
    }

    async join(name) {
      const { room } = await this.connection.request("join_room", { room_name: name });
      return this.entered(room);
    }

    async leave(name) {
      await this.connection.request("leave_room", { room_name: name });
      this.left(name);
      this.emit("change");
    }

    async answer(invitation, reply) {
      const { usr, room_name } = invitation;
      const answered = await this.connection.request("invite_reply", { inviter: usr, room_name, reply });
      this.invitations = this.invitations.filter((other) => other !== invitation);
      const room = answered.room && this.entered(answered.room);
      this.emit("change");
      return room;
    }

    // Any other command that concerns a room's settings or members.
    async order(cmd, fields) {
      const reply = await this.connection.request(cmd, fields);
      if (reply.room) this.describe(reply.room);
      this.blocked = reply.blocked ?? this.blocked;
      if (cmd === "delete_room") this.gone(fields.room_name);
      this.emit("change");
      return reply;
    }

    // Says where a program of one's own listens for peers: a browser can't.
    async listenAt(port) {
      if (!(port >= 1024 && port <= 65_535)) throw Object.assign(new Error(), { code: "bad_port", field: "port" });
      await this.order("set_address", { port });
      this.port = port;
    }

    // Answers somebody who asks for one's address.
    async answerRequest(usr, cmd) {
      await this.order(cmd, { user: usr });
      this.requests = this.requests.filter((name) => name !== usr);
      this.emit("change");
    }

    // Says something in a place. It shows at once; `again` sends what failed.
    say(place, text) {
      const item = {
        txn: randomText(), msg: text.normalize("NFC"), after: place.lastSeq ?? 0,
        at: new Date().toISOString(), state: "sending", again: false,
      };
      place.outgoing.push(item);
      this.emit("change");
      return this.#send(place, item);
    }

    // Tells the room that one writes, now and then.
    typing(place) {
      const { connection } = this;
      if (!(place instanceof GTChat.Room) || !place.joined || connection.state !== "up") return;
      if (connection.now < (place.typingAgain ?? 0)) return;
      place.typingAgain = connection.now + TYPING_EVERY;
      connection.request("typing", { room_name: place.name }).catch(() => {});
    }

    // Takes up what was not confirmed before the page was loaded again. items: {txn, msg, at, after, state}.
    takeUp(place, items) {
      for (const known of items) {
        const item = { ...known, again: true };
        if (item.state === "failed") item.error = new GTChat.Unanswered();
        place.outgoing.push(item);
        if (item.state === "sending") this.#send(place, item);
      }
      this.emit("change");
    }

    again(place, item) {
      Object.assign(item, { state: "sending", again: true, error: undefined });
      this.emit("change");
      return this.#send(place, item);
    }

    discard(place, item) {
      place.outgoing = place.outgoing.filter((other) => other !== item);
      this.emit("change");
    }

    async #send(place, item) {
      const { msg, txn } = item;
      const whisper = place instanceof GTChat.Talk;
      try {
        const reply = whisper
          ? await this.connection.request("whisper", { target_user: place.name, msg, txn })
          : await this.connection.request("speak", { room_name: place.name, msg, txn });
        place.outgoing = place.outgoing.filter((other) => other !== item);
        const entry = { usr: this.me, msg, id: reply.id, at: reply.at };
        if (whisper) {
          place.keep({ ...entry, stored: reply.delivered === "stored" });
        } else {
          place.take({ ...entry, cmd: "c_speak", room_name: place.name, seq: reply.seq });
          this.read(place);
        }
      } catch (error) {
        Object.assign(item, { state: "failed", error });
      }
      this.emit("change");
    }

  };

})();
