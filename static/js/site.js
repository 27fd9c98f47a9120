// What the server tells before a login: who can register, and whether there are guests. What it told last is kept for the
// next visit, so that the login page does not change before the eyes of its user.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;

  const KEY = "gtchat site";
  const ADDRESS = "site.json";
  const OPEN = { registration: "open", guests: true };
  // Errors that tell that it has changed.
  const CHANGED = new Set(["registration_closed", "invite_wanted", "not_allowed"]);

  GTChat.Site = class {
    #shell;

    constructor(shell, storage = GTChat.storage.local) {
      this.#shell = shell;
      this.storage = storage;
      this.info = shell.fromDisk ? OPEN : { ...OPEN, ...storage.get(KEY, {}) };
    }

    // Asks the server. A page from disk may not, and shows everything.
    async load(fetch = globalThis.fetch.bind(globalThis)) {
      if (this.#shell.fromDisk) return;
      try {
        const answer = await fetch(ADDRESS, { cache: "no-store" });
        if (!answer.ok) return;
        this.info = { ...OPEN, ...await answer.json() };
        this.storage.set(KEY, this.info);
        this.#shell.change();
      } catch { /* without a connection, what was told last holds */ }
    }

    // Asks again after an error that tells that it has changed.
    async onError({ code }) { if (CHANGED.has(code)) await this.load(); }

    // The ways to log in that there are, of those given.
    ways(modes) {
      const { registration, guests } = this.info;
      return modes.filter((mode) => (mode === "guest" ? guests : mode !== "register" || registration === "open"));
    }
  };
})();
