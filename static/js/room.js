// A room: its settings, its members, the loaded part of its log, and what is unread in it.
//
// `entries` is a window of the log without gaps, of at most WINDOW lines, which moves as the user
// scrolls. Entries after the window are not kept: `lastSeq` counts them until they are loaded.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;

  // Entries asked for at a time; lines kept, and entries, if many share a line.
  const PAGE = 100;
  const WINDOW = 400;
  const MAX_ENTRIES = 4000;
  // A page of many entries in fewer lines than this hardly fills the view; after so many of them in a row
  // the user is asked before more are loaded.
  const FEW_LINES = 10;
  const MAX_SPARSE_PAGES = 10;

  // Events of these types are shown in one line if they follow each other.
  const GROUPED = new Set(["join_room", "leave_room"]);

  // Returns whether two entries beside each other share a line.
  const sharesLine = (entry, neighbour) => GROUPED.has(entry.type) && neighbour?.type === entry.type;

  const countLines = (entries) => (
    entries.filter((entry, index) => !sharesLine(entry, entries[index - 1])).length);

  // Returns the first entries that fit into a window.
  const fitting = (entries) => {
    let lines = 0;
    const tooMany = entries.findIndex((entry, index) => {
      if (!sharesLine(entry, entries[index - 1])) lines += 1;
      return lines > WINDOW || index >= MAX_ENTRIES;
    });
    return tooMany < 0 ? entries : entries.slice(0, tooMany);
  };

  GTChat.sharesLine = sharesLine;

  GTChat.Room = class {
    kind = "room";

    constructor(name) {
      this.name = name;
      this.topic = "";
      this.public = true;
      this.owner = "";
      this.max = 0; // member limit; 0: none
      this.members = new Set(); // names
      this.membersLoaded = false;
      this.memberCount = 0;
      this.joined = false;
      this.lastSeq = 0; // seq of the log's last entry
      this.entries = [];
      this.windowId = 0; // changes with each reset or jump, so that a late page is not put into a new window
      this.loaded = false; // whether the window has been filled since the last reset
      this.loading = null; // "before", "after", "latest" or "around" while a page is requested
      this.failed = false; // whether the last request of a page failed
      this.trimmed = null; // "before" or "after": where entries were last dropped from the window
      this.sparsePages = 0; // pages in a row that made few lines
      this.outgoing = []; // own messages that the server has not confirmed
      this.sentCount = 0; // own messages sent from this page
      this.endShown = true; // whether the view, if it is open, shows the end of the log
      this.unread = 0; // messages of other users
      this.mentioned = false; // whether an unread message mentions the user
      this.readSeq = 0; // last entry that was read
      this.markedSeq = 0; // last entry that the server knows to be read
      this.recount = false; // whether `unread` has to be taken from the server's next list
      this.searchedSeq = -1; // the `readSeq` after which mentions were searched
      this.dividerSeq = null; // the "New" divider is shown after this entry; null: not shown
      this.dividerCount = 0; // messages that were unread when the divider was put there
      this.typing = new Set(); // names of users who are typing
    }

    // Takes over the settings in `info`, an entry of a room list or the `room` of a reply.
    update(info) {
      for (const key of ["topic", "public", "owner", "max"]) {
        if (info[key] !== undefined) this[key] = info[key];
      }
    }

    // Position of the last entry, in the same unit as `readSeq`.
    get endSeq() { return this.lastSeq; }

    // First and last entry of the window.
    get firstLoaded() { return this.entries.length ? this.entries[0].seq : this.lastSeq + 1; }
    get lastLoaded() { return this.entries.length ? this.entries.at(-1).seq : this.lastSeq; }
    get atStart() { return this.firstLoaded <= 1; }
    get atEnd() { return this.loaded && this.lastLoaded === this.lastSeq; }

    // Takes in a pushed entry. Returns false if it was known already.
    append(entry) {
      if (entry.seq <= this.lastSeq) return false;
      const follows = this.atEnd && entry.seq === this.lastSeq + 1;
      this.lastSeq = entry.seq;
      if (follows) this.entries.push(entry);
      return true;
    }

    // Empties the window; the latest page has to be loaded again.
    reset(lastSeq) {
      this.windowId += 1;
      this.loading = null;
      this.lastSeq = lastSeq;
      this.entries = [];
      this.loaded = false;
      this.trimmed = null;
      this.sparsePages = 0;
    }

    // Counts entries up to `seq` as read, after they were read in another session.
    markReadTo(seq) {
      if (seq <= this.readSeq) return;
      this.readSeq = Math.min(seq, this.lastSeq);
      this.unread = Math.min(this.unread, this.lastSeq - this.readSeq);
      if (!this.unread) this.mentioned = false;
    }

    // Returns the fields of a `history` request, or null if there is nothing to load.
    // direction: "latest", "before" or "after" the window, or "around" the entry `seq`, which replaces
    // what is being loaded.
    historyQuery(direction, seq) {
      if (direction === "around") return { around: seq, limit: PAGE };
      if (this.loading) return null;
      if (direction === "before") {
        return this.loaded && !this.atStart ? { before: this.firstLoaded, limit: PAGE } : null;
      }
      if (direction === "after") {
        return this.loaded && !this.atEnd ? { after: this.lastLoaded, limit: PAGE } : null;
      }
      return { limit: PAGE };
    }

    // Returns whether to load on in a direction without being asked. isShort: whether the window fills
    // the view so little that both of its ends are near; what was just dropped is not loaded again then.
    loadsOn(direction, isShort) {
      return !this.failed && this.sparsePages < MAX_SPARSE_PAGES && !(isShort && this.trimmed === direction);
    }

    // Adds a page of the log to the window. direction: as in historyQuery; entries: by rising seq.
    addPage(direction, entries) {
      const sparse = entries.length === 0 || (entries.length >= PAGE / 2 && countLines(entries) < FEW_LINES);
      this.sparsePages = sparse ? this.sparsePages + 1 : 0;
      if (direction === "latest" || direction === "around") {
        this.entries = entries;
        this.loaded = true;
        this.lastSeq = Math.max(this.lastSeq, this.lastLoaded);
      } else if (direction === "before") {
        this.entries = [...entries.filter((entry) => entry.seq < this.firstLoaded), ...this.entries];
        const kept = fitting(this.entries);
        if (kept.length < this.entries.length) this.trimmed = "after";
        this.entries = kept;
      } else {
        this.entries = [...this.entries, ...entries.filter((entry) => entry.seq > this.lastLoaded)];
        this.trim();
      }
    }

    // Drops the oldest entries of a window that has grown at its end.
    trim() {
      if (this.entries.length <= WINDOW) return;
      const kept = fitting([...this.entries].reverse()).reverse();
      if (kept.length < this.entries.length) this.trimmed = "before";
      this.entries = kept;
    }

    // Returns the unconfirmed messages to show below the log. A message that was sent again after a
    // lost connection is left out if the log has it already: its reply is on the way.
    pending(me) {
      const stored = (item) => item.resent && this.entries.some((entry) => (
        entry.seq > item.after && entry.usr === me && entry.msg === item.msg
      ));
      return this.atEnd || !this.loaded ? this.outgoing.filter((item) => !stored(item)) : [];
    }
  };
})();
