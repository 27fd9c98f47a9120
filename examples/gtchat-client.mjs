// A client of docs/protocol.md without dependencies, for browsers and Node 22 (Node 20: --experimental-websocket).
//
//   const chat = new GTChat("ws://127.0.0.1:9000/", { login: { type: "tmp", usr: "echo" } });
//   await chat.connect();
//   for await (const event of chat.events()) …
// events() gives the entries of each room in the order of `seq`, each once, also over lost connections, restarts of the
// server and gaps of any size. Calls are sent within the limits of the server, and again after a loss if that is safe.

const words = (text) => new Set(text.split(" "));
const WITH_TXN = words("speak whisper edit delete react pin unpin create_room join_room leave_room " +
  "set_room delete_room kick invite invite_reply add_member remove_member set_role ban unban mute " +
  "unmute"); // done once, also if sent again
const REPEATABLE = words("hello ping get_sessions end_session end_other_sessions get_room_list get_user_list " +
  "get_room_user_list versions history search typing mark_read mark_unread set_notify get_mentions get_direct_list " +
  "block unblock set_address get_moderation delete_messages get_invite_links find_invite_link " +
  "get_profile set_profile report get_reports answer_report"); // may always be sent again
const OWN_RATE = words("typing search react"); // their `rate_limited` is for the caller, and holds up nothing else
const TEMPORARY = words("rate_limited locked_out over_quota not_stored internal already_logged_in"); // codes that pass
const BEGINS = words("join_room room_created"), ENDS = words("leave_room kicked removed"); // of the membership of `usr`
const STAY_AWAY = new Set([1002, 1003, 1007, 1008, 1009, 4001, 4002]); // close codes; it comes back after all others
const COMING_BACK = 4000; // the close code of this client when it drops a link: after 1000 a guest is logged out
const SEEN_BYTES = 48 * 1024; // of the names in `seen`; rooms that do not fit are read page by page
const PAGE = 200, MAX_CALLS = 1000, MAX_IDS = 2000, OPEN_SECONDS = 10;

// The server refused `cmd`: `code` of the protocol, `retryAfter` in seconds or undefined.
export class CommandFailed extends Error {}
export class Unanswered extends Error {} // the link was lost before the answer to `cmd`, which may have been done
export class ConnectionClosed extends Error {} // for good: `code`, `reason`, and its first word, `word`

const fail = (Type, text, fields) => Object.assign(new Type(text), fields);
const unanswered = (cmd) => fail(Unanswered, `no answer to ${cmd}`, { cmd });
const wordOf = (reason) => /\w*/.exec(reason)[0];
const closed = (code, reason) => fail(ConnectionClosed, `${code} ${reason}`, { code, reason, word: wordOf(reason) });
const mayRepeat = ({ cmd, fields }) => !fields.broadcast_key && (WITH_TXN.has(cmd) || REPEATABLE.has(cmd));
const byOrder = (one, other) => one.order - other.order, now = () => performance.now() / 1000;
/** Returns a random `txn`. (Pages that were not loaded over https have no crypto.randomUUID.) */
const randomText = () => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(36)).join("");

/**
 * A connection that lasts. Options:
 * login: the fields of the command `login`.
 * after: positions of an earlier run, {room_name: {epoch, seq}}; what came since then is read first.
 * callTimeout: seconds that a reply may take; without it the link is dropped and made anew.
 * maxEvents: how many events wait for the reader; entries beyond it are left on the server until there is room.
 * backoff: seconds before the first attempt to come back, and at most before a further one.
 */
export class GTChat {
  state = "connecting"; user = null; server = null; // state: then "up", "lost" or "closed"; server: reply to hello
  #options; #socket = null; #first = null; #session = null; #end = null;
  #attempts = 0; #heard = false; #timers = {};
  #positions; // room -> {epoch, seq} of the last entry that was queued
  #behind = new Map(); // room -> highest seq known to be in its log; its pushes are left to #catchUp
  #catchingUp = false; #ids = new Set(); // of direct messages
  #order = 0; #urgent = []; #waiting = []; #sent = new Map(); // tracker -> call, in the order of sending
  #burst = 10; #rate = 10; #tokens = 10; #filled = 0; #notBefore = 0; // calls, calls a second, times in seconds
  #events = []; #wake = null; #hasRoom = null;

