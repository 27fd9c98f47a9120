// What holds the page together: settings, the session and its connection. What is shown: see view_state.js.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;

  // The server of a page that is opened from disk, until another one is entered.
  const DEFAULT_URL = "ws://127.0.0.1:9000/";
  // Whether the system prefers the dark theme.
  const DARK = matchMedia("(prefers-color-scheme: dark)");

  // Why the server has ended a session, by the first word of the close reason: text keys.
  const ENDED_BY = { replaced: "over_replaced", password_changed: "over_password", session_ended: "over_ended", banned: "over_banned" };

  // Returns the text for the end of a session. code: a close code, or one of an error.
  const whyEnded = ({ code, reason, word }) => {
    const key = ENDED_BY[word] ?? `over_${code}`;
    return GTChat.text(GTChat.TEXTS[key] ? key : "over_other", { reason: reason.replace(/^banned: /, "") || code });
  };

  const { local, tab, keys, drafts } = GTChat.storage;

  GTChat.Shell = class extends GTChat.ViewState {
    #token = null; // that of the device when the session began
    #leaving = null; // the actions of a session that the user ends: it is not kept if the tab is left before the reply

    constructor() {
      super();
      this.fromDisk = location.protocol === "file:";
      this.settings = { url: DEFAULT_URL, name: "", mode: "guest", theme: "system", notify: false, sound: false,
        language: navigator.language, panel: "members",
        ...local.get("gtchat", {}) };
      this.notifications = new GTChat.Notifications(this);
      this.actions = null; // while there is a session or a login
      this.resetViews();
      this.ended = null; // why the last session has ended, as a text
      this.entering = false; // whether it is being found out if the tab has a session, or can begin one
      this.mode = this.settings.mode; // how this tab logs in: "guest" or "member"
      this.tabLock = new GTChat.TabLock();
      this.device = new GTChat.Device(this.url);
      this.site = new GTChat.Site(this);
      this.#applySettings();
    }

    get url() {
      if (this.fromDisk) return this.settings.url;
      return GTChat.Shell.socketURL(location.href);
    }

    // The WebSocket of a page: beside it, also where a proxy serves both under a path.
    static socketURL(page) {
      const url = new URL("ws", page);
      url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
      return url.href;
    }

    get state() { return this.actions?.state ?? null; }
    get connection() { return this.actions?.connection ?? null; }
    get loggedIn() { return Boolean(this.state?.me); }

    // Whether this device stays logged in as the user.
    get remembered() { return this.loggedIn && this.device.kept?.usr === this.state.me; }

    // Resumes the session that this tab had, or begins one by the token of the device. A copy of a tab does
    // not take its session away.
    start() {
      const saved = tab.get("gtchat", null);
      const link = GTChat.address.takeLink();
      if (saved?.session && !link) this.#resume(saved);
      else if (!saved?.out || link) this.enter(link);
      document.addEventListener("visibilitychange", () => this.#updateFocus());
      for (const event of ["focus", "blur"]) addEventListener(event, () => this.#updateFocus());
      addEventListener("online", () => {
        this.connection?.start();
        this.change();
      });
      addEventListener("offline", () => this.change());
      DARK.addEventListener("change", () => this.#applySettings());
      addEventListener("pagehide", () => {
        this.actions?.flushReadMarks();
        this.#save();
      });
    }

    // Settings, which are kept in the browser.

    set(settings) {
      Object.assign(this.settings, settings);
      local.set("gtchat", this.settings);
      this.#applySettings();
      this.change();
    }

    #applySettings() {
      GTChat.setLanguage(this.settings.language);
      const { theme } = this.settings;
      document.documentElement.dataset.theme = theme === "system" ? (DARK.matches ? "dark" : "light") : theme;
    }

    async setDesktopNotifications(wanted) {
      const notify = wanted && await this.notifications.requestPermission();
      if (wanted && !notify) this.notice(GTChat.text("notifications_blocked"));
      this.set({ notify });
    }

    setSound(sound) {
      if (sound) GTChat.Notifications.playSound();
      this.set({ sound });
    }

    // The session.

    async #resume(saved) {
      this.entering = true;
      const isOwn = await this.tabLock.take(saved.session.session_id);
      this.entering = false;
      if (isOwn) {
        this.#connect(saved.url, saved);
      } else {
        tab.set("gtchat", null);
        this.mode = saved.mode ?? this.mode;
        if (this.mode === "guest" || !await this.enter()) this.ended ??= GTChat.text("tab_copied");
      }
      this.change();
    }

    // Logs in by a link of an operator, or by the token of this device, if it has one. Returns a promise of
    // whether there is one. A token that is refused is forgotten.
    async enter(link = GTChat.address.takeLink()) {
      const device = new GTChat.Device(this.url);
      const fields = link ? { type: "link", link, ...device.login(true) } : device.loginByToken();
      if (!fields) return false;
      Object.assign(this, { entering: true, ended: null, mode: "member" });
      this.change();
      try {
        this.#prepare();
        await this.actions.login(fields);
      } catch (error) {
        const refused = GTChat.Device.refuses(error.code);
        if (refused && !link) device.forget(fields.device_token);
        this.ended ??= refused ? GTChat.text(link ? "link_refused" : "token_refused") : GTChat.reason(error);
      }
      this.entering = false;
      this.change();
      return true;
    }

    // Has a connection to log in with.
    #prepare() {
      if (!this.actions || this.connection.end || this.connection.url !== this.url) this.#connect(this.url, null);
    }

    // Logs in. mode: "guest", "member" or "register"; with this browser's key instead of a password
    // "key", or "make_key" to register with a new one; remember: whether this device is to stay logged in.
    // It fails as a request does.
    async logIn(mode, name, password, remember = false) {
      this.mode = mode === "guest" ? "guest" : "member";
      this.set({ name, mode: this.mode });
      this.ended = null;
      this.#prepare();
      const { actions } = this;
      const key = mode === "make_key" ? { name, uuid: GTChat.randomKey() } : keys.get(this.url);
      const usesKey = mode === "key" || mode === "make_key";
      const credentials = usesKey ? { uuid: key?.uuid } : mode === "guest" ? {} : { pwd: password };
      if (mode === "register" || mode === "make_key") {
        await this.site.register(actions, { usr: name, ...credentials });
        this.notice(GTChat.text("registered", { usr: name }));
      }
      if (mode === "make_key") keys.set(this.url, key);
      // A key names its user.
      const user = credentials.uuid ? {} : { usr: name };
      if (mode === "guest") {
        await actions.login({ type: "tmp", ...user });
        return;
      }
      const device = this.device.login(remember);
      const reply = await actions.login({ type: "reg", ...user, ...credentials, ...device });
      if (device.remember && !reply.device_token) this.notice(GTChat.text("not_kept"));
    }

    // forget: whether this device needs the password at the next login. Otherwise the tab alone is logged out.
    async logOut(forget = false) {
      if (forget) this.device.forget();
      this.#leaving = this.actions;
      await this.actions.logout(forget);
    }

    // The other sessions of the account end, and all tokens: this device gets the next one, if it had one.
    async changePassword(fields) {
      const reply = await this.actions.request("update_pwd", fields);
      this.device.keep(reply, this.state.me);
      if (reply.device_token) this.#token = reply.device_token;
    }

    // saved: the session and state to resume, or null.
    #connect(url, saved) {
      this.connection?.close();
      this.device = new GTChat.Device(url);
      const connection = new GTChat.Connection(url, { session: saved?.session ?? null });
      const actions = this.actions = new GTChat.Actions(new GTChat.State(), connection);
      if (saved) this.#restore(saved);
      actions.on("change", () => this.change());
      actions.on("notice", ({ text, values, dialog }) => this.notice(GTChat.text(text, values), text,
        dialog && { label: GTChat.text("show"), run: () => this.showDialog(dialog) }));
      actions.on("message", (message) => this.notifications.onMessage(message));
      actions.on("over", (end) => this.#endSession(actions, end));
      actions.on("unsent", (unsent) => this.#keepTexts(unsent));
      connection.on("login", (reply, fields) => this.#onLogin(reply, fields));
      connection.on("resumed", () => this.#onSession());
      try {
        this.#updateFocus();
        connection.start();
      } catch (error) {
        this.#endSession(actions, error);
      }
    }

    #restore(saved) {
      const { actions, state } = this;
      this.mode = saved.mode ?? this.mode;
      const snapshot = saved.state ?? saved; // earlier versions saved it beside the session
      state.me = saved.session.usr;
      state.restore(snapshot);
      actions.resend();
      const { kind, name, id } = snapshot.current ?? {};
      actions.open(kind === "direct" ? state.directById(id) ?? state.direct(name) : state.rooms.get(name) ?? null);
    }

    #onLogin(reply, { type, device, pwd }) {
      const { device: own, state } = this;
      if (type === "device") state.hasPassword = own.kept?.hasPassword ?? false;
      else own.keep(reply, reply.usr, { device, hasPassword: pwd !== undefined || type === "link" });
      this.tabLock.take(reply.session_id);
      this.#onSession();
    }

    // Earlier versions kept the levels of notifications in the browser, by room; "all" is what the server has without one.
    #handOverLevels() {
      const { rooms } = this.settings;
      if (!rooms || !this.actions.can("notify")) return;
      for (const [name, level] of Object.entries(rooms)) {
        const room = this.state.rooms.get(name);
        if (room?.joined && level !== "all") this.actions.setLevel(room, level === "nothing" ? "none" : level).catch(() => {});
      }
      this.set({ rooms: undefined });
    }

    #onSession() {
      this.#handOverLevels();
      this.#token = this.remembered ? this.device.kept.token : null;
      this.#save();
    }

    // Saves the session for this tab, so that a reload of the page resumes it.
    #save() {
      if (!this.loggedIn || !this.connection.session) return;
      const { url, session } = this.connection;
      tab.set("gtchat", this.#leaving === this.actions ? { out: true } : { url, session, mode: this.mode, state: this.state.snapshot() });
    }

    #endSession(actions, end) {
      if (this.actions !== actions) return;
      const loggedOut = end.code === "logout";
      if (loggedOut) GTChat.address.clear();
      else this.#keepUnsent(actions.state);
      // Another tab may have changed the password and got the next token. A session that was ended may have been
      // ended by another tab: the token is tried again.
      if (end.word === "password_changed") this.device.forget(this.#token);
      this.#token = this.actions = null;
      this.resetViews();
      this.ended = loggedOut ? null : whyEnded(end);
      this.tabLock.release();
      // A tab that was logged out stays so when it is reloaded.
      tab.set("gtchat", loggedOut ? { out: true } : null);
      actions.connection.close();
      if (end.code === "bad_session" && this.mode === "member") this.enter();
      this.change();
    }

    // Puts messages that were not sent into the drafts of their conversations.
    #keepUnsent(state) {
      for (const conversation of state.conversations) {
        this.#keepTexts({ conversation, texts: conversation.outgoing.map(({ msg }) => msg), gone: false });
      }
    }

    // Keeps texts that will not be sent: in the draft of their conversation, or, if that is gone, in a notice.
    #keepTexts({ conversation, texts, gone }) {
      const { me } = this.state;
      if (!texts.length) return;
      const kept = [drafts.get(me, conversation), ...texts].filter(Boolean).join("\n");
      if (gone) this.notice(GTChat.text("unsent_lost", { name: conversation.name, text: kept }), "unsent");
      else drafts.set(me, conversation, kept);
    }

    #updateFocus() {
      this.actions?.setFocused(document.visibilityState === "visible" && document.hasFocus());
    }
  };
})();
