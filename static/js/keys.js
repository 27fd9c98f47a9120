// Keys that do something wherever one is in the page; docs/page.md and the page's own list name them.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;

  // Goes to the next place up or down (-1, 1); to one with something unread, if that is wanted.
  const step = (shell, by, unread) => {
    const all = shell.chat.places;
    const at = all.indexOf(shell.chat.place);
    for (let count = 1; count <= all.length; count += 1) {
      const place = all[(at + by * count + all.length * count) % all.length];
      if (!unread || place.unread) {
        shell.look(place);
        return;
      }
    }
  };

  const ARROWS = { ArrowUp: -1, ArrowDown: 1 };
  const WRITES = "input, textarea, select, button, a, summary, [role=log] *";

  // Takes a key; whether it meant something.
  const take = (shell, event) => {
    const command = event.ctrlKey || event.metaKey;
    if (event.altKey && !command && ARROWS[event.key]) step(shell, ARROWS[event.key], event.shiftKey);
    else if (command && !event.altKey && event.key.toLowerCase() === "k") shell.show({ name: "go" });
    else if (command && event.key === "/") shell.show({ name: "keys" });
    else return false;
    return true;
  };

  // What is typed where nothing takes it is meant for the message box.
  const write = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || [...event.key].length !== 1 || event.key === " ") return;
    if (!event.target.matches?.(WRITES)) document.getElementById("say")?.focus();
  };

  GTChat.listenToKeys = (shell) => {
    document.addEventListener("keydown", (event) => {
      if (!shell.inside || event.defaultPrevented || event.isComposing || shell.dialog) return;
      if (take(shell, event)) event.preventDefault();
      else if (event.key === "Escape") document.getElementById("say")?.focus();
      else write(event);
    });
  };
})();
