// The requests of a connection that wait to be sent: in order, and not faster than the server takes them.
//
// Requests with the same lane (messages to one conversation) are sent one after the other: each waits
// for the reply to the one before, so that a refused one is not overtaken. It sends nothing by itself
// and does not use the page: the connection passes its clock and a function that sends.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;

  // Commands at once and per second, until the server tells its own.
  const DEFAULT_LIMITS = { commands_burst: 20, commands_per_second: 10 };
  // The part of what the server allows that is used: requests arrive in bunches, and pings count too.
  const SHARE = 0.8;

  GTChat.SendQueue = class {
    #send;
    #environment;
    #waiting = []; // requests, by their number
    #inFlight = new Map(); // lane -> request that was sent and has no reply
    #open = false;
    #timer = null;
    #rate; // tokens per millisecond; 0: no limit
    #burst;
    #tokens = Infinity;
    #filledAt = 0; // the time of #tokens

    // send(request): sends it. environment: now, setTimeout and clearTimeout of a Connection's.
    constructor(send, environment) {
      this.#send = send;
      this.#environment = environment;
      this.setLimits(DEFAULT_LIMITS);
    }

    // limits: those of the reply to `hello`; 0 for no limit.
    setLimits(limits) {
      const { commands_burst: burst, commands_per_second: rate } = { ...DEFAULT_LIMITS, ...limits };
      this.#rate = rate * SHARE / 1000;
      this.#burst = Math.max(1, Math.floor(burst * SHARE));
      this.#fill();
    }

    // Whether something waits that could be sent.
    get busy() { return this.#waiting.length > 0; }

    // Adds a request: {number, lane: a string or null, notBefore: a time of the clock}. A lower number
    // is sent earlier.
    add(request) {
      const before = this.#waiting.findLastIndex((other) => other.number < request.number);
      this.#waiting.splice(before + 1, 0, request);
      this.#pump();
    }

    // Takes out a request that waits. Returns false if it does not.
    remove(request) {
      const index = this.#waiting.indexOf(request);
      if (index >= 0) this.#waiting.splice(index, 1);
      return index >= 0;
    }

    // The request has its reply, or is given up.
    finish(request) {
      if (this.#inFlight.get(request.lane) === request) this.#inFlight.delete(request.lane);
      this.#pump();
    }

    // The request that was sent was refused; it is sent again after `wait` milliseconds.
    // overRate: whether because the client sends too fast.
    putBack(request, wait, overRate) {
      if (overRate) {
        this.#fill();
        this.#tokens = Math.min(this.#tokens, 0);
      }
      request.notBefore = this.#environment.now() + wait;
      if (this.#inFlight.get(request.lane) === request) this.#inFlight.delete(request.lane);
      this.add(request);
    }

    // Counts a request that was sent without waiting.
    charge() {
      this.#fill();
      this.#tokens = Math.max(-this.#burst, this.#tokens - 1);
    }

    // Sends from now on.
    open() {
      this.#open = true;
      this.#pump();
    }

    // Sends nothing any more. What is in flight is forgotten; the connection adds what is to be sent again.
    close() {
      this.#open = false;
      this.#inFlight.clear();
      this.#environment.clearTimeout(this.#timer);
    }

    #fill() {
      const now = this.#environment.now();
      this.#tokens = this.#rate ? Math.min(this.#burst, this.#tokens + (now - this.#filledAt) * this.#rate) : Infinity;
      this.#filledAt = now;
    }

    // Sends what can be sent now, and sets a timer for the next.
    #pump() {
      this.#environment.clearTimeout(this.#timer);
      if (!this.#open) return;
      this.#fill();
      const now = this.#environment.now();
      const blocked = new Set(this.#inFlight.keys());
      let next = Infinity;
      for (const request of [...this.#waiting]) {
        const { lane, notBefore = 0 } = request;
        if (lane && blocked.has(lane)) continue;
        const at = Math.max(notBefore, this.#tokens >= 1 ? now : now + (1 - this.#tokens) / this.#rate);
        if (at <= now) {
          this.#tokens -= 1;
          this.remove(request);
          if (lane) this.#inFlight.set(lane, request);
          this.#send(request);
        } else {
          next = Math.min(next, at);
        }
        if (lane) blocked.add(lane);
      }
      if (next < Infinity) this.#timer = this.#environment.setTimeout(() => this.#pump(), Math.ceil(next - now));
    }
  };
})();
