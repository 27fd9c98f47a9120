// Addresses (#/room/name, #/room/name/123 for a message, #/direct/12, #/user/name, #/browse) and the history of the
// browser: Back shows what was shown before; on a phone it goes from the panel to the conversation to the list.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;

  const LIST = "#/";
  const LINK = /^#\/login\/([\w-]{16,128})$/;
  const FIRST = /^#\/first\/([\w-]{16,128})$/;
  const INVITE = /^#\/invite\/([\w-]{16,128})$/;
  // The panes of a phone, from the outermost to the innermost.
  const PANES = ["list", "conversation", "panel"];
  const [LIST_PANE] = PANES;

  // Returns {kind, name, seq, id} of the fragment of a URL, or null if it is no address. kind: "room", "direct" (a
  // conversation, by its id), "user" (the conversation with a user) or "browse"; seq: of a message, or null.
  const parse = (fragment) => {
    if (fragment === "#/browse") return { kind: "browse" };
    const [, id] = /^#\/direct\/(\d{1,15})$/.exec(fragment) ?? [];
    if (id) return { kind: "direct", id: Number(id) };
    const [, kind, name, seq] = /^#\/(room|user)\/([^/]+)(?:\/(\d{1,15}))?$/.exec(fragment) ?? [];
    if (!kind || (seq && kind === "user")) return null;
    try {
      return { kind, name: decodeURIComponent(name), seq: seq ? Number(seq) : null };
    } catch { // a "%" that is no part of an escaped letter
      return null;
    }
  };

  // Returns the fragment that `parse` understands.
  const format = ({ kind, name, seq, id }) => (
    kind === "browse" ? "#/browse" : `#/${kind}/${id ?? encodeURIComponent(name)}${seq ? `/${seq}` : ""}`);

  // Returns the address of a conversation; one that has not begun has no id.
  const addressOf = ({ kind, name, id }) => (
    kind === "room" ? { kind, name } : id === null ? { kind: "user", name } : { kind, id });

  const withoutFragment = (url) => url.split("#")[0];

  // Returns the URL of a conversation or, with `seq`, of a message of it.
  const urlOf = (conversation, seq = null) => withoutFragment(location.href) + format({ ...addressOf(conversation), seq });

  const isSame = (one, other) => one && other && one.fragment === other.fragment && one.pane === other.pane && one.panel === other.panel;

  const History = class {
    #shell;
    #entry = null; // the open entry of the history, {fragment, pane, panel, before}; null without a session
    #pending = null; // {name, seq} of a room that the user has to join first
    #leaving = false; // whether the page itself goes back

    constructor(shell) { this.#shell = shell; }

    // Returns what is shown, as an entry.
    #shown() {
      const { view, pane, panel, narrow, state } = this.#shell;
      if (narrow && pane === "list") return { fragment: LIST, pane, panel: null };
      const fragment = format(view === "browse" ? { kind: "browse" } : addressOf(state.current));
      const inPanel = narrow && pane === "panel";
      return { fragment, pane: inPanel ? pane : "conversation", panel: inPanel ? panel : null };
    }

    #write(entry, how) {
      this.#entry = entry;
      history[how](entry, "", entry.fragment);
    }

    #push() {
      const { before, ...entry } = this.#entry;
      this.#write({ ...this.#shown(), before: entry }, "pushState");
    }

    #replace() { this.#write({ ...this.#shown(), before: this.#entry?.before ?? null }, "replaceState"); }

    // After a login or a reload: opens the address, if there is one.
    #begin() {
      const shell = this.#shell;
      const saved = history.state?.fragment === location.hash ? history.state : null;
      this.#entry = saved;
      const address = parse(location.hash);
      if (address) this.#open(address);
      if (saved) this.#showPane(saved);
      if (shell.narrow && shell.pane === "conversation" && !saved) {
        // Back from the conversation leads to the list, also if that was never shown.
        this.#write({ fragment: LIST, pane: "list", panel: null, before: null }, "replaceState");
        this.#push();
      } else {
        this.#replace();
      }
    }

    #open({ kind, name, seq, id }) {
      const shell = this.#shell;
      this.#pending = null;
      if (kind === "browse") {
        shell.browse();
      } else if (kind === "direct") {
        const direct = shell.state.directById(id);
        if (direct) shell.open(direct);
        else shell.attempt(async () => shell.open(await shell.actions.findDirect(id)));
      } else if (kind === "user") {
        shell.open(shell.state.direct(name));
      } else if (shell.state.rooms.get(name)?.joined) {
        shell.open(shell.state.rooms.get(name));
        if (seq) shell.actions.show(shell.state.current, seq);
      } else {
        this.#pending = { name, seq };
        shell.browse(name);
      }
    }

    #showPane({ pane, panel, before }) {
      if (!this.#shell.narrow) return;
      if (pane === "panel") this.#shell.showPanel(panel, before?.pane === LIST_PANE ? LIST_PANE : undefined);
      else this.#shell.showPane(pane);
    }

    // Opens a room that the user has joined meanwhile, or that the server has listed late.
    #openPending() {
      if (!this.#pending) return;
      const { state, view, actions } = this.#shell;
      const { name, seq } = this.#pending;
      const room = state.rooms.get(name);
      if (view === "browse") {
        if (room?.joined) this.#open({ kind: "room", name, seq });
        return;
      }
      this.#pending = null;
      if (seq && state.current === room) actions.show(room, seq);
    }

    // Keeps the history in step with what the page shows.
    follow() {
      const { loggedIn, state, narrow, stepsOn } = this.#shell;
      this.#shell.stepsOn = false;
      if (!loggedIn) {
        this.#entry = null;
        return;
      }
      if (!state.current || this.#leaving) return;
      if (!this.#entry) this.#begin();
      this.#openPending();
      const shown = this.#shown();
      if (isSame(shown, this.#entry)) return;
      // The conversation with a user has begun: it has an id now.
      if (shown.pane !== "list" && this.#entry.fragment === format({ kind: "user", name: state.current.name })
        && shown.fragment === format(addressOf(state.current))) {
        this.#replace();
        return;
      }
      const outwards = PANES.indexOf(shown.pane) < PANES.indexOf(this.#entry.pane);
      if (narrow && outwards && !stepsOn && isSame(shown, this.#entry.before)) {
        this.#leaving = true;
        history.back();
      } else {
        this.#push();
      }
    }

    // The browser has gone to another entry. entry: null if its address was typed.
    onMove(entry) {
      const shell = this.#shell;
      if (!shell.loggedIn || !shell.state.current) return; // the address is opened after the login
      const byPage = this.#leaving;
      this.#leaving = false;
      this.#entry = entry ?? this.#entry;
      if (!byPage) {
        shell.showDialog(null);
        shell.showPopover(null);
        const address = parse(location.hash);
        if (address) this.#open(address);
        if (entry) this.#showPane(entry);
        if (!isSame(this.#shown(), entry)) this.#replace();
      }
      this.follow();
    }

    // Opens a link to this page in its place. Returns whether it is one.
    openLink(link) {
      const address = withoutFragment(link.href) === withoutFragment(location.href) && parse(link.hash);
      if (address) this.#open(address);
      return Boolean(address);
    }
  };

  GTChat.keepHistory = (shell) => {
    const kept = new History(shell);
    shell.on("change", () => kept.follow());
    addEventListener("popstate", (event) => {
      if (!shell.loggedIn && LINK.test(location.hash)) shell.enter();
      else if (shell.site.takeInvite() || (!shell.loggedIn && shell.site.takeFirst())) shell.change();
      else kept.onMove(event.state);
    });
    document.addEventListener("click", (event) => {
      const link = event.target.closest?.("a[href]");
      if (!link || !shell.loggedIn || event.ctrlKey || event.metaKey || event.shiftKey || event.defaultPrevented) return;
      if (kept.openLink(link)) event.preventDefault();
    });
  };

  // Takes the address away, so that the next login does not open it.
  const clear = () => history.replaceState(null, "", withoutFragment(location.href));

  // Returns the secret in the address, or null, and takes it out: others may look at the screen, or get the address.
  const take = (pattern) => {
    const [, secret = null] = pattern.exec(location.hash) ?? [];
    if (secret) clear();
    return secret;
  };
  // Of a link that logs in once (#/login/secret), and of an invitation for people without an account (#/invite/secret).
  const takeLink = () => take(LINK);
  const takeInvite = () => take(INVITE);
  // Of the link with which the first operator registers (#/first/secret).
  const takeFirst = () => take(FIRST);

  // Returns the URL of an invitation, or of a link that logs in.
  const inviteUrl = (secret) => `${withoutFragment(location.href)}#/invite/${secret}`;
  const loginUrl = (secret) => `${withoutFragment(location.href)}#/login/${secret}`;

  GTChat.address = { parse, format, urlOf, clear, takeLink, takeInvite, takeFirst, inviteUrl, loginUrl };
})();
