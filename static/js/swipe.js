// On a phone: a horizontal swipe shows the next of the three panes.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;

  const PANES = ["list", "conversation", "panel"];
  // A swipe is at least this many pixels wide, and this many times wider than high.
  const MIN_WIDTH = 60;
  const MIN_RATIO = 2;

  // Returns whether the element, or one around it, scrolls horizontally: it keeps its swipes.
  const scrollsSideways = (element) => {
    for (let part = element; part && part !== document.body; part = part.parentElement) {
      if (part.scrollWidth > part.clientWidth + 1 && /auto|scroll/.test(getComputedStyle(part).overflowX)) return true;
    }
    return false;
  };

  GTChat.listenToSwipes = (shell) => {
    let start = null;
    document.addEventListener("touchstart", (event) => {
      const [touch] = event.touches;
      const accepted = event.touches.length === 1 && shell.loggedIn && !shell.dialog && !scrollsSideways(event.target)
        && !event.target.closest("textarea, input");
      start = accepted ? { x: touch.clientX, y: touch.clientY } : null;
    }, { passive: true });
    document.addEventListener("touchend", (event) => {
      if (!start) return;
      const [touch] = event.changedTouches;
      const [across, down] = [touch.clientX - start.x, touch.clientY - start.y];
      start = null;
      if (Math.abs(across) < MIN_WIDTH || Math.abs(across) < MIN_RATIO * Math.abs(down)) return;
      const backwards = document.documentElement.dir === "rtl" ? across < 0 : across > 0;
      const inRoom = shell.state.current?.kind === "room";
      const next = PANES[PANES.indexOf(shell.pane) + (backwards ? -1 : 1)];
      if (next === "panel") {
        if (inRoom && shell.view === "conversation") shell.showPanel(shell.panel ?? "members");
      } else if (next) {
        shell.showPane(next);
      }
    }, { passive: true });
  };
})();
