// A fake server, a clock that tests move, and messages of the protocol.
"use strict";
(() => {
  class FakeSocket {
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
      this.timerIds = 0;
      this.unavailable = false; // whether opening a socket throws
      this.answersPings = false;
    }

    // The `environment` of a Connection.
    get environment() {
      return {
        open: (url) => {
          if (this.unavailable) throw new Error("no");
          const socket = new FakeSocket(url);
          this.sockets.push(socket);
          return socket;
        },
        setTimeout: (callback, wait) => {
          this.timers.set(++this.timerIds, { callback, at: this.time + wait });
          return this.timerIds;
        },
        clearTimeout: (timer) => { this.timers.delete(timer); },
        now: () => this.time,
        random: () => 1,
      };
    }

    get socket() { return this.sockets.at(-1); }

    // Moves the clock by `wait` milliseconds and runs the timers that are due.
    async advance(wait) {
      const end = this.time + wait;
      for (;;) {
        const due = [...this.timers].filter(([, timer]) => timer.at <= end)
          .sort((one, other) => one[1].at - other[1].at)[0];
        if (!due) break;
        this.timers.delete(due[0]);
        this.time = Math.max(this.time, due[1].at);
        due[1].callback();
        await settle();
        const last = this.socket?.sent.at(-1);
        if (this.answersPings && last?.cmd === "ping") await this.reply("ping", {}, last);
      }
      this.time = end;
    }

    accept() { this.socket.onopen(); }

    // Returns the requests of a command that were sent over the last socket.
    requests(cmd) { return this.socket.sent.filter((request) => request.cmd === cmd); }

    async push(message) {
      this.socket.onmessage({ data: JSON.stringify(message) });
      await settle();
    }

    // Answers all requests of a command that are sent within `time` milliseconds, each at once.
    async answerAll(cmd, time, fields = () => ({})) {
      const answered = new Set();
      const end = this.time + time;
      while (this.time < end) {
        for (const request of this.requests(cmd).filter((other) => !answered.has(other))) {
          answered.add(request);
          await this.reply(cmd, fields(request), request);
        }
        if (this.requests(cmd).every((request) => answered.has(request))) await this.advance(10);
      }
    }

    // Replies to a request, by default to the last one of its command.
    async reply(cmd, fields = {}, request = this.requests(cmd).at(-1)) {
      await this.push({ cmd: "c_response", status: "ok", last_cmd: cmd, tracker: request.tracker, ...fields });
    }

    async replyError(cmd, code, fields = {}) {
      await this.reply(cmd, { status: "error", code, msg: code, ...fields });
    }

    // Loses the connection.
    async drop(code = 1006, reason = "") {
      this.socket.onclose({ code, reason });
      await settle();
    }
  };

  globalThis.AT = "2026-01-01T12:00:00.000Z";

  // An entry of a room list.
  globalThis.roomInfo = (name, more = {}) => ({
    room_name: name, public: true, topic: "", owner: "", members: 1, last_seq: 0, joined: true, unread: 0, ...more,
  });

  // The `room` of a reply.
  globalThis.roomDetails = (name, more = {}) => ({
    room_name: name, public: true, topic: "", owner: "", max: 0, members: 1, last_seq: 0, users: [], users_total: 0, ...more,
  });

  globalThis.loginReply = (usr, rooms, more = {}) => ({
    session_id: "s", epoch: "e", usr, users: [usr], users_total: 1, rooms, rooms_total: rooms.length, ...more,
  });

  globalThis.resumeReply = (rooms, resumed, more = {}) => ({ ...loginReply("ann", rooms, more), resumed });

  // A message in a room, as it is pushed.
  globalThis.speak = (room, seq, usr, msg) => (
    { cmd: "c_speak", room_name: room, seq, usr, msg, id: `${room} ${seq}`, at: AT });

  // An entry of a list of direct conversations.
  globalThis.directInfo = (id, usr, more = {}) => ({ id, usr, last_seq: 0, read_seq: 0, unread: 0, at: AT, ...more });

  // A direct message: of another user, as it is pushed, or, with `to`, as it is in a log.
  globalThis.whisper = (seq, usr, msg, more = {}) => ({ cmd: "c_whisper", seq, usr, msg, id: `direct ${usr} ${seq}`, at: AT, ...more });

  // A page of a room's log, with the entries from one seq to another; there are earlier ones.
  globalThis.historyPage = (room, from, to) => ({
    more: from > 1,
    entries: Array.from({ length: to - from + 1 }, (_unused, index) => speak(room, from + index, "bob", `text ${from + index}`)),
  });

  globalThis.event = (type, fields) => ({ cmd: "c_event", type, at: AT, ...fields });

  globalThis.unreadTotal = (state) => state.joinedRooms.reduce((sum, room) => sum + room.unread, 0);

  // The state of the user ann after a login, without a connection.
  globalThis.stateAfterLogin = (rooms = [roomInfo("lobby")], more = {}) => {
    const state = new GTChat.State();
    GTChat.sync.reply(state, "login", loginReply("ann", rooms, more), { pwd: "long enough" });
    return state;
  };

  // Opens a room whose log is loaded, so that its end is shown.
  globalThis.openLoaded = (state, room) => {
    GTChat.transitions.open(state, room);
    room.addPage("latest", room.lastSeq ? historyPage(room.name, room.lastSeq, room.lastSeq) : { entries: [] });
    return GTChat.transitions.read(state, room);
  };

  // The user ann, logged in to a fake server: {server, connection, state, actions}.
  globalThis.logIn = async (rooms = [roomInfo("lobby")], more = {}) => {
    const server = new FakeServer();
    const connection = new GTChat.Connection("ws://test/", { environment: server.environment });
    const state = new GTChat.State();
    const actions = new GTChat.Actions(state, connection);
    connection.start();
    server.accept();
    const login = actions.login({ type: "reg", usr: "ann", pwd: "long enough" });
    await server.reply("login", loginReply("ann", rooms, more));
    await login;
    return { server, connection, state, actions };
  };
})();
