// A connection that comes back by itself: backoff, resume, and nothing said twice.
//
// It knows no page. What it needs of the outside (sockets, timers, chance) can be handed in, so that
// it runs under Node as well. What a session has seen is asked of `seen` when a resume needs it.
//
// Happenings: "state" (it changed), "push" (an object of the server), "login" (the reply to a
// login), "resumed" (the reply to a resume, before anything that follows it), "over" (the session
// can't be taken up again; why).
"use strict";
(() => {
  const GTChat = globalThis.GTChat;

  // Close codes after which to stay away.
  const STAY_AWAY = new Set([4001, 4002, 1002, 1003, 1007, 1008, 1009]);
  // Errors of a resume that pass by themselves.
  const PASSING = new Set(["rate_limited", "locked_out", "not_stored", "internal"]);
  // Commands that change nothing, and may be sent again when the first answer was lost.
  const REPEATABLE = new Set([
    "get_room_list", "get_user_list", "get_room_user_list", "hello", "history", "mark_read", "ping",
  ]);
  // Milliseconds: the first wait before coming back, the longest, between signs of life, for an answer.
  const FIRST_WAIT = 400;
  const LONGEST_WAIT = 15_000;
  const PING_EVERY = 20_000;
  const ANSWER_WITHIN = 10_000;

  // The server said no. code: for programs. retryAfter: seconds, or undefined.
  GTChat.Refusal = class extends Error {
    constructor(reply) {
      super(reply.msg);
      this.code = reply.code;
      this.retryAfter = reply.retry_after;
    }
  };

  // The connection was lost before an answer came, and the request can't be sent twice.
  GTChat.Unanswered = class extends Error {
    constructor() {
      super("");
      this.code = "unanswered";
    }
  };

  const surroundings = () => ({
    open: (url) => new WebSocket(url, "gtchat.v1"),
    setTimeout: (call, wait) => globalThis.setTimeout(call, wait),
    clearTimeout: (timer) => globalThis.clearTimeout(timer),
    now: () => performance.now(),
    random: () => Math.random(),
  });

  GTChat.Connection = class extends GTChat.Emitter {
    #outside;
    #socket = null;
    #timer = null;
    #ping = null;
    #calls = new Map();
    #trackers = 0;
    #failures = 0;

    // url: ws:// or wss://. seen: gives {room: seq} for a resume. session: one to take up.
    constructor(url, { seen = () => ({}), session = null, outside = {} } = {}) {
      super();
      this.url = url;
      this.seen = seen;
      this.session = session;
      this.state = "closed"; // closed, connecting, up, waiting (for retryAt)
      this.retryAt = 0;
      this.end = null; // why it stays away: {code, reason}
      this.hello = {};
      this.#outside = { ...surroundings(), ...outside };
    }

    // Connects, also where it was waiting.
    start() {
      if (this.state === "connecting" || this.state === "up") return;
      this.#cancel();
      this.end = null;
      this.#become("connecting");
      let socket;
      try {
        socket = this.#socket = this.#outside.open(this.url);
      } catch (error) {
        this.#lost({ code: 0, reason: String(error.message ?? error) });
        return;
      }
      const mine = (handle) => (event) => { if (this.#socket === socket) handle(event); };
      socket.onopen = mine(() => this.#opened());
      socket.onmessage = mine((event) => this.#received(event.data));
      socket.onclose = mine((event) => this.#lost(event));
      this.#timer = this.#outside.setTimeout(() => this.#drop(), ANSWER_WITHIN);
    }

    // Closes for good: what waits is told so.
    close() {
      const socket = this.#socket;
      this.#socket = this.session = null;
      this.#cancel();
      if (socket) socket.close(1000);
      for (const call of [...this.#calls.values()]) this.#fail(call, new GTChat.Unanswered());
      this.#become("closed");
    }

    // A promise of the reply; it fails with a Refusal or Unanswered. A request that is made while
    // there is no connection is sent when there is one.
    request(cmd, fields = {}) {
      return new Promise((resolve, reject) => {
        const tracker = String(++this.#trackers);
        const call = { cmd, fields, tracker, resolve, reject, sends: 0 };
        this.#calls.set(tracker, call);
        if (this.end) this.#fail(call, new GTChat.Unanswered());
        else if (this.state === "up") this.#send(call);
      });
    }

    // Calls after a time (milliseconds); the function returned keeps it from being called.
    after(wait, call) {
      const timer = this.#outside.setTimeout(call, wait);
      return () => this.#outside.clearTimeout(timer);
    }

    get now() { return this.#outside.now(); }

    #become(state) {
      this.state = state;
      this.emit("state");
    }

    #opened() {
      this.#ask("hello", {}, (reply) => { this.hello = reply; });
      if (this.session) this.#resume();
      else this.#ready();
    }

    #resume() {
      const { session_id, epoch } = this.session;
      this.#ask("resume", { session_id, epoch, seen: this.seen() }, (reply) => {
        if (reply.status === "ok") {
          this.#enter(reply);
          this.emit("resumed", reply);
          this.#ready();
        } else if (PASSING.has(reply.code)) {
          const wait = (reply.retry_after ?? 1) * 1000;
          this.#outside.clearTimeout(this.#timer);
          this.#timer = this.#outside.setTimeout(() => this.#resume(), wait);
        } else {
          this.session = null;
          this.emit("over", { code: reply.code, reason: reply.msg });
          if (this.#socket) this.#ready();
        }
      });
    }

    #enter(reply) {
      this.session = { session_id: reply.session_id, epoch: reply.epoch, usr: reply.usr };
    }

    #ready() {
      this.#outside.clearTimeout(this.#timer);
      this.#failures = 0;
      this.#become("up");
      for (const call of [...this.#calls.values()]) if (!call.own) this.#send(call);
      this.#watch();
    }

    // Finds out that a server is gone which says nothing.
    #watch() {
      this.#ping = this.#outside.setTimeout(() => {
        this.#timer = this.#outside.setTimeout(() => this.#drop(), ANSWER_WITHIN);
        // Before a login a ping is refused; that is an answer too.
        this.#ask("ping", {}, () => {
          this.#outside.clearTimeout(this.#timer);
          this.#watch();
        });
      }, PING_EVERY);
    }

    // A request of the connection's own, which dies with the socket.
    #ask(cmd, fields, settle) {
      const tracker = String(++this.#trackers);
      const call = { cmd, fields, tracker, settle, sends: 0, own: true };
      this.#calls.set(tracker, call);
      this.#send(call);
    }

    #send(call) {
      call.sends += 1;
      const { cmd, tracker, fields } = call;
      this.#socket.send(JSON.stringify({ ...fields, cmd, tracker }));
    }

    #received(data) {
      let message;
      try {
        message = JSON.parse(data);
      } catch {
        this.#drop();
        return;
      }
      if (message.cmd === "c_response") this.#answered(message);
      else this.emit("push", message);
    }

    #answered(reply) {
      const call = this.#calls.get(reply.tracker);
      if (!call) return;
      if (reply.code === "rate_limited" && (call.fields.txn || REPEATABLE.has(call.cmd))) {
        // It is still to be said; the same txn keeps it from being said twice.
        this.#outside.setTimeout(() => {
          if (this.state === "up" && this.#calls.has(call.tracker)) this.#send(call);
        }, (reply.retry_after ?? 1) * 1000);
        return;
      }
      this.#calls.delete(reply.tracker);
      if (call.own) {
        call.settle(reply);
      } else if (reply.status === "ok") {
        if (call.cmd === "login") {
          this.#enter(reply);
          this.emit("login", reply);
        } else if (call.cmd === "logout") {
          this.session = null;
        }
        call.resolve(reply);
      } else {
        call.reject(new GTChat.Refusal(reply));
      }
    }

    #fail(call, error) {
      this.#calls.delete(call.tracker);
      if (!call.own) call.reject(error);
    }

    // Gives a socket up that does not answer.
    #drop() {
      const socket = this.#socket;
      this.#lost({ code: 1006, reason: "" });
      socket?.close();
    }

    #lost({ code, reason }) {
      this.#socket = null;
      this.#cancel();
      const away = STAY_AWAY.has(code);
      for (const call of [...this.#calls.values()]) {
        const again = !call.sends || call.fields.txn || REPEATABLE.has(call.cmd);
        if (call.own || away || !again) this.#fail(call, new GTChat.Unanswered());
      }
      if (away) {
        this.end = { code, reason };
        this.session = null;
        this.#become("closed");
        this.emit("over", this.end);
        return;
      }
      const most = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** this.#failures++);
      const wait = most * (0.5 + this.#outside.random() / 2);
      this.retryAt = this.#outside.now() + wait;
      this.#timer = this.#outside.setTimeout(() => this.start(), wait);
      this.#become("waiting");
    }

    #cancel() {
      this.#outside.clearTimeout(this.#timer);
      this.#outside.clearTimeout(this.#ping);
    }
  };
})();
