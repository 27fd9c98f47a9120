// What holds the page together: settings, the session and its connection. What is shown is in view_state.js.
// It draws nothing.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;

  // The server of a page that is opened from disk, until another one is entered.
  const DEFAULT_URL = "ws://127.0.0.1:9000/";
  // Whether the system prefers the dark theme.
  const DARK = matchMedia("(prefers-color-scheme: dark)");

  const { local, tab, keys, drafts, shownIds } = GTChat.storage;

  GTChat.Shell = class extends GTChat.ViewState {
    constructor() {
      super();
      this.fromDisk = location.protocol === "file:";
      this.settings = { url: DEFAULT_URL, name: "", mode: "guest", theme: "system", notify: false, sound: false, rooms: {},
        language: navigator.language, panel: "members",
        ...local.get("gtchat", {}) };
      this.notifications = new GTChat.Notifications(this);
      this.actions = null; // while there is a session or a login
      this.resetViews();
      this.ended = null; // why the last session has ended, as a text
      this.mode = this.settings.mode; // how this tab logs in: "guest" or "member"
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

    // Resumes the session that this tab had, if any.
    start() {
      const saved = tab.get("gtchat", null);
      if (saved?.session) this.#connect(saved.url, saved);
      document.addEventListener("visibilitychange", () => this.#updateFocus());
      addEventListener("focus", () => this.#updateFocus());
      addEventListener("blur", () => this.#updateFocus());
      addEventListener("online", () => this.connection?.start());
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

    // Logs in. mode: "guest", "member" or "register"; with this browser's key instead of a password
    // "key", or "make_key" to register with a new one. It fails as a request does.
    async logIn(mode, name, password) {
      this.mode = mode === "guest" ? "guest" : "member";
      this.set({ name, mode: this.mode });
      this.ended = null;
      if (!this.actions || this.connection.end || this.connection.url !== this.url) this.#connect(this.url, null);
      const { actions } = this;
      const key = mode === "make_key" ? { name, uuid: GTChat.randomKey() } : keys.get(this.url);
      const usesKey = mode === "key" || mode === "make_key";
      const credentials = usesKey ? { uuid: key?.uuid } : mode === "guest" ? {} : { pwd: password };
      if (mode === "register" || mode === "make_key") {
        await actions.register({ usr: name, ...credentials });
        this.notice(GTChat.text("registered", { usr: name }));
      }
      if (mode === "make_key") keys.set(this.url, key);
      // A key names its user.
      const user = credentials.uuid ? {} : { usr: name };
      await actions.login({ type: mode === "guest" ? "tmp" : "reg", ...user, ...credentials });
    }

    // saved: the session and state to resume, or null.
    #connect(url, saved) {
      this.connection?.close();
      const connection = new GTChat.Connection(url, { session: saved?.session ?? null });
      const actions = this.actions = new GTChat.Actions(new GTChat.State(), connection);
      if (saved) this.#restore(saved);
      actions.on("change", () => this.change());
      actions.on("notice", ({ text, values }) => this.notice(GTChat.text(text, values), text));
      actions.on("message", (message) => this.notifications.onMessage(message));
      actions.on("over", (end) => this.#endSession(actions, end));
      actions.on("unsent", (unsent) => this.#keepTexts(unsent));
      actions.on("shown", (ids) => shownIds.add(url, this.state.me, ids));
      connection.on("login", () => this.#onSession());
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
      // Earlier versions saved the snapshot beside the session, with direct chats as `talks`.
      const snapshot = saved.state ?? { ...saved, directs: saved.talks };
      state.me = saved.session.usr;
      state.restore(snapshot);
      actions.resend();
      const { kind, name } = snapshot.current ?? {};
      actions.open(kind === "direct" ? state.direct(name) : state.rooms.get(name) ?? null);
    }

    #onSession() {
      const { state, connection } = this;
      state.shownIds = new Set(shownIds.get(connection.url, state.me));
      this.#save();
    }

    // Saves the session for this tab, so that a reload of the page resumes it.
    #save() {
      if (!this.loggedIn || !this.connection.session) return;
      const { url, session } = this.connection;
      tab.set("gtchat", { url, session, mode: this.mode, state: this.state.snapshot() });
    }

    #endSession(actions, { code, reason }) {
      if (this.actions !== actions) return;
      if (code !== "logout") this.#keepUnsent(actions.state);
      else GTChat.address.clear();
      this.actions = null;
      this.resetViews();
      this.ended = code === "logout" ? null
        : GTChat.TEXTS[`over_${code}`] ? GTChat.text(`over_${code}`)
          : GTChat.text("over_other", { reason: reason || code });
      tab.set("gtchat", null);
      actions.connection.close();
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
