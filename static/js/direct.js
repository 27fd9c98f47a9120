// A direct chat with one user: the messages that this browser tab has received and sent.
//
// Delivered messages are kept here only; the server does not store them.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;

  // Messages kept.
  const LIMIT = 500;

  GTChat.DirectChat = class {
    kind = "direct";

    constructor(name) {
      this.name = name; // of the other user
      this.entries = [];
      this.outgoing = []; // own messages that the server has not confirmed
      this.sentCount = 0; // own messages sent from this page
      this.endShown = true; // whether the view, if it is open, shows the last message
      this.unread = 0; // messages of the other user
      this.mentioned = false;
      this.readSeq = 0; // number of entries that were read
      this.dividerSeq = null; // the "New" divider is shown after this many entries; null: not shown
      this.dividerCount = 0; // messages that were unread when the divider was put there
      this.composing = null; // always: direct messages cannot be changed or replied to
      this.target = null; // an entry that the view is to show: {seq}
    }

    // Position of the last entry, in the same unit as `readSeq`.
    get endSeq() { return this.entries.length; }

    get atEnd() { return true; }

    // Returns the message at a position.
    entryAt(seq) { return this.entries[seq - 1]; }

    // Adds a message, unless one with its id is there.
    append(message) {
      if (this.entries.some((other) => other.id === message.id)) return;
      this.entries.push({ ...message, cmd: "c_whisper", seq: 0 });
      if (this.entries.length > LIMIT) this.entries.shift();
    }

    // Returns the unconfirmed messages to show below the others.
    pending() { return this.outgoing; }
  };
})();
