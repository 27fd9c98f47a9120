// A connection to the server that reconnects with backoff, resumes its session, and sends every message
// once and in order.
//
// It does not use the page: sockets, timers and random numbers can be passed in, so that tests run it
// without a network and without waiting.
//
// Events: "state" (it has changed), "push" (an object of the server), "login" (reply, fields of the
// request), "resumed" (the reply to `resume`, before the pushes that follow it), "over" (the session
// cannot be resumed: {code, reason}, and of a close the first word of the reason as `word`).
//
// Requests wait in one queue (queue.js) until there is a connection and the server takes them. Messages
// (requests that are made with a txn) are sent again after any refusal that passes (requests.js), and until then nothing
// overtakes them in their conversation.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { requests } = GTChat;

  // Close codes after which the page must not reconnect (docs/protocol.md, "Close codes").
  const FINAL_CODES = new Set([4001, 4002, 1002, 1003, 1007, 1008, 1009]);
  // Errors of a `resume` after which it is tried again.
  const TRANSIENT_ERRORS = new Set(["rate_limited", "locked_out", "not_stored", "internal"]);
  // The close code of a client that sent too fast; the reason tells the seconds to stay away.
  const RATE_EXCEEDED = 4009;
  // Milliseconds.
  const MIN_BACKOFF = 400;
  const MAX_BACKOFF = 15_000;
  const PING_INTERVAL = 20_000;
  const RESPONSE_TIMEOUT = 10_000;

  const firstWord = (reason) => /^\w*/.exec(reason)[0];
  const toldSeconds = (reason) => Number(/\d+(?:\.\d+)?/.exec(reason)?.[0] ?? 0);

  const browser = () => ({
    open: (url) => new WebSocket(url, "gtchat.v1"),
    setTimeout: (callback, wait) => globalThis.setTimeout(callback, wait),
    clearTimeout: (timer) => globalThis.clearTimeout(timer),
    now: () => performance.now(),
    random: () => Math.random(),
  });

  GTChat.Connection = class extends GTChat.Emitter {
    #environment;
    #queue;
    #socket = null;
    #timer = null; // of a reconnect, of a connection attempt or of a reply to a ping
    #pingTimer = null;
    #requests = new Map(); // tracker -> request without a reply
    #trackers = 0;
    #failures = 0; // since the connection was last open

    // url: ws:// or wss://. seen(): the fields of `resume` that tell what was seen.
    // session: one to resume, or null. environment: replaces functions of `browser`.
    constructor(url, { seen = () => ({ seen: {} }), session = null, environment = {} } = {}) {
      super();
      this.url = url;
      this.seen = seen;
      this.session = session; // {session_id, epoch, usr}
      this.state = "closed"; // closed, connecting, open, or waiting to reconnect
      this.retryAt = 0; // when it reconnects, on the clock of `now`
      this.end = null; // why it does not reconnect: {code, reason, word}
      this.hello = {}; // the reply to `hello`
      this.#environment = { ...browser(), ...environment };
      this.#queue = new GTChat.SendQueue((request) => this.#send(request), this.#environment);
    }

    // Connects, or reconnects at once instead of waiting.
    start() {
      if (this.state === "connecting" || this.state === "open") return;
      this.#cancelTimers();
      this.end = null;
      this.#setState("connecting");
      let socket;
      try {
        socket = this.#socket = this.#environment.open(this.url);
      } catch (error) {
        this.#onClose({ code: 0, reason: String(error.message ?? error) });
        return;
      }
      const ifCurrent = (handle) => (event) => { if (this.#socket === socket) handle(event); };
      socket.onopen = ifCurrent(() => this.#onOpen());
      socket.onmessage = ifCurrent((event) => this.#onMessage(event.data));
      socket.onclose = ifCurrent((event) => this.#onClose(event));
      this.#timer = this.#environment.setTimeout(() => this.#abandon(), RESPONSE_TIMEOUT);
    }

    // Closes for good. Requests without a reply fail.
    close() {
      const socket = this.#socket;
      this.#socket = this.session = null;
      this.#cancelTimers();
      this.#queue.close();
      if (socket) socket.close(1000);
      for (const request of [...this.#requests.values()]) this.#fail(request);
      this.#setState("closed");
    }

    // Returns a promise of the reply; it fails with a RequestError or a NoReplyError. A request that is
    // made without a connection is sent when there is one. onDelay(error): called each time the request
    // is refused and will be sent again; `error.retryAfter` is the seconds until then.
    request(cmd, fields = {}, onDelay = () => {}) {
      return new Promise((resolve, reject) => {
        const number = ++this.#trackers;
        const lane = fields.txn ? `${cmd} ${fields.room_name ?? fields.direct ?? fields.target_user}` : null;
        const request = {
          cmd, fields, txn: requests.txnOf(cmd, fields), number, lane, tracker: String(number), resolve, reject, onDelay,
          sends: 0, refusals: 0 };
        this.#requests.set(request.tracker, request);
        if (this.end) this.#fail(request);
        else this.#queue.add(request);
      });
    }

    // Gives up the message with this txn, unless it has been sent and has no reply yet.
    cancel(txn) {
      const request = [...this.#requests.values()].find(({ fields }) => fields.txn === txn);
      if (!request || !this.#queue.remove(request)) return;
      this.#fail(request);
      this.#queue.finish(request);
    }

    // Whether requests wait to be sent.
    get busy() { return this.state !== "open" || this.#queue.busy; }

    // Calls back after `wait` milliseconds. Returns a function that cancels it.
    after(wait, callback) {
      const timer = this.#environment.setTimeout(callback, wait);
      return () => this.#environment.clearTimeout(timer);
    }

    get now() { return this.#environment.now(); }

    #setState(state) {
      this.state = state;
      this.emit("state");
    }

    #onOpen() {
      this.#requestInternally("hello", {}, (reply) => {
        this.hello = reply;
        this.#queue.setLimits(reply.limits);
      });
      if (this.session) this.#resume();
      else this.#onReady();
    }

    #resume() {
      const { session_id, epoch } = this.session;
      this.#requestInternally("resume", { session_id, epoch, ...this.seen(), marks_read: true }, (reply) => {
        if (reply.status === "ok") {
          this.#keepSession(reply);
          this.emit("resumed", reply);
          this.#onReady();
        } else if (TRANSIENT_ERRORS.has(reply.code)) {
          const wait = (reply.retry_after ?? 1) * 1000;
          this.#environment.clearTimeout(this.#timer);
          this.#timer = this.#environment.setTimeout(() => this.#resume(), wait);
        } else {
          this.session = null;
          this.emit("over", { code: reply.code, reason: reply.msg });
          if (this.#socket) this.#onReady();
        }
      });
    }

    #keepSession(reply) {
      this.session = { session_id: reply.session_id, epoch: reply.epoch, usr: reply.usr };
    }

    #onReady() {
      this.#environment.clearTimeout(this.#timer);
      this.#failures = 0;
      this.#setState("open");
      this.#queue.open();
      this.#schedulePing();
    }

    // Detects a dead server behind a socket that stays open.
    #schedulePing() {
      this.#pingTimer = this.#environment.setTimeout(() => {
        this.#timer = this.#environment.setTimeout(() => this.#abandon(), RESPONSE_TIMEOUT);
        // Before a login the server refuses a ping; that is a sign of life too.
        this.#requestInternally("ping", {}, () => {
          this.#environment.clearTimeout(this.#timer);
          this.#schedulePing();
        });
      }, PING_INTERVAL);
    }

    // Sends a request of the connection itself, which is given up with its socket.
    #requestInternally(cmd, fields, onReply) {
      const tracker = String(++this.#trackers);
      const request = { cmd, fields, tracker, onReply, sends: 0, internal: true };
      this.#requests.set(tracker, request);
      this.#queue.charge();
      this.#send(request);
    }

    #send(request) {
      request.sends += 1;
      const { cmd, tracker, fields, txn } = request;
      this.#socket.send(JSON.stringify({ ...fields, cmd, txn, tracker }));
    }

    #onMessage(data) {
      let message;
      try {
        message = JSON.parse(data);
      } catch {
        this.#abandon();
        return;
      }
      if (message.cmd === "c_response") this.#onReply(message);
      else this.emit("push", message);
    }

    #onReply(reply) {
      const request = this.#requests.get(reply.tracker);
      if (!request) return;
      if (requests.isRetried(request, reply.code)) {
        request.refusals += 1;
        const wait = requests.retryWait(reply, request.refusals);
        this.#queue.putBack(request, wait, reply.code === "rate_limited");
        request.onDelay(new GTChat.RequestError({ ...reply, retry_after: wait / 1000 }));
        return;
      }
      this.#requests.delete(reply.tracker);
      if (!request.internal) this.#queue.finish(request);
      if (request.internal) {
        request.onReply(reply);
      } else if (reply.status === "ok") {
        if (request.cmd === "login") {
          this.#keepSession(reply);
          this.emit("login", reply, request.fields);
        } else if (request.cmd === "logout") {
          this.session = null;
        }
        request.resolve(reply);
      } else {
        request.reject(new GTChat.RequestError(reply));
      }
    }

    #fail(request) {
      this.#requests.delete(request.tracker);
      this.#queue.remove(request);
      if (!request.internal) request.reject(new GTChat.NoReplyError());
    }

    // Gives up a socket that does not answer.
    #abandon() {
      const socket = this.#socket;
      this.#onClose({ code: 1006, reason: "" });
      socket?.close();
    }

    #onClose({ code, reason }) {
      this.#socket = null;
      this.#cancelTimers();
      this.#queue.close();
      const final = FINAL_CODES.has(code);
      for (const request of [...this.#requests.values()]) {
        if (request.internal || final || !requests.isRepeatable(request)) this.#fail(request);
        else if (!this.#queue.remove(request)) request.notBefore = 0; // it was in flight
      }
      for (const request of this.#requests.values()) this.#queue.add(request);
      if (final) {
        this.end = { code, reason, word: firstWord(reason) };
        this.session = null;
        this.#setState("closed");
        this.emit("over", this.end);
        return;
      }
      const longest = Math.min(MAX_BACKOFF, MIN_BACKOFF * 2 ** this.#failures++);
      const told = code === RATE_EXCEEDED ? toldSeconds(reason) * 1000 : 0;
      const wait = Math.max(told, longest * (0.5 + this.#environment.random() / 2));
      this.retryAt = this.#environment.now() + wait;
      this.#timer = this.#environment.setTimeout(() => this.start(), wait);
      this.#setState("waiting");
    }

    #cancelTimers() {
      this.#environment.clearTimeout(this.#timer);
      this.#environment.clearTimeout(this.#pingTimer);
    }
  };
})();
