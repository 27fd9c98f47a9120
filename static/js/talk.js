// A talk in private with one person, as the page knows it, and what names a person in a text.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;

  // Whispers kept of a talk, in the page.
  const MOST = 500;

  // It is kept here alone: the server forgets what was delivered.
  GTChat.Talk = class {
    constructor(name, entries = []) {
      this.name = name;
      this.entries = entries;
      this.outgoing = [];
      this.unread = 0;
      this.readSeq = 0; // how many entries were read
      this.line = null;
    }

    // The number of the last entry.
    get end() { return this.entries.length; }

    // Puts a whisper at the end, once.
    keep(entry) {
      if (this.entries.some((other) => other.id === entry.id)) return;
      this.entries.push({ ...entry, cmd: "c_whisper", seq: 0 });
      if (this.entries.length > MOST) this.entries.shift();
    }
  };

  // Whether a text names a person: @name, or the bare name as a word.
  GTChat.mentions = (text, name) => {
    if (!name) return false;
    const quoted = name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
    return new RegExp(`(^|[^\\p{L}\\p{N}_])@?${quoted}(?![\\p{L}\\p{N}_])`, "iu").test(text);
  };
})();
