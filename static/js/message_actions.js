// What the user does with messages: sending, editing, deleting, reacting, pinning. actions.js builds on it.
//
// A message that is sent, and an edit, is shown at once and kept until the server has confirmed it, so that it
// can be sent again. Everything else fails as a request does.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;

  // Entries of changes in a page of those that pin messages, and pages of them that are read.
  const PINS_PAGE = 200;
  const MAX_PINS_PAGES = 5;

  // Returns how a message names its conversation: as the one before it that is not confirmed, so that it does not
  // overtake that, whatever became known meanwhile.
  const placeOf = (conversation, item) => {
    const before = conversation.outgoing[conversation.outgoing.indexOf(item) - 1];
    item.place = before?.state === "sending" ? before.place : conversation.place;
    return item.place;
  };

  GTChat.MessageActions = class extends GTChat.Emitter {
    #loading = Promise.resolve(); // of single messages, one after the other
    #wanted = new Set(); // "conversation seq" of those that are being loaded

    constructor(state, connection) {
      super();
      this.state = state;
      this.connection = connection;
    }

    // Whether the server knows an extension of the protocol: "edit", "delete", "react", "reply", "action", "pin", "search".
    can(feature) { return Boolean(this.connection.hello.features?.includes(feature)); }

    // What the user may do with a message, as far as the page knows: {unread, edit, delete, react, reply, pin, report}.
    rights(conversation, entry) {
      if (entry.deleted || !entry.seq) return {};
      const own = entry.usr === this.state.me;
      const unread = this.can("mark_unread") && conversation.joined && !own;
      const report = this.can("report") && conversation.joined && !own;
      if (conversation.readOnly) return { unread, report };
      const moderates = conversation.moderates(this.state.me);
      const silence = conversation.silence(this.state.me);
      const { edit_window: window } = this.connection.hello.limits ?? {};
      const inTime = !window || Date.now() - new Date(entry.at) < window * 1000;
      return {
        unread,
        report,
        edit: this.can("edit") && own && inTime && !silence,
        delete: this.can("delete") && (own || moderates),
        react: this.can("react") && silence !== "muted",
        reply: this.can("reply") && !silence,
        pin: this.can("pin") && moderates,
      };
    }

    // What the message box is for: composing is {kind: "reply" or "edit", entry}, or null for a new message.
    compose(conversation, composing) {
      conversation.composing = composing;
      this.emit("change");
    }

    // Has the view of a conversation show an entry.
    show(conversation, seq) {
      conversation.target = { seq };
      this.emit("change");
    }

    // reply: {seq, usr} of the message that this one replies to; style: "action" for what the user does.
    send(conversation, text, { reply, style } = {}) {
      const item = {
        txn: GTChat.randomKey(), msg: text.normalize("NFC"), after: conversation.lastSeq,
        at: new Date().toISOString(), state: "sending", resent: false, reply, style,
      };
      conversation.outgoing.push(item);
      conversation.sentCount += 1;
      this.emit("change");
      return this.#transmit(conversation, item);
    }

    // Gives an own message another text. A second edit takes the place of one that was not confirmed.
    edit(room, entry, text) {
      const msg = text.normalize("NFC");
      const unconfirmed = room.edits.get(entry.seq);
      if (unconfirmed) this.connection.cancel(unconfirmed.txn);
      const item = { of: entry.seq, txn: GTChat.randomKey(), msg, state: "sending" };
      room.edits.set(entry.seq, item);
      this.emit("change");
      return this.#transmit(room, item);
    }

    // Sends a failed message or edit again.
    retry(conversation, item) {
      Object.assign(item, { state: "sending", resent: true, error: undefined, delay: undefined });
      this.emit("change");
      return this.#transmit(conversation, item);
    }

    discard(conversation, item) {
      this.connection.cancel(item.txn);
      if (item.of) conversation.edits.delete(item.of);
      else conversation.outgoing = conversation.outgoing.filter((other) => other !== item);
      this.emit("change");
    }

    // Sends what was not confirmed when the page was left, after the state was restored.
    resend() {
      for (const conversation of this.state.conversations) {
        for (const item of [...conversation.outgoing, ...conversation.edits.values()]) {
          if (item.state === "sending") this.#transmit(conversation, item);
        }
      }
    }

    async #transmit(conversation, item) {
      const { of, msg, txn, reply, style } = item;
      const onDelay = (delay) => {
        item.delay = delay;
        this.emit("change");
      };
      try {
        if (of) await this.#transmitEdit(conversation, item, onDelay);
        else await this.request("speak", { ...placeOf(conversation, item), msg, txn, reply: reply?.seq, style }, onDelay);
      } catch (error) {
        Object.assign(item, { state: "failed", error });
        // The account of the other user may have ended.
        if (conversation.kind === "direct" && error.code === "not_allowed") this.loadDirects({ pages: 1 });
        this.emit("change");
      }
    }

    // The edit is confirmed by the entry, which follows the reply. An edit to the same text has none.
    async #transmitEdit(room, item, onDelay) {
      const { of, msg, txn } = item;
      const { seq } = await this.request("edit", { ...room.place, seq: of, msg, txn }, onDelay);
      if (seq > room.lastSeq) item.seq = seq;
      else if (room.edits.get(of) === item) room.edits.delete(of);
      this.emit("change");
    }

    delete(room, entry, reason) {
      return this.request("delete", { ...room.place, seq: entry.seq, reason, txn: GTChat.randomKey() });
    }

    // Reacts with an emoji, or takes that back.
    react(room, entry, emoji) {
      const on = !entry.reactions?.some((reaction) => reaction.emoji === emoji && reaction.me);
      return this.request("react", { ...room.place, seq: entry.seq, emoji, on, txn: GTChat.randomKey() });
    }

    pin(room, entry) {
      return this.request(entry.pinned ? "unpin" : "pin", { ...room.place, seq: entry.seq, txn: GTChat.randomKey() });
    }

    // Loads a message that others reply to, unless it is known or on its way.
    loadQuote(room, seq) {
      const key = `${room.key} ${seq}`;
      if (room.quote(seq) !== undefined || this.#wanted.has(key)) return;
      this.#wanted.add(key);
      const { windowId } = room;
      this.#loading = this.#loading.then(async () => {
        const message = await this.#loadMessage(room, seq).catch(() => undefined);
        this.#wanted.delete(key);
        if (message === undefined || room.windowId !== windowId) return;
        room.keepQuote(seq, message);
        this.emit("change");
      });
    }

    // Returns a promise of a message as it is now, null if there is none.
    async #loadMessage(room, seq) {
      const { entries } = await this.connection.request("history", { ...room.place, around: seq, limit: 1 });
      const [entry] = entries;
      return entry?.seq === seq && GTChat.isMessage(entry) ? entry : null;
    }

    // Loads the pinned messages of a room, the last one pinned first, unless they are loaded.
    async loadPins(room) {
      if (room.pins) return;
      const { windowId, pinChanges } = room;
      const pinned = new Map();
      for (const seq of await this.#pinnedSeqs(room)) {
        const message = room.entryAt(seq) ?? await this.#loadMessage(room, seq);
        if (message?.pinned) pinned.set(seq, message);
      }
      // What changed meanwhile may be missing: it is loaded again, as nothing else would.
      if (room.windowId !== windowId || room.pinChanges !== pinChanges) return this.loadPins(room);
      room.pins = pinned;
      this.emit("change");
    }

    // Returns a promise of the seqs of messages that were pinned, the last one first. The log tells what was
    // pinned and unpinned; the later entry counts.
    async #pinnedSeqs(room) {
      const states = new Map();
      let before;
      for (let count = 0; count < MAX_PINS_PAGES; count += 1) {
        const query = { ...room.place, kinds: ["pinned", "unpinned"], limit: PINS_PAGE, before };
        const { entries, more } = await this.connection.request("history", query);
        for (const { of, type } of [...entries].reverse()) if (!states.has(of)) states.set(of, type === "pinned");
        before = entries[0]?.seq;
        if (!more || !before) break;
      }
      return [...states].filter(([, on]) => on).map(([of]) => of);
    }
  };
})();
