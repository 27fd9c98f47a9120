// The search for messages: what is looked for, and what was found. It outlives the panel that shows it.
//
// The server runs one search of a user at a time: a new one waits for the reply to the one before, which is then
// ignored. Changes of messages apply to what was found, also those that come before the reply.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { changes, searchQuery } = GTChat;

  // Messages in a page.
  const PAGE = 30;
  // Changes kept while a page is loading.
  const MAX_LATE = 200;
  // Seconds after which a search that was refused is tried again, if the server tells none.
  const RETRY = 1;

  const fold = (name) => name.toLowerCase();

  GTChat.Search = class {
    #state;
    #connection;
    #change;
    #wanted = null; // {before}: the page that is asked for
    #busy = false; // whether a request has no reply
    #late = []; // changes that came meanwhile
    #cancelRetry = () => {};

    // change(): has the page drawn.
    constructor(state, connection, change) {
      this.#state = state;
      this.#connection = connection;
      this.#change = change;
      this.query = ""; // what is typed
      this.scope = undefined; // the conversation to search in; null: everywhere; undefined: the open one
      this.wantsFocus = false; // whether the field is to get the focus
      this.#forget();
    }

    #forget() {
      this.#cancelRetry();
      this.#wanted = null;
      this.searched = null; // {query, scope}: what was looked for
      this.entries = []; // messages that were found, the newest first
      this.next = null; // where the search goes on; null: there is no more
      this.incomplete = false; // whether it ended because it took too long
      this.loading = ""; // "first" or "more" while a page is asked for
      this.problem = null; // why the last page did not come: an error
      this.opened = null; // id of the message that was shown last
      this.scrollTop = 0; // of the list
    }

    // What was found and can still be read.
    get found() { return this.entries.filter(({ room_name: name }) => name === undefined || this.#state.rooms.get(name)?.joined); }

    // Prepares a search. scope: the conversation to search in; null: everywhere. What was found stays if it is of there,
    // or of everywhere.
    begin(scope) {
      this.wantsFocus = true;
      if (this.searched && (!this.searched.scope || this.searched.scope === scope)) return;
      this.#forget();
      this.scope = scope;
    }

    // Takes over what is typed.
    write(query) {
      this.query = query;
      if (!query) this.#forget();
      this.#change();
    }

    // Takes over a query that may be unfinished, and searches if it is not.
    refine(query, scope = this.scope) {
      Object.assign(this, { query, scope });
      if (!searchQuery.problem(query)) {
        this.start();
        return;
      }
      this.#forget();
      this.#change();
    }

    // Searches for what is typed.
    start() {
      const query = this.query.trim();
      const scope = searchQuery.values(query, "in").length ? null : this.scope ?? null;
      this.#forget();
      if (!query) {
        this.#change();
        return;
      }
      this.searched = { query, scope };
      const code = searchQuery.problem(query);
      if (code) this.#fail(Object.assign(new Error(), { code }));
      else this.#load();
    }

    // Loads the next page, or again the one that did not come.
    loadMore() { if (!this.loading) this.#load(this.next ?? undefined); }

    #fail(error) {
      Object.assign(this, { problem: error, loading: "" });
      if (error.code === "rate_limited") {
        this.#cancelRetry = this.#connection.after((error.retryAfter ?? RETRY) * 1000, () => this.loadMore());
      }
      this.#change();
    }

    async #load(before) {
      this.#cancelRetry();
      Object.assign(this, { loading: before ? "more" : "first", problem: null });
      this.#wanted = { before };
      this.#change();
      if (this.#busy) return;
      this.#busy = true;
      while (this.#wanted) await this.#request(this.#wanted);
      this.#busy = false;
    }

    // Asks for a page. Its reply is ignored if another one is wanted meanwhile, or none.
    async #request(page) {
      const { query, scope } = this.searched;
      this.#late = [];
      const [reply, error] = await this.#connection.request("search", { ...scope?.place, q: query, before: page.before, limit: PAGE })
        .then((found) => [found, null], (failed) => [null, failed]);
      if (this.#wanted !== page) return;
      this.#wanted = null;
      if (error) this.#fail(error);
      else this.#take(reply);
    }

    #take({ entries, more, next, incomplete }) {
      const found = this.#late.reduce((changed, change) => this.#apply(changed, change), entries);
      Object.assign(this, {
        entries: [...this.entries, ...found], next: more ? next : null, incomplete: Boolean(incomplete), loading: "" });
      this.#change();
    }

    // Follows a push: a message that was found may be changed.
    onPush(push) {
      if (!changes.has(push)) return;
      if (this.#busy && this.#late.length < MAX_LATE) this.#late.push(push);
      if (this.entries.length) this.entries = this.#apply(this.entries, push);
    }

    // After a lost connection: follows what was missed. Where that is not known the search is made again, as one that
    // got no reply.
    onResumed({ resumed }) {
      const followed = new Set();
      for (const missed of resumed.filter(({ state }) => state === "resumed")) {
        followed.add(this.#state.conversation(missed));
        for (const entry of missed.entries) this.onPush(entry);
      }
      if (this.problem?.code === "unanswered") this.loadMore();
      else if (this.found.some((entry) => !followed.has(this.#state.conversation(entry)))) this.#again();
    }

    #again() {
      const { searched } = this;
      this.#forget();
      this.searched = searched;
      this.#load();
    }

    // Returns the messages after a change: a deleted one is not found, and where an edited one has what was looked for
    // is not known.
    #apply(entries, change) {
      return entries.flatMap((entry) => {
        const changed = entry.seq === change.of && this.#isOf(entry, change) ? changes.apply(entry, change, this.#state.me) : entry;
        if (changed.deleted) return [];
        return [changed !== entry && change.type === "edited" ? { ...changed, marks: undefined } : changed];
      });
    }

    // Returns whether a change is of the conversation of a message. That of a direct conversation names the other user.
    #isOf({ room_name: room, direct, usr, to }, { room_name: name, target_user: other }) {
      if (name !== undefined || room !== undefined) return room === name;
      const known = this.#state.findDirect(other)?.id ?? null;
      return known === null ? fold(usr === this.#state.me ? to : usr) === fold(other) : known === direct;
    }
  };
})();