  constructor(url, { login, after = {}, callTimeout = 30, maxEvents = 5000, backoff = [0.5, 30] }) {
    this.#options = { url, login, callTimeout, maxEvents: Math.max(maxEvents, 2 * PAGE), backoff };
    this.#positions = new Map(Object.entries(after).map(([room, position]) => [room, { ...position }]));
  }

  /** Connects and logs in. Rejects with ConnectionClosed or CommandFailed if this attempt fails. */
  connect() { return new Promise((resolve, reject) => { this.#first = { resolve, reject }; this.#open(); }); }
  get rooms() { return [...this.#positions.keys()]; } // names of the user's rooms

  /** Sends a command; resolves with the reply. Rejects with CommandFailed, Unanswered or ConnectionClosed. */
  call(cmd, fields = {}) { return this.#call(this.#waiting, cmd, fields); }

  /**
   * Yields what happens, for one reader: pushes as the server sends them, entries with `epoch` (store it and `seq`,
   * for `after`), and {cmd: "lost", code, reason, retryIn}, {cmd: "restored"}, {cmd: "reset", room_name, reason, epoch,
   * last_seq}: what is known of the room is outdated. Own messages come only where they are read from the log.
   * Ends after close(); throws ConnectionClosed if the connection ended for another reason.
   */
  async *events() {
    while (this.#events.length || !this.#end) {
      if (!this.#events.length) await new Promise((resolve) => { this.#wake = resolve; });
      this.#hasRoom?.();
      if (this.#events.length) yield this.#events.shift();
    }
    if (this.#end.code !== 1000) throw this.#end;
  }

  /** Closes with 1000, which logs a guest out. Calls without an answer are rejected. */
  close() { this.#finish(closed(1000, "closed")); }

  #open() {
    if (this.#end) throw this.#end;
    const socket = this.#socket = new WebSocket(this.#options.url, ["gtchat.v1"]);
    const on = (type, handle) => socket.addEventListener(type, (event) => socket === this.#socket && handle(event));
    this.#timers.open = setTimeout(() => socket.readyState || this.#lost(1006, "no connection"), OPEN_SECONDS * 1000);
    on("open", () => this.#begin());
    on("message", ({ data }) => this.#receive(JSON.parse(data)));
    on("close", ({ code, reason }) => this.#lost(code, reason));
    on("error", () => this.#lost(1006, "no connection")); // Node 20 has no close event where the connection was refused
  }

  /** Says hello, resumes or logs in, learns of all rooms; only then go the calls that wait. */
  async #begin() {
    try {
      this.server = await this.#ask("hello");
      // Half of the burst for what is sent at once, half for what is on its way: then the server never sees more
      // than its limits, however late and bunched calls arrive. A limit of 0 is none.
      this.#burst = Math.max(1, Math.floor((this.server.limits.commands_burst || 1e6) / 2));
      this.#rate = this.server.limits.commands_per_second || 1e6;
      // Before the reply: Node gives us a push that comes with it before we go on here.
      for (const room of this.#positions.keys()) this.#behind.set(room, 0); // until it is settled
      const reply = await this.#resume() ?? await this.#login();
      if (this.#session) this.#emit({ cmd: "restored" });
      this.#session = { session_id: reply.session_id, epoch: reply.epoch };
      this.user = reply.usr;
      reply.resumed?.forEach((element) => this.#resumed(element));
      const rooms = [...reply.rooms];
      for (let page = reply; page.rooms_next !== undefined && page.rooms.at(-1)?.joined;) {
        page = await this.#ask("get_room_list", { joined: true, after: page.rooms_next, limit: 1000 });
        rooms.push(...page.rooms);
      }
      this.#compare(rooms.filter((room) => room.joined));
      this.state = "up";
      this.#attempts = 0;
      const listen = () => (this.#heard ? this.#heard = false : this.#ask("ping").catch(() => {}));
      this.#timers.listen = setInterval(listen, 1000 * (this.server.ping_interval || 20)); // scripts see no pings
      this.#first = this.#first?.resolve(reply);
      this.#catchUp();
      this.#pump();
    } catch (error) {
      if (error instanceof Unanswered) return; // #lost sees to it
      if (this.#first || !TEMPORARY.has(error.code)) this.#finish(error);
      else this.#lost(1006, error.message, error.retryAfter);
    }
  }

  /** Returns the reply to `resume`, or null where there is no session or none any more. */
  async #resume() {
    if (!this.#session) return null;
    let bytes = SEEN_BYTES;
    const fits = ([room]) => (bytes -= 3 * room.length + 20) > 0;
    const seen = Object.fromEntries([...this.#positions].filter(fits).map(([room, { seq }]) => [room, seq]));
    const fields = { ...this.#session, marks_read: this.#options.login.marks_read, seen };
    return this.#ask("resume", fields).catch((error) => { if (error.code !== "bad_session") throw error; });
  }

  /** Logs in. A guest is another account then: what it may have done before the loss is not sent again. */
  #login() {
    const isGone = (call) => call.sent && this.#options.login.type === "tmp";
    this.#waiting = this.#waiting.filter((call) => !isGone(call) || call.reject(unanswered(call.cmd)));
    return this.#ask("login", this.#options.login);
  }

  /** Takes an element of `resumed`. What is `behind` stays so, as does what was left out of `seen`. */
  #resumed({ room_name: room, state, last_seq, entries, reason }) {
    if (state === "resumed") {
      this.#settle(room, () => {
        for (const entry of entries) this.#take(entry, "resumed");
        this.#reached(room, last_seq);
      });
    } else if (state === "reset" && !(reason === "unknown" && this.#positions.has(room))) {
      this.#settle(room, () => this.#reset(room, reason, last_seq));
    }
  }

  /** Brings a room up to the reply by a change. What was pushed before that is read from the log. */
  #settle(room, change) {
    const pushed = this.#behind.get(room);
    this.#behind.delete(room);
    change();
    if (pushed > this.#positions.get(room)?.seq) this.#behind.set(room, pushed);
  }

  /** Compares the user's rooms, as the server has listed them all, with the positions that are not settled. */
  #compare(rooms) {
    for (const { room_name: room, last_seq } of rooms) {
      const { epoch, seq } = this.#positions.get(room) ?? {};
      if (seq === undefined) this.#positions.set(room, { epoch: this.#session.epoch, seq: last_seq });
      else if (!this.#behind.has(room)) continue;
      else if (epoch !== this.#session.epoch) this.#settle(room, () => this.#reset(room, "epoch", last_seq));
      else if (seq > last_seq) this.#settle(room, () => this.#reset(room, "recreated", last_seq));
      else this.#reached(room, last_seq);
    }
    const names = new Set(rooms.map((room) => room.room_name));
    for (const room of this.#behind.keys()) if (!names.has(room)) this.#reset(room, "left", 0);
  }

  /** Ends the link and comes back, or not. `wait`: seconds, if the server has said. */
  #lost(code, reason, wait = Number(/wait ([\d.]+)/.exec(reason)?.[1] ?? 0)) {
    for (const call of this.#unlink(COMING_BACK)) {
      if (!call.urgent && mayRepeat(call)) this.#waiting.push(call);
      else call.reject(unanswered(call.cmd));
    }
    this.#waiting.sort(byOrder);
    if (this.#first || STAY_AWAY.has(code)) return this.#finish(closed(code, reason));
    const [least, most] = this.#options.backoff;
    const backoff = Math.min(most, least * 2 ** this.#attempts++) * (0.5 + Math.random() / 2);
    if (this.state === "up") this.#emit({ cmd: "lost", code, reason, retryIn: wait + backoff });
    this.state = "lost";
    this.#timers.open = setTimeout(() => this.#open(), 1000 * (wait + backoff));
  }

  #finish(error) {
    if (this.#end) return;
    this.state = "closed";
    this.#end = error;
    for (const open of [...this.#unlink(1000), ...this.#waiting.splice(0), this.#first]) open?.reject(error);
    for (const wake of [this.#wake, this.#hasRoom]) wake?.();
  }

  /** Closes the link; returns the calls that have no answer. */
  #unlink(code) {
    const socket = this.#socket;
    this.#socket = null; // before close(), which may dispatch events at once
    socket?.close(code);
    const calls = [...this.#urgent.splice(0), ...this.#sent.values()];
    this.#sent.clear();
    for (const timer of [...Object.values(this.#timers), ...calls.map((call) => call.timer)]) clearTimeout(timer);
    return calls;
  }

  /** Sends a command of the client's own before those that wait; it ends with the link. */
  #ask(cmd, fields = {}) { return this.#call(this.#urgent, cmd, fields); }
  #call(queue, cmd, fields) {
    const urgent = queue === this.#urgent;
    return new Promise((resolve, reject) => {
      if (this.#end) throw this.#end;
      if (urgent && this.#socket?.readyState !== WebSocket.OPEN) throw unanswered(cmd);
      if (queue.length >= MAX_CALLS) throw new Error("too many calls wait");
      const txn = WITH_TXN.has(cmd) ? randomText() : undefined;
      queue.push({ order: this.#order += 1, cmd, fields: { txn, ...fields }, urgent, resolve, reject });
      this.#pump();
    });
  }

  /** Sends what waits, in order, at the rate of the server. */
  #pump() {
    clearTimeout(this.#timers.pump);
    this.#tokens = Math.min(this.#burst, this.#tokens + (now() - this.#filled) * this.#rate);
    this.#filled = now();
    while (this.#socket?.readyState === WebSocket.OPEN && this.#sent.size < this.#burst) {
      const queue = this.#urgent.length || this.state !== "up" ? this.#urgent : this.#waiting;
      const wait = Math.max(this.#notBefore - now(), (1 - this.#tokens) / this.#rate);
      if (!queue.length) return;
      if (wait > 0) return void (this.#timers.pump = setTimeout(() => this.#pump(), Math.ceil(wait * 1000)));
      const call = Object.assign(queue.shift(), { sent: true });
      this.#tokens -= 1;
      this.#sent.set(String(call.order), call);
      call.timer = setTimeout(() => this.#lost(1006, `no answer to ${call.cmd}`), this.#options.callTimeout * 1000);
      this.#socket.send(JSON.stringify({ ...call.fields, cmd: call.cmd, tracker: call.order }));
    }
  }

  #answered(reply) {
    const tracker = reply.tracker === "0" ? this.#sent.keys().next().value : reply.tracker; // "0": of the oldest one
    const call = this.#sent.get(tracker);
    if (!call) return;
    const { code, msg, retry_after: retryAfter } = reply;
    this.#sent.delete(tracker);
    clearTimeout(call.timer);
    if (reply.status === "ok") {
      this.#learn(call, reply);
      call.resolve(reply);
    } else if (code === "rate_limited" && !OWN_RATE.has(call.cmd)) {
      this.#notBefore = Math.max(this.#notBefore, now() + retryAfter);
      (call.urgent ? this.#urgent : this.#waiting).push(call);
      (call.urgent ? this.#urgent : this.#waiting).sort(byOrder);
    } else {
      call.reject(fail(CommandFailed, `${call.cmd}: ${code}: ${msg}`, { cmd: call.cmd, code, retryAfter, reply }));
    }
    this.#pump();
  }

  /** Changes positions by a reply: own entries are not pushed to the connection that made them. */
  #learn({ cmd, fields }, { room, seq, dup }) {
    const name = room?.room_name ?? fields.room_name;
    if (cmd === "leave_room" || cmd === "delete_room" || (cmd === "remove_member" && fields.user === this.user)) {
      this.#forget(name);
    } else if (room && !this.#positions.has(name) && ["join_room", "create_room", "invite_reply"].includes(cmd)) {
      this.#positions.set(name, { epoch: this.#session.epoch, seq: room.last_seq });
    } else if (seq !== undefined && !dup) this.#reached(name, seq);
  }

  #receive(message) {
    this.#heard = true;
    const { cmd, type, id, seq, room_name: room } = message;
    if (cmd === "c_response") return this.#answered(message);
    if (room !== undefined && seq !== undefined && type !== "marked_read") return this.#take(message, "push");
    if (cmd === "c_whisper" && this.#ids.size === this.#ids.add(id).size) return; // pushed again after a loss
    if (this.#ids.size > MAX_IDS) this.#ids.delete(this.#ids.values().next().value);
    if (type === "room_gone") this.#forget(room);
    this.#emit(message);
  }

  /** Takes an entry of a room, `from` a "push", what was "resumed", or a "page" of history. */
  #take(entry, from) {
    const { room_name: room, seq, type } = entry;
    const gone = from === "push" && ENDS.has(type) && entry.usr === this.user;
    const wait = this.#behind.has(room) || this.#events.length >= this.#options.maxEvents;
    const begins = BEGINS.has(type) && entry.usr === this.user;
    if (begins && !this.#positions.has(room)) this.#positions.set(room, { epoch: this.#session.epoch, seq: seq - 1 });
    const position = this.#positions.get(room);
    if (!position) return this.#emit(entry); // new public rooms are told to all; or it is not listed yet
    if (from !== "page" && !gone && wait) {
      this.#behind.set(room, Math.max(seq, this.#behind.get(room) ?? 0));
      this.#catchUp();
    } else if (seq > position.seq) {
      position.seq = seq;
      if (gone) this.#forget(room);
      this.#emit(Object.assign(entry, { epoch: this.#session.epoch }));
    }
  }

  /** Notes that a room's log goes up to `seq`, and that no push up to there is to come. */
  #reached(room, seq) {
    const [position, target] = [this.#positions.get(room), this.#behind.get(room)];
    if (target !== undefined) this.#behind.set(room, Math.max(seq, target));
    else if (position) position.seq = Math.max(seq, position.seq);
  }

  #forget(room) { this.#positions.delete(room); this.#behind.delete(room); }
  #reset(room, reason, last_seq) {
    this.#forget(room);
    if (reason !== "left") this.#positions.set(room, { epoch: this.#session.epoch, seq: last_seq });
    this.#emit({ cmd: "reset", room_name: room, reason, epoch: this.#session.epoch, last_seq });
  }

  /** Reads what is missing of the rooms that are behind, one after the other. */
  async #catchUp() {
    if (this.#catchingUp || this.state !== "up") return;
    this.#catchingUp = true;
    for (const room of this.#behind.keys()) {
      const error = await this.#readGap(room).catch((reason) => reason);
      if (TEMPORARY.has(error?.code)) this.#lost(1006, error.message, error.retryAfter);
      else if (error instanceof CommandFailed) this.#reset(room, "left", 0);
      if (this.state !== "up") break;
    }
    this.#catchingUp = false;
  }

  /** Reads a room's log up to what is known of it, page by page, as the reader of the events makes room. */
  async #readGap(room) {
    while (this.#behind.get(room) > this.#positions.get(room)?.seq) {
      const position = this.#positions.get(room);
      const isFull = () => this.#events.length > this.#options.maxEvents - PAGE && !this.#end;
      while (isFull()) await new Promise((resolve) => { this.#hasRoom = resolve; });
      const page = await this.#ask("history", { room_name: room, after: position.seq, limit: PAGE, kinds: ["all"] });
      if (this.#positions.get(room) !== position) return; // it was left or reset meanwhile
      if (page.log_last < position.seq) return this.#reset(room, "recreated", page.log_last);
      for (const entry of page.entries) if (!entry.blocked) this.#take(entry, "page");
      // A page may be older than a push that came before it: then there is another one to read.
      position.seq = Math.max(position.seq, page.more ? page.entries.at(-1).seq : page.log_last);
    }
    this.#behind.delete(room);
  }

  #emit(event) {
    if (this.#events.length >= 2 * this.#options.maxEvents && event.cmd !== "reset") {
      // No entry of a room, which could be read later: the next link brings it, if it was not delivered.
      return void (event.cmd.startsWith("c_") && this.#lost(1006, "the reader is slow"));
    }
    this.#events.push(event);
    this.#wake?.();
  }
}
