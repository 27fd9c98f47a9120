// A room: its settings, its members, the loaded part of its log, and what is unread in it.
//
// `entries` is a window of the log, of at most WINDOW lines, which moves as the user scrolls. It covers the
// log from `firstLoaded` to `lastLoaded`; entries that are not shown (changes of messages, those of blocked
// users, kinds that are unknown here) are not in it. What comes after the window is not kept: `lastSeq`
// counts it until it is loaded.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { changes } = GTChat;

  // Entries asked for at a time; lines kept, and entries, if many share a line.
  const PAGE = 100;
  const WINDOW = 400;
  const MAX_ENTRIES = 4000;
  // A page of many entries in fewer lines than this hardly fills the view; after so many of them in a row
  // the user is asked before more are loaded.
  const FEW_LINES = 10;
  const MAX_SPARSE_PAGES = 10;
  // Messages kept outside of the window because others reply to them.
  const MAX_QUOTED = 200;
  // Changes kept of messages that are not in the window.
  const MAX_LATE = 200;

  // Events that have a line in the log; those of the second set share one if they follow each other.
  const EVENTS = new Set([
    "room_created", "room_changed", "join_room", "leave_room", "kicked", "removed", "role", "muted", "unmuted", "banned", "unbanned",
  ]);
  const GROUPED = new Set(["join_room", "leave_room"]);
  // Changes that may change which messages are pinned.
  const PIN_CHANGES = new Set(["pinned", "unpinned", "deleted"]);
  const RANKS = { owner: 3, moderator: 2, voice: 1 };

  const isMessage = ({ cmd }) => cmd === "c_speak" || cmd === "c_whisper";
  const isShown = (entry) => isMessage(entry) || (entry.cmd === "c_event" && EVENTS.has(entry.type));

  // Returns whether two entries beside each other share a line.
  const sharesLine = (entry, neighbour) => GROUPED.has(entry.type) && GROUPED.has(neighbour?.type);

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

  Object.assign(GTChat, { sharesLine, isMessage });

  GTChat.Room = class {
    kind = "room";

    constructor(name) {
      this.name = name;
      this.key = `room ${name}`; // tells it from all other conversations
      this.topic = "";
      this.public = true;
      this.preview = false; // whether users who are not members can see its last messages while it is public
      this.owner = "";
      this.max = 0; // member limit; 0: none
      this.members = new Set(); // names
      this.roles = new Map(); // name -> "moderator" or "voice", of members who have a role
      this.moderated = false; // whether members need a role to speak
      this.slow = 0; // seconds between two messages of a member
      this.keep = { keep_messages: 0, keep_days: 0 }; // most messages, and days; 0: as many as the server keeps
      this.mutedUntil = undefined; // until when the user is muted, "" for no end; undefined: not
      this.membersLoaded = false;
      this.memberCount = 0;
      this.joined = false;
      this.lastSeq = 0; // seq of the last entry that was pushed or resumed
      this.entries = [];
      this.firstLoaded = 1; // the part of the log that the window covers; nothing: first = last + 1
      this.lastLoaded = 0;
      this.logFirst = 1; // the first entry that the server keeps
      this.late = []; // changes that came before the message: while a page was loading, or before its reply
      this.windowId = 0; // changes with each reset or jump, so that a late page is not put into a new window
      this.loaded = false; // whether the window has been filled since the last reset
      this.loading = null; // "before", "after", "latest" or "around" while a page is requested
      this.failed = false; // whether the last request of a page failed
      this.trimmed = null; // "before" or "after": where entries were last dropped from the window
      this.sparsePages = 0; // pages in a row that made few lines
      this.outgoing = []; // own messages that the server has not confirmed
      this.edits = new Map(); // seq -> an edit of an own message that the server has not confirmed
      this.quoted = new Map(); // seq -> a message that others reply to; null: there is none
      this.pins = null; // seq -> message, the pinned ones, once they are loaded
      this.pinChanges = 0; // counts what was pinned, so that a late list is not taken for the present one
      this.sentCount = 0; // own messages sent from this page
      this.endShown = true; // whether the view, if it is open, shows the end of the log
      this.unread = 0; // messages of other users
      this.mentions = 0; // how many of them mention the user
      this.mentionSeqs = new Set(); // of those mentions, the ones that are known
      this.readSeq = 0; // last entry that was read; see read_marks.js
      this.markedSeq = 0; // last entry that was reported as read
      this.confirmedSeq = 0; // last entry that the server has confirmed to be read
      this.held = false; // whether it stays unread although it is shown
      this.recount = false; // whether the log has gaps, and `unread` has to be taken from the server's next list
      this.miscounted = false; // whether `unread` alone has to be taken from there
      this.level = "all"; // which messages cause a notification: "all", "mentions" or "none"
      this.dividerSeq = null; // the "New" divider is shown after this entry; null: not shown
      this.dividerCount = 0; // messages that were unread when the divider was put there
      this.composing = null; // what the message box is for besides a new message: {kind: "reply" or "edit", entry}
      this.target = null; // an entry that the view is to show: {seq}
      this.typing = new Set(); // names of users who are typing
    }

    // Takes over the settings in `info`, an entry of a room list or the `room` of a reply.
    update(info) {
      for (const key of ["topic", "public", "owner"]) {
        if (info[key] !== undefined) this[key] = info[key];
      }
      // These are told where they are on, beside the other settings.
      if (info.public === undefined) return;
      const { max = 0, preview, moderated, slow = 0, keep_messages = 0, keep_days = 0 } = info;
      Object.assign(this, { max, preview: Boolean(preview), moderated: Boolean(moderated), slow, keep: { keep_messages, keep_days } });
    }

    // The fields of a request that name it.
    get place() { return { room_name: this.name }; }

    // Whether nothing can be said or changed in it.
    get readOnly() { return !this.joined; }

    // Returns the rank of a user; moderators act on users of a lower one.
    rankOf(name) { return this.owner === name ? RANKS.owner : RANKS[this.roles.get(name)] ?? 0; }

    // Returns whether a user may moderate it, and another of the rank `below`.
    moderates(name, below = 0) { return this.rankOf(name) >= RANKS.moderator && this.rankOf(name) > below; }

    // Returns why a user, the own one, cannot speak: "muted", "moderated", or null.
    silence(me, now = Date.now()) {
      if (this.mutedUntil === "" || new Date(this.mutedUntil) > now) return "muted";
      return this.moderated && !this.rankOf(me) ? "moderated" : null;
    }

    // The list of members has to be loaded again.
    forgetMembers() {
      this.members.clear();
      this.roles.clear();
      this.membersLoaded = false;
    }

    get atStart() { return this.firstLoaded <= this.logFirst; }
    get atEnd() { return this.loaded && this.lastLoaded >= this.lastSeq; }

    // Returns the entry with this seq, if the window has it.
    entryAt(seq) { return this.entries.find((entry) => entry.seq === seq); }

    // Takes in a pushed entry. A connection delivers in order and without loss; the numbers that are missing
    // are of entries that are not for this user. Returns false if it was taken in already. me: the user's name.
    append(entry, me = "") {
      const { seq } = entry;
      if (seq <= this.lastSeq) {
        this.#insert(entry);
        return false;
      }
      const follows = this.atEnd;
      const loaded = seq <= this.lastLoaded; // by a page that was ahead
      this.lastSeq = seq;
      if (follows) this.lastLoaded = Math.max(this.lastLoaded, seq);
      if (changes.has(entry)) this.#change(entry, me);
      else if (follows && !loaded && isShown(entry)) this.entries.push(entry);
      return true;
    }

    // Puts a message in its place in the window. The reply to an own one may come after pushes of later entries.
    #insert(message) {
      const { seq } = message;
      if (!isMessage(message) || seq < this.firstLoaded || seq > this.lastLoaded || this.entryAt(seq)) return;
      const before = this.entries.findLastIndex((entry) => entry.seq < seq);
      this.entries.splice(before + 1, 0, this.#withLate(message));
    }

    // Returns the message with the changes that came before it.
    #withLate(message) {
      const own = this.late.filter(([change]) => change.of === message.seq);
      return own.reduce((changed, [change, me]) => changes.apply(changed, change, me), message);
    }

    // Changes the message that an entry is about, wherever it is.
    #change(change, me) {
      const { of, type } = change;
      const index = this.entries.findIndex(({ seq }) => seq === of);
      if (index >= 0) this.entries[index] = changes.apply(this.entries[index], change, me);
      if (this.loading || index < 0) this.late.push([change, me]);
      if (!this.loading && this.late.length > MAX_LATE) this.late.shift();
      for (const kept of [this.quoted, this.pins]) {
        if (kept?.get(of)) kept.set(of, changes.apply(kept.get(of), change, me));
      }
      if (type === "deleted" || type === "unpinned") this.pins?.delete(of);
      // Another one is pinned: the list is loaded again when it is shown.
      if (type === "pinned") this.pins = null;
      if (PIN_CHANGES.has(type)) this.pinChanges += 1;
      if (this.edits.get(of)?.seq <= change.seq || type === "deleted") this.edits.delete(of);
      if (type === "deleted" && this.composing?.entry.seq === of) this.composing = null;
    }

    // Empties the window; the latest page has to be loaded again.
    reset(lastSeq) {
      this.windowId += 1;
      this.loading = null;
      this.lastSeq = lastSeq;
      this.entries = [];
      this.firstLoaded = lastSeq + 1;
      this.lastLoaded = lastSeq;
      this.late = [];
      this.quoted.clear();
      this.pins = null;
      this.loaded = false;
      this.trimmed = null;
      this.sparsePages = 0;
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

    // Adds a page of the log to the window. direction: as in historyQuery; page: the reply to it, its entries
    // by rising seq.
    addPage(direction, page) {
      const { more = false, log_first: logFirst = 1 } = page;
      const entries = page.entries.filter(isShown).map((entry) => this.#withLate(entry));
      this.late = [];
      const [first, last] = [page.entries[0]?.seq, page.entries.at(-1)?.seq];
      const sparse = entries.length === 0 || (entries.length >= PAGE / 2 && countLines(entries) < FEW_LINES);
      this.sparsePages = sparse ? this.sparsePages + 1 : 0;
      this.logFirst = logFirst;
      if (this.entries[0]?.seq < logFirst) this.entries = this.entries.filter(({ seq }) => seq >= logFirst);
      const end = page.log_last ?? last ?? this.lastSeq;
      if (direction === "latest" || direction === "around") {
        this.entries = entries;
        this.loaded = true;
        // A page around an entry may end on either side.
        this.firstLoaded = more && first ? first : logFirst;
        this.lastLoaded = direction === "around" && more && last ? last : end;
      } else if (direction === "before") {
        this.entries = [...entries.filter((entry) => entry.seq < this.firstLoaded), ...this.entries];
        this.firstLoaded = more && first ? first : logFirst;
        this.#drop("after");
      } else {
        this.entries = [...this.entries, ...entries.filter((entry) => entry.seq > this.lastLoaded)];
        this.lastLoaded = more && last ? last : Math.max(this.lastLoaded, end);
        this.trim();
      }
    }

    // Drops the oldest entries of a window that has grown at its end.
    trim() { if (this.entries.length > WINDOW) this.#drop("before"); }

    // Drops entries of a window that has grown too long, before or after those that are kept.
    #drop(side) {
      const kept = side === "after" ? fitting(this.entries) : fitting([...this.entries].reverse()).reverse();
      if (kept.length === this.entries.length) return;
      this.entries = kept;
      this.trimmed = side;
      if (side === "after") this.lastLoaded = kept.at(-1).seq;
      else this.firstLoaded = kept[0].seq;
    }

    // Returns the message that others reply to: undefined if it is not known, null if there is none.
    quote(seq) { return this.entryAt(seq) ?? this.quoted.get(seq); }

    // Keeps a message that others reply to; null: there is none.
    keepQuote(seq, message) {
      if (this.quoted.size >= MAX_QUOTED) this.quoted.delete(this.quoted.keys().next().value);
      this.quoted.set(seq, message);
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
