// A room as the page knows it: a part of its log, and what follows from it.
//
// `entries` is a stretch of the log without a gap, of at most MOST entries: it moves as somebody
// reads up and down. What stands below it is only counted (`lastSeq`) until it is read.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;

  const PAGE = 100;
  const MOST = 400;

  GTChat.Room = class {
    constructor(name) {
      this.name = name;
      this.topic = "";
      this.public = true;
      this.owner = "";
      this.max = 0;
      this.members = new Set(); // names
      this.membersLoaded = false;
      this.memberCount = 0;
      this.joined = false;
      this.lastSeq = 0;
      this.entries = [];
      this.stretch = 0; // which one it is: a page that was asked for before belongs to no later one
      this.started = false; // whether a part of the log was asked for
      this.loading = null; // "before", "after", "latest", "around"
      this.failed = false; // whether the last loading failed
      this.outgoing = []; // one's own messages that the server has not confirmed
      this.unread = 0;
      this.mentioned = false;
      this.readSeq = 0; // the last that was read
      this.markedSeq = 0; // what the server knows to be read
      this.line = null; // the "new" line stands below this seq
      this.typing = new Map(); // name of who writes just now -> what ends it
    }

    // What lists and replies say of a room.
    describe(info) {
      for (const key of ["topic", "public", "owner", "max"]) {
        if (info[key] !== undefined) this[key] = info[key];
      }
    }

    // The number of the last entry.
    get end() { return this.lastSeq; }

    get first() { return this.entries.length ? this.entries[0].seq : this.lastSeq + 1; }
    get last() { return this.entries.length ? this.entries.at(-1).seq : this.lastSeq; }
    get atStart() { return this.first <= 1; }
    get atEnd() { return this.started && this.last === this.lastSeq; }

    // A new entry of the log; whether it is new indeed.
    take(entry) {
      if (entry.seq <= this.lastSeq) return false;
      const follows = this.atEnd && entry.seq === this.lastSeq + 1;
      this.lastSeq = entry.seq;
      if (follows) this.entries.push(entry);
      return true;
    }

    // Forgets the stretch; the newest page is asked for next time.
    forget(lastSeq) {
      this.stretch += 1;
      this.loading = null;
      this.lastSeq = lastSeq;
      this.entries = [];
      this.started = false;
    }

    // Somebody read up to an entry, here or elsewhere.
    readTo(seq) {
      if (seq <= this.readSeq) return;
      this.readSeq = Math.min(seq, this.lastSeq);
      this.unread = Math.min(this.unread, this.lastSeq - this.readSeq);
      if (!this.unread) this.mentioned = false;
    }

    // What to ask the server for, to read on in a direction (or around a seq); null where there is
    // nothing.
    request(direction, seq) {
      if (this.loading) return null;
      if (direction === "around") return { around: seq, limit: PAGE };
      if (direction === "before") {
        return this.started && !this.atStart ? { before: this.first, limit: PAGE } : null;
      }
      if (direction === "after") {
        return this.started && !this.atEnd ? { after: this.last, limit: PAGE } : null;
      }
      return { limit: PAGE };
    }

    // Puts a page of the log where it belongs.
    place(direction, page) {
      const entries = page.entries;
      if (direction === "latest" || direction === "around") {
        this.entries = entries;
        this.started = true;
        this.lastSeq = Math.max(this.lastSeq, this.last);
      } else if (direction === "before") {
        this.entries = [...entries.filter((entry) => entry.seq < this.first), ...this.entries];
        this.entries.length = Math.min(this.entries.length, MOST);
      } else {
        this.entries = [...this.entries, ...entries.filter((entry) => entry.seq > this.last)];
        this.trim();
      }
    }

    // Lets go of what is far above, for somebody who reads at the end.
    trim() {
      if (this.entries.length > MOST) this.entries = this.entries.slice(-MOST);
    }

    // One's own messages to show below the log. One that was sent twice, since the connection was
    // lost, may stand in the log already while its answer is under way.
    waiting(me) {
      const said = (item) => item.again && this.entries.some((entry) => (
        entry.seq > item.after && entry.usr === me && entry.msg === item.msg
      ));
      return this.atEnd || !this.started ? this.outgoing.filter((item) => !said(item)) : [];
    }
  };
})();
