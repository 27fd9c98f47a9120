// On a phone: a swipe to the side turns to the next of the three panes.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;

  const PANES = ["rooms", "conversation", "people"];
  // Pixels to the side, and how much more than up or down, that are a swipe.
  const FAR = 60;
  const STEEP = 2;

  // What can be moved to the side itself keeps its swipes.
  const moves = (element) => {
    for (let part = element; part && part !== document.body; part = part.parentElement) {
      if (part.scrollWidth > part.clientWidth + 1 && /auto|scroll/.test(getComputedStyle(part).overflowX)) return true;
    }
    return false;
  };

  GTChat.listenToSwipes = (shell) => {
    let start = null;
    document.addEventListener("touchstart", (event) => {
      const [touch] = event.touches;
      const fit = event.touches.length === 1 && shell.inside && !shell.dialog && !moves(event.target)
        && !event.target.closest("textarea, input");
      start = fit ? { x: touch.clientX, y: touch.clientY } : null;
    }, { passive: true });
    document.addEventListener("touchend", (event) => {
      if (!start) return;
      const [touch] = event.changedTouches;
      const [across, down] = [touch.clientX - start.x, touch.clientY - start.y];
      start = null;
      if (Math.abs(across) < FAR || Math.abs(across) < STEEP * Math.abs(down)) return;
      const right = document.documentElement.dir === "rtl" ? across < 0 : across > 0;
      const room = shell.chat.place instanceof GTChat.Room;
      const next = PANES[PANES.indexOf(shell.pane) + (right ? -1 : 1)];
      if (next && (next !== "people" || room)) shell.turn(next);
    }, { passive: true });
  };
})();
