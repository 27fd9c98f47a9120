// The messages that mention the user, the newest mention first, as far as they were loaded.
//
// Pushes keep it right. Messages are told apart by their ids; a change names its message by the conversation and seq.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { changes } = GTChat;

  const fold = (name) => name.toLowerCase();

  // Returns whether a message is the entry `seq` of a conversation. A direct one mentions the user: the other wrote it.
  const isEntry = (message, { kind, name }, seq) => message.seq === seq && (
    kind === "room" ? message.room_name === name : message.cmd === "c_whisper" && fold(message.usr) === fold(name));

  GTChat.MentionList = class {
    constructor() { this.reset(); }

    // Nothing is loaded.
    reset() {
      this.entries = [];
      this.next = undefined; // the cursor of the next page; undefined: none
      this.loaded = false; // whether the first page is there
      this.loading = false;
      this.failed = false; // whether the last page could not be loaded
      this.late = []; // [conversation, change, mentions]: changes that came while a page was loading
    }

    get more() { return !this.loaded || this.next !== undefined; }

    // Adds a page. before: the cursor that it was asked for with; a page for another one is dropped.
    addPage({ entries, next }, before) {
      if (before !== this.next) return;
      const known = new Set(this.entries.map(({ id }) => id));
      this.entries = [...this.entries, ...entries.filter(({ id }) => !known.has(id))];
      Object.assign(this, { next, loaded: true });
      for (const late of this.late) this.#change(...late);
      this.late = [];
    }

    // A message has come that mentions the user.
    add(message) {
      if ((this.loaded || this.loading) && !this.entries.some(({ id }) => id === message.id)) this.entries.unshift(message);
    }

    // A message of a conversation has been edited or deleted. message: as it is now, if it is known; mentions: whether it
    // mentions the user now.
    change(conversation, entry, message, mentions) {
      if (this.loading) this.late.push([conversation, entry, mentions]);
      this.#change(conversation, entry, mentions);
      if (!mentions || this.entries.some((other) => isEntry(other, conversation, entry.of))) return;
      if (message) this.add(message);
      else this.reset(); // it has to be loaded
    }

    #change(conversation, entry, mentions) {
      const index = this.entries.findIndex((message) => isEntry(message, conversation, entry.of));
      if (index < 0) return;
      if (mentions) this.entries[index] = changes.apply(this.entries[index], entry, "");
      else this.entries.splice(index, 1);
    }

    // The user is no longer a member of a room.
    leave(name) { this.entries = this.entries.filter((message) => message.room_name !== name); }
  };
})();
