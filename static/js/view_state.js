// What the page shows: the open view, panel, pane, dialog and popover, and the notices. It draws nothing.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;

  // Notices shown at a time.
  const MAX_NOTICES = 5;
  // Milliseconds between two draws of a hidden page.
  const HIDDEN_DRAW_INTERVAL = 200;
  // A window in which one pane is shown at a time, and one in which a panel lies over the conversation;
  // css/layout.css has the same widths.
  const NARROW = "(max-width: 700px)";
  const MIDDLE = "(max-width: 1100px)";

  // Returns whether the window shows one pane at a time.
  GTChat.isNarrow = () => matchMedia(NARROW).matches;

  GTChat.ViewState = class extends GTChat.Emitter {
    #drawing = false;
    #noticeIds = 0;
    #paneBefore = "conversation"; // the one that the panel was opened from

    constructor() {
      super();
      this.insert = null; // puts a text into the message box, while there is one
      this.notices = []; // {id, text, kind, action: {label, run} or undefined}
      for (const width of [NARROW, MIDDLE]) matchMedia(width).addEventListener("change", () => this.change());
    }

    get narrow() { return GTChat.isNarrow(); }

    // Goes back to what is shown after a login.
    resetViews() {
      this.dialog = null; // {name, ...}
      this.opener = null; // the element that had the focus before the dialog
      this.popover = null; // {name, anchor, ...}
      this.view = "conversation"; // or "browse": what the middle shows
      this.browseQuery = ""; // what is looked for there at first
      this.panel = matchMedia(MIDDLE).matches ? null : this.settings.panel; // a name in GTChat.PANELS, or null
      this.pane = "conversation"; // the one that a phone shows: list, conversation or panel
      this.stepsOn = false; // whether the pane that is shown next is a further step, as Back is to lead to this one
      this.notices = this.notices.filter(({ kind }) => kind === "new_version");
    }

    // Shows a text for some seconds. kind: its key in texts.js, where views treat it differently;
    // action: {label, run} of a button.
    notice(text, kind = "", action = undefined) {
      this.notices = [...this.notices, { id: ++this.#noticeIds, text, kind, action }].slice(-MAX_NOTICES);
      this.change();
    }

    dismiss(notice) {
      this.notices = this.notices.filter((other) => other !== notice);
      this.change();
    }

    // Runs an action of a click that has no place of its own for errors: they are shown as notices.
    async attempt(action) {
      try {
        return await action();
      } catch (error) {
        this.notice(GTChat.reason(error));
        return undefined;
      }
    }

    // dialog: {name, ...} or null.
    showDialog(dialog) {
      if (!this.dialog) this.opener = this.popover?.anchor ?? document.activeElement;
      this.dialog = dialog;
      if (dialog) this.popover = null;
      this.change();
    }

    // popover: {name, anchor, ...} or null; one that is open at the same anchor is closed.
    showPopover(popover) {
      const open = this.popover;
      this.popover = popover && open?.name === popover.name && open.anchor === popover.anchor ? null : popover;
      this.change();
    }

    // panel: a name in GTChat.PANELS, or null. Its button shows and hides it. from: the pane of a phone that Back leads to.
    showPanel(panel, from = this.pane) {
      this.panel = panel;
      if (this.narrow) this.showPane(panel ? "panel" : this.#paneBefore, from);
      else if (!matchMedia(MIDDLE).matches) this.set({ panel });
      this.change();
    }

    togglePanel(panel) { this.showPanel(this.panel === panel && !this.narrow ? null : panel); }

    // On a phone, goes back to where the panel was opened.
    leavePanel() { this.showPane(this.#paneBefore); }

    showPane(pane, from = this.pane) {
      if (pane === "panel" && this.pane !== "panel") this.#paneBefore = from;
      this.pane = pane;
      this.popover = null;
      this.change();
    }

    // Shows the public rooms. query: to look for among them.
    browse(query = "") {
      this.view = "browse";
      this.browseQuery = query;
      this.showPane("conversation");
    }

    // Opens a conversation; on a phone it shows its pane.
    open(conversation) {
      this.view = "conversation";
      if (conversation !== this.state.current && matchMedia(MIDDLE).matches) this.panel = null;
      this.showPane("conversation");
      this.actions.open(conversation);
    }

    // Shows a message of a conversation from a list of messages, to which Back leads. A panel over it is closed.
    openMessage(conversation, seq) {
      this.stepsOn = true;
      if (matchMedia(MIDDLE).matches && !this.narrow) this.panel = null;
      this.open(conversation);
      this.actions.show(conversation, seq);
    }

    // Opens the search. scope: the conversation to search in; null: everywhere; query: what to search for at once.
    openSearch(scope, query = "") {
      const { search } = this.actions;
      this.view = "conversation";
      search.begin(scope);
      if (query) search.refine(query, scope);
      this.showPanel("search");
    }

    // Requests a draw. Changes before it are drawn together.
    change() {
      if (this.#drawing) return;
      this.#drawing = true;
      const draw = () => this.draw();
      if (document.visibilityState === "visible") requestAnimationFrame(draw);
      else setTimeout(draw, HIDDEN_DRAW_INTERVAL);
    }

    // Draws at once what has changed.
    draw() {
      if (!this.#drawing) return;
      this.#drawing = false;
      this.emit("change");
    }
  };
})();
