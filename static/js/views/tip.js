// Tips: the name of a button that has only an icon, with its keys, while the pointer or the focus is on it.
//
// They are for the eye alone: screen readers have the button's label.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;

  // Pixels between a tip and its button, and the edges of the window.
  const GAP = 6;
  const EDGE = 4;

  GTChat.showTips = () => {
    const tip = document.createElement("div");
    tip.className = "tip";
    tip.popover = "manual";
    tip.setAttribute("aria-hidden", "true");
    document.body.append(tip);

    const hide = () => { if (tip.matches(":popover-open")) tip.hidePopover(); };
    const show = (event) => {
      const button = event.target.closest?.("[data-tip]");
      hide();
      // A touch has no pointer that stays; a click moves the focus without the wish for a tip.
      if (!button || event.pointerType === "touch" || (event.type === "focusin" && !button.matches(":focus-visible"))) return;
      const { tip: label, keys } = button.dataset;
      tip.textContent = keys ? `${label} · ${keys}` : label;
      tip.showPopover();
      const at = button.getBoundingClientRect();
      const { offsetWidth: width, offsetHeight: height } = tip;
      const above = at.top - height - GAP;
      const left = at.left + (at.width - width) / 2;
      tip.style.left = `${Math.max(EDGE, Math.min(left, innerWidth - width - EDGE))}px`;
      tip.style.top = `${above < EDGE ? at.bottom + GAP : above}px`;
    };
    document.addEventListener("pointerover", show);
    document.addEventListener("focusin", show);
    for (const type of ["pointerdown", "keydown", "scroll"]) document.addEventListener(type, hide, true);
  };
})();
