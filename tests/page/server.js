// A server that does what a test tells it, and a clock that stands until it is moved.
"use strict";
(() => {
  class Socket {
    constructor(url) {
      this.url = url;
      this.sent = [];
      this.closed = false;
    }

    send(data) { this.sent.push(JSON.parse(data)); }
    close() { this.closed = true; }
  }

  globalThis.FakeServer = class {
    constructor() {
      this.sockets = [];
      this.time = 0;
      this.timers = new Map();
      this.numbers = 0;
      this.refuse = false; // whether sockets can't even be made
    }

    // What a Connection needs of the outside.
    get outside() {
      return {
        open: (url) => {
          if (this.refuse) throw new Error("no");
          const socket = new Socket(url);
          this.sockets.push(socket);
          return socket;
        },
        setTimeout: (call, wait) => {
          this.timers.set(++this.numbers, { call, at: this.time + wait });
          return this.numbers;
        },
        clearTimeout: (timer) => { this.timers.delete(timer); },
        now: () => this.time,
        random: () => 1,
      };
    }

    get socket() { return this.sockets.at(-1); }

    // Lets time pass, in milliseconds.
    async pass(wait) {
      const end = this.time + wait;
      for (;;) {
        const due = [...this.timers].filter(([, timer]) => timer.at <= end)
          .sort((one, other) => one[1].at - other[1].at)[0];
        if (!due) break;
        this.timers.delete(due[0]);
        this.time = Math.max(this.time, due[1].at);
        due[1].call();
        await soon();
      }
      this.time = end;
    }

    accept() { this.socket.onopen(); }

    // The requests of a command that have come over the last socket.
    asked(cmd) { return this.socket.sent.filter((request) => request.cmd === cmd); }

    async say(message) {
      this.socket.onmessage({ data: JSON.stringify(message) });
      await soon();
    }

    // Answers a request, the last one of its command if none is given.
    async answer(cmd, fields = {}, request = this.asked(cmd).at(-1)) {
      await this.say({ cmd: "c_response", status: "ok", last_cmd: cmd, tracker: request.tracker, ...fields });
    }

    async refuseIt(cmd, code, fields = {}) {
      await this.answer(cmd, { status: "error", code, msg: code, ...fields });
    }

    async lose(code = 1006) {
      this.socket.onclose({ code, reason: "" });
      await soon();
    }
  };

  // A room as lists tell it.
  globalThis.roomInfo = (name, more = {}) => ({
    room_name: name, public: true, topic: "", owner: "", members: 1, last_seq: 0, joined: true, unread: 0, ...more,
  });

  // What the server says to somebody who comes in.
  globalThis.loginReply = (usr, rooms, more = {}) => ({
    session_id: "s", epoch: "e", usr, users: [usr], users_total: 1, rooms, rooms_total: rooms.length, ...more,
  });

  globalThis.spoken = (room, seq, usr, msg) => ({
    cmd: "c_speak", room_name: room, seq, usr, msg, id: `${room} ${seq}`, at: "2026-01-01T12:00:00.000Z",
  });

  // Somebody who is logged in: {server, connection, chat}.
  globalThis.inside = async (rooms = [roomInfo("lobby")], usr = "ann") => {
    const server = new FakeServer();
    const connection = new GTChat.Connection("ws://test/", { outside: server.outside });
    const chat = new GTChat.Chat(connection);
    connection.start();
    server.accept();
    const login = chat.login({ type: "reg", usr, pwd: "long enough" });
    await server.answer("login", loginReply(usr, rooms));
    await login;
    return { server, connection, chat };
  };
})();
