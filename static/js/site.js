// What the server tells before a login: who can register, whether there are guests, what an invitation is for. What it
// told last is kept for the next visit, so that the login page does not change before the eyes of its user.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;

  const KEY = "gtchat site";
  const INVITE_KEY = "gtchat invite"; // of a tab: a reload keeps the invitation
  const FIRST_KEY = "gtchat first"; // of a tab: likewise the link of the first operator
  const ADDRESS = "site.json";
  const OPEN = { name: "GTChat", registration: "open", guests: true };
  // The invitation that the first operator gets.
  const FIRST_INVITATION = { uses: 25, days: 7 };
  // Errors that tell that it has changed.
  const CHANGED = new Set(["registration_closed", "invite_wanted", "not_allowed"]);

  GTChat.Site = class {
    #shell;
    #hello = null; // the reply to `hello` that was taken last

    constructor(shell, storage = GTChat.storage.local) {
      this.#shell = shell;
      this.storage = storage;
      this.info = shell.fromDisk ? OPEN : { ...OPEN, ...storage.get(KEY, {}) };
      this.invite = null; // the secret of the invitation that the page was opened with
      this.invitation = null; // what it is for, as the server says: {inviter, room_names}, or {error}
      this.first = null; // {secret, done, invite} while the first operator sets up the chat
      this.takeInvite();
      this.takeFirst();
      shell.on("change", () => this.#watch());
    }

    // Takes the link of the first operator out of the address, or that of this tab. Returns whether there is one.
    takeFirst(tab = GTChat.storage.tab) {
      const taken = GTChat.address.takeFirst();
      if (taken) tab.set(FIRST_KEY, taken);
      const secret = taken ?? tab.get(FIRST_KEY, null);
      if (secret) {
        this.first = { secret, done: false, invite: null };
        GTChat.loadLater("qr_code", "views/link", "views/first_start").then(() => this.#shell.change(), () => this.leaveFirst());
      }
      return Boolean(taken);
    }

    // Makes the account of the first operator, logs in, and does the rest as an operator. It fails as a request does, but
    // not any more once there is the account: what is not done then is done with commands.
    async setUp({ user, new_password: pwd, chat_name: name, registration: mode }) {
      const shell = this.#shell;
      await shell.logIn("register", user.trim(), pwd);
      const run = async (command, args) => (await shell.actions.request("admin", { name: command, args, pwd })).result;
      try {
        await run("chat-name", { name });
        await run("registration", { mode });
        if (mode !== "closed") this.first.invite = (await run("invitations create", FIRST_INVITATION)).invite;
      } catch (error) {
        shell.notice(GTChat.reason(error));
      }
      await this.load();
      this.first.done = true;
      shell.change();
    }

    // Shows the chat, or the login page.
    leaveFirst(tab = GTChat.storage.tab) {
      tab.set(FIRST_KEY, null);
      this.first = null;
      this.#shell.change();
    }

    // Takes an invitation (#/invite/secret) out of the address, or that of this tab. Returns whether there is one.
    takeInvite(tab = GTChat.storage.tab) {
      const taken = GTChat.address.takeInvite();
      if (taken) tab.set(INVITE_KEY, taken);
      this.invite = taken ?? tab.get(INVITE_KEY, null);
      this.invitation = null;
      if (this.invite) this.#find();
      return Boolean(taken);
    }

    // Asks what the invitation is for, over a connection of its own, which does not wait for the login.
    async #find() {
      const { invite } = this;
      const connection = new GTChat.Connection(this.#shell.url, { session: null });
      try {
        connection.start();
        this.invitation = await connection.request("find_invite_link", { invite });
      } catch (error) {
        this.invitation = { error };
      }
      connection.close();
      this.#shell.change();
    }

    // Registers with what lets the user in, which is used then.
    async register(actions, fields) {
      await actions.register({ ...fields, ...this.proof });
      this.forgetInvite();
    }

    forgetInvite(tab = GTChat.storage.tab) {
      for (const key of [INVITE_KEY, FIRST_KEY]) tab.set(key, null);
      this.invite = this.invitation = null;
    }

    // Registers with an invitation that was pasted: a link, or the secret itself.
    useInvite(pasted) { this.invite = pasted.trim().split("/").at(-1); }

    // The fields of `register` that let the user in.
    get proof() { return this.first ? { link: this.first.secret } : this.invite ? { invite: this.invite } : {}; }

    // Whether registering needs an invitation.
    get wantsInvite() { return this.info.registration === "invite"; }

    // Takes what the server told; a page that is logged in has it from the reply to `hello`.
    #take({ name, registration, guests }) {
      this.info = { ...OPEN, name, registration, guests };
      for (const [key, value] of Object.entries(OPEN)) this.info[key] ??= value;
      if (!this.#shell.fromDisk) this.storage.set(KEY, this.info);
    }

    #watch() {
      // A session that the tab has kept may have ended meanwhile: its user needs the invitation then.
      const { loggedIn, connection } = this.#shell;
      if (this.invite && loggedIn && connection.state === "open") {
        this.forgetInvite();
        this.#shell.notice(GTChat.text("invited_already"));
      }
      const hello = connection?.hello;
      if (!hello?.version || hello === this.#hello) return;
      this.#hello = hello;
      this.#take(hello);
    }

    // Asks the server. A page from disk may not, and shows everything.
    async load(fetch = globalThis.fetch.bind(globalThis)) {
      if (this.#shell.fromDisk) return;
      try {
        const answer = await fetch(ADDRESS, { cache: "no-store" });
        if (!answer.ok) return;
        this.#take(await answer.json());
        this.#shell.change();
      } catch { /* without a connection, what was told last holds */ }
    }

    // Asks again after an error that tells that it has changed.
    async onError({ code }) { if (CHANGED.has(code)) await this.load(); }

    // The ways to log in that there are, of those given.
    ways(modes) {
      const { registration, guests } = this.info;
      return modes.filter((mode) => (mode === "guest" ? guests : mode !== "register" || registration !== "closed"));
    }
  };
})();
