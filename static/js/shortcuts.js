// Keyboard shortcuts that work anywhere in the page; docs/page.md and the page's own list name them.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;

  // Returns whether a key belongs to an input method, which is composing a character. Safari ends the
  // composition before the key that confirms it, and marks that key with this code only.
  GTChat.isComposing = (event) => event.isComposing || event.keyCode === 229;

  // Opens the next conversation up (-1) or down (1); with `unread`, the next unread one.
  const step = (shell, by, unread) => {
    const all = shell.state.conversations;
    const index = all.indexOf(shell.state.current);
    for (let count = 1; count <= all.length; count += 1) {
      const conversation = all[(index + by * count + all.length * count) % all.length];
      if (!unread || conversation.unread) {
        shell.open(conversation);
        return;
      }
    }
  };

  const ARROWS = { ArrowUp: -1, ArrowDown: 1 };
  // Elements that take typed letters, or keys, themselves.
  const TAKES_KEYS = "input, textarea, select, button, a, summary, [role=log] *";

  const messageBox = () => document.getElementById("say");

  // Opens the search in the open conversation. In its field the key opens the browser's own. Returns whether it did.
  const openSearch = (shell, event) => {
    const { actions, state, view } = shell;
    if (!actions.can("search") || view !== "conversation" || event.shiftKey || event.target.closest?.("[role=search]")) return false;
    shell.openSearch(state.current);
    return true;
  };

  // Runs the shortcut of a key. Returns whether there was one.
  const runShortcut = (shell, event) => {
    const command = event.ctrlKey || event.metaKey;
    if (event.altKey && !command && ARROWS[event.key]) step(shell, ARROWS[event.key], event.shiftKey);
    else if (command && !event.altKey && event.key.toLowerCase() === "k") shell.showDialog({ name: "switcher" });
    else if (command && !event.altKey && event.key.toLowerCase() === "f") return openSearch(shell, event);
    else if (command && event.key === "/") shell.showDialog({ name: "shortcuts" });
    else return false;
    return true;
  };

  // Escape closes what is open beside the conversation, and leads to the message box.
  const leave = (shell, event) => {
    if (shell.popover) shell.showPopover(null);
    else if (shell.panel && event.target.closest?.(".panel")) shell.showPanel(null);
    messageBox()?.focus();
  };

  // A letter that is typed outside of any field goes to the message box.
  const typeIntoMessageBox = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || [...event.key].length !== 1 || event.key === " ") return;
    if (!event.target.matches?.(TAKES_KEYS)) messageBox()?.focus();
  };

  GTChat.listenToKeys = (shell) => {
    document.addEventListener("keydown", (event) => {
      if (!shell.loggedIn || event.defaultPrevented || GTChat.isComposing(event) || shell.dialog) return;
      if (event.key === "Escape") leave(shell, event);
      else if (runShortcut(shell, event)) event.preventDefault();
      else if (shell.popover) return;
      else typeIntoMessageBox(event);
    });
  };
})();
