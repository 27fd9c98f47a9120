// What holds the page together: settings, the connection's life, notices. It draws nothing.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;

  const DISK = "ws://127.0.0.1:9000/";
  const NOTICES = 5;

  const { local, tab, keys } = GTChat.memory;

  // What one said and the server did not confirm, to be said again with the same txn.
  const unsaid = (outgoing) => outgoing.map(({ txn, msg, at, after, state }) => ({ txn, msg, at, after, state }));

  GTChat.Shell = class extends GTChat.Emitter {
    #drawing = false;
    #notices = 0;

    constructor() {
      super();
      this.fromDisk = location.protocol === "file:";
      this.settings = { url: DISK, name: "", theme: "system", notify: false, sound: false, rooms: {},
        language: navigator.language,
        ...local.get("gtchat", {}) };
      this.notices = []; // {id, text, kind}
      this.alerts = new GTChat.Alerts(this);
      this.chat = null;
      this.dialog = null; // {name, ...}
      this.pane = "conversation"; // what a phone shows: rooms, conversation, people
      this.ended = null; // why the last session ended
      this.#dress();
    }

    get url() {
      if (this.fromDisk) return this.settings.url;
      const scheme = location.protocol === "https:" ? "wss:" : "ws:";
      return `${scheme}//${location.host}/ws`;
    }

    get inside() { return Boolean(this.chat?.me); }

    // Takes up the session that this tab had, or waits for somebody to come in.
    start() {
      const state = tab.get("gtchat", null);
      if (state?.session) this.#connect(state.url, state);
      document.addEventListener("visibilitychange", () => this.#attend());
      addEventListener("focus", () => this.#attend());
      addEventListener("blur", () => this.#attend());
      addEventListener("online", () => this.chat?.connection.start());
      addEventListener("pagehide", () => {
        this.chat?.tellRead();
        this.save();
      });
    }

    set(settings) {
      Object.assign(this.settings, settings);
      local.set("gtchat", this.settings);
      this.#dress();
      this.change();
    }

    #dress() {
      GTChat.speakLanguage(this.settings.language);
      document.documentElement.dataset.theme = this.settings.theme;
    }

    // Comes in. how: "guest", "member" or "register"; or with a key of this browser's in place of a
    // password: "key" or "make_key". It fails as Chat.login does.
    async enter(how, name, password) {
      this.set({ name });
      this.ended = null;
      if (!this.chat || this.chat.connection.end || this.chat.connection.url !== this.url) {
        this.#connect(this.url, null);
      }
      const chat = this.chat;
      const key = how === "make_key" ? { name, uuid: GTChat.randomKey() } : keys.get(this.url);
      const proof = { guest: {}, key: { uuid: key?.uuid }, make_key: { uuid: key?.uuid } }[how] ?? { pwd: password };
      if (how === "register" || how === "make_key") {
        await chat.register({ usr: name, ...proof });
        this.notify(GTChat.text("registered", { usr: name }));
      }
      if (how === "make_key") keys.set(this.url, key);
      // A key says by itself who comes.
      const who = proof.uuid ? {} : { usr: name };
      await chat.login({ type: how === "guest" ? "tmp" : "reg", ...who, ...proof });
    }

    #connect(url, state) {
      this.chat?.connection.close();
      const connection = new GTChat.Connection(url, { session: state?.session ?? null });
      const chat = this.chat = new GTChat.Chat(connection);
      if (state) this.#restore(state);
      chat.on("change", () => this.change());
      chat.on("notice", ({ text, values }) => this.notify(GTChat.text(text, values), text));
      chat.on("heard", (message) => this.alerts.heard(message));
      chat.on("over", (end) => this.#over(chat, end));
      connection.on("login", () => this.save());
      connection.on("resumed", () => this.save());
      try {
        this.#attend();
        connection.start();
      } catch (error) {
        this.#over(chat, error);
      }
    }

    #restore(state) {
      const chat = this.chat;
      chat.me = state.session.usr;
      chat.hasPassword = state.hasPassword;
      for (const { name, entries, outgoing } of state.talks) {
        const talk = chat.talk(name);
        talk.entries = entries;
        for (const entry of entries) chat.given.add(entry.id);
        chat.takeUp(talk, outgoing);
      }
      // What became of the rooms since is told when the session is taken up.
      for (const { outgoing, ...known } of state.rooms) {
        const room = Object.assign(new GTChat.Room(known.name), known, { joined: true });
        chat.rooms.set(room.name, room);
        chat.takeUp(room, outgoing);
      }
      const { talk, room } = state.place;
      chat.look(talk ? chat.talk(talk) : chat.rooms.get(room) ?? null);
    }

    // Remembers for this tab, so that loading the page again keeps the place.
    save() {
      const chat = this.chat;
      if (!chat?.me || !chat.connection.session) return;
      const place = chat.place;
      tab.set("gtchat", {
        url: chat.connection.url,
        session: chat.connection.session,
        hasPassword: chat.hasPassword,
        place: place instanceof GTChat.Room ? { room: place.name } : { talk: place?.name },
        talks: [...chat.talks.values()].map(({ name, entries, outgoing }) => ({ name, entries, outgoing: unsaid(outgoing) })),
        rooms: chat.joined.map((room) => ({
          name: room.name, lastSeq: room.lastSeq, readSeq: room.readSeq, markedSeq: room.markedSeq, unread: room.unread,
          mentioned: room.mentioned, outgoing: unsaid(room.outgoing) })),
      });
    }

    #over(chat, { code, reason }) {
      if (this.chat !== chat) return;
      this.chat = null;
      this.dialog = null;
      this.ended = code === "logout" ? null
        : GTChat.TEXTS[`over_${code}`] ? GTChat.text(`over_${code}`)
          : GTChat.text("over_other", { reason: reason || code });
      tab.set("gtchat", null);
      chat.connection.close();
      this.change();
    }

    #attend() {
      this.chat?.attend(document.visibilityState === "visible" && document.hasFocus());
    }

    async wantAlerts(wanted) {
      const notify = wanted && await this.alerts.ask();
      if (wanted && !notify) this.notify(GTChat.text("notify_refused"));
      this.set({ notify });
    }

    wantSound(sound) {
      if (sound) GTChat.Alerts.play();
      this.set({ sound });
    }

    // Tells something in passing.
    notify(text, kind = "") {
      this.notices = [...this.notices, { id: ++this.#notices, text, kind }].slice(-NOTICES);
      this.change();
    }

    // Does something that a click asked for; what goes wrong is told in passing.
    async attempt(work) {
      try {
        return await work();
      } catch (error) {
        this.notify(GTChat.reason(error));
        return undefined;
      }
    }

    dismiss(notice) {
      this.notices = this.notices.filter((other) => other !== notice);
      this.change();
    }

    show(dialog) {
      this.dialog = dialog;
      this.change();
    }

    turn(pane) {
      this.pane = pane;
      this.change();
    }

    // Looks at a room or a talk, on a phone too.
    look(place) {
      this.pane = "conversation";
      this.chat.look(place);
    }

    // Asks for one drawing, however many things change before it.
    change() {
      if (this.#drawing) return;
      this.#drawing = true;
      const draw = () => {
        this.#drawing = false;
        this.emit("change");
      };
      if (document.visibilityState === "visible") requestAnimationFrame(draw);
      else setTimeout(draw, 200);
    }
  };
})();
