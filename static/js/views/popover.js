// Popovers: menus, cards and pickers at the element that opened them; on a phone sheets at the lower edge.
//
// shell.popover is the open one, {name, anchor, ...}; GTChat.POPOVERS has the component of each name, which
// gets {shell, popover, close}. shell.showPopover opens and closes.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { html, useLayoutEffect, useRef, useState } = globalThis.htmPreact;
  const { Icon } = GTChat.parts;

  GTChat.POPOVERS = {};

  // Pixels between a popover and its anchor, and the edges of the window.
  const GAP = 6;
  const EDGE = 8;

  const within = (value, size, room) => Math.max(EDGE, Math.min(value, room - size - EDGE));

  // Places a popover. side: "below" (or above, if there is no room), "above", or "beside" (before the
  // anchor, or the panel that it is in, in the direction of the text).
  const place = (element, anchor, side) => {
    const at = anchor.getBoundingClientRect();
    const { offsetWidth: width, offsetHeight: height } = element;
    const { innerWidth, innerHeight } = globalThis;
    const mirrored = getComputedStyle(document.documentElement).direction === "rtl";
    let [left, top] = [mirrored ? at.right - width : at.left, at.bottom + GAP];
    if (side === "beside") {
      const from = anchor.closest(".panel")?.getBoundingClientRect() ?? at;
      left = mirrored ? from.right + GAP : from.left - width - GAP;
      top = at.top - GAP;
      if (left < EDGE || left + width > innerWidth - EDGE) left = mirrored ? at.left - width - GAP : at.right + GAP;
    } else if (side === "above" || (top + height > innerHeight - EDGE && at.top > innerHeight - at.bottom)) {
      top = at.top - height - GAP;
    }
    element.style.left = `${within(left, width, innerWidth)}px`;
    element.style.top = `${within(top, height, innerHeight)}px`;
  };

  // The element of a popover: at its anchor, or a sheet, which is modal. Both take the focus and give it back.
  const useFloating = (anchor, side, sheet, close) => {
    const box = useRef(null);
    useLayoutEffect(() => {
      const element = box.current;
      const fit = () => { if (!sheet && anchor.isConnected) place(element, anchor, side); };
      // A press outside closes it, without a click on what is there if it is a sheet.
      const closeOutside = (event) => {
        if (event.target === element ? sheet : !element.contains(event.target) && !anchor.contains(event.target)) close();
      };
      if (sheet) element.showModal();
      else element.showPopover();
      fit();
      (element.querySelector("[autofocus]") ?? element.querySelector("button, input, a, [tabindex]"))?.focus();
      document.addEventListener("pointerdown", closeOutside, true);
      element.addEventListener("close", close);
      addEventListener("resize", fit);
      const resized = new ResizeObserver(fit);
      resized.observe(element);
      return () => {
        const focused = element.contains(document.activeElement);
        document.removeEventListener("pointerdown", closeOutside, true);
        element.removeEventListener("close", close);
        removeEventListener("resize", fit);
        resized.disconnect();
        if (sheet) element.close();
        if (focused) (anchor.isConnected ? anchor : document.getElementById("say"))?.focus();
      };
    }, []);
    return box;
  };

  // The frame. role: "menu" or "dialog"; label: its accessible name; side: see `place`; kind: further classes.
  GTChat.Popover = ({ anchor, close, role = "dialog", label, side = "below", kind = "", onKeyDown, children }) => {
    const [sheet] = useState(() => GTChat.isNarrow());
    const box = useFloating(anchor, side, sheet, close);
    const onKey = (event) => {
      if (GTChat.isComposing(event)) return;
      onKeyDown?.(event);
      if (event.defaultPrevented || event.key !== "Escape") return;
      event.preventDefault();
      close();
    };
    // A menu stands in a dialog: by itself it would be outside of the parts of the page that screen readers list.
    const contents = html`<div class="contents" role=${role === "menu" ? role : undefined} aria-label=${role === "menu" ? label : undefined}>${children}</div>`;
    if (sheet) {
      return html`<dialog ref=${box} class=${`menu popover sheet ${kind}`} aria-label=${label} onKeyDown=${onKey}>${contents}</dialog>`;
    }
    return html`
      <div ref=${box} class=${`menu popover ${kind}`} popover="manual" role="dialog" aria-label=${label} onKeyDown=${onKey}>${contents}</div>`;
  };

  const STEPS = { ArrowDown: 1, ArrowUp: -1 };

  // A menu. items: {icon, label, keys, danger, chosen, run}, or null for a line between them. The children stand
  // above them; their buttons have the role "menuitem", too.
  GTChat.Menu = ({ items, close, children, ...rest }) => {
    const onKeyDown = (event) => {
      const all = [...event.currentTarget.querySelectorAll("[role^=menuitem]")];
      const index = all.indexOf(document.activeElement);
      const next = event.key in STEPS ? all[(index + STEPS[event.key] + all.length) % all.length]
        : { Home: all[0], End: all.at(-1) }[event.key];
      if (event.key === "Tab") close();
      if (!next) return;
      event.preventDefault();
      next.focus();
    };
    const choose = (run) => () => {
      run();
      close(); // after it: a dialog that it opens gives the focus back to the anchor
    };
    return html`
      <${GTChat.Popover} role="menu" close=${close} onKeyDown=${onKeyDown} ...${rest}>
        ${children}
        ${items.map((item, index) => (item ? html`
          <button type="button" key=${item.label} role=${item.chosen === undefined ? "menuitem" : "menuitemradio"}
            aria-checked=${item.chosen === undefined ? undefined : String(item.chosen)} tabindex="-1"
            class=${`menu-item ${item.danger ? "danger" : ""}`} onClick=${choose(item.run)}>
            ${item.icon && html`<${Icon} name=${item.icon} />`}<span class="grow">${item.label}</span>
            ${item.keys && html`<kbd>${item.keys}</kbd>`}${item.chosen && html`<${Icon} name="check" size="s" />`}
          </button>` : html`<hr key=${index} />`))}
      <//>`;
  };

  GTChat.Popovers = ({ shell }) => {
    const { popover } = shell;
    if (!popover || !shell.actions) return null;
    const close = () => { if (shell.popover === popover) shell.showPopover(null); };
    return html`<${GTChat.POPOVERS[popover.name]} key=${popover.name} shell=${shell} popover=${popover} close=${close} />`;
  };
})();
