// Pictures to choose from: a grid that arrow keys move in, and a box to find one by its name.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { html, useEffect, useRef, useState } = globalThis.htmPreact;
  const text = (...details) => GTChat.text(...details);

  const ACROSS = 8;
  const STEPS = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -ACROSS, ArrowDown: ACROSS };

  // pick: takes the picture; close: puts the picker away.
  GTChat.Picker = ({ pick, close }) => {
    const [wanted, setWanted] = useState("");
    const [at, setAt] = useState(0);
    const box = useRef(null);
    const groups = wanted.trim() ? { found: GTChat.findEmoji(wanted.trim(), 48) } : GTChat.EMOJI_GROUPS;
    const all = Object.values(groups).flat();

    useEffect(() => {
      box.current.querySelector("input").focus();
      const away = (event) => { if (!box.current.parentNode.contains(event.target)) close(); };
      document.addEventListener("pointerdown", away);
      return () => document.removeEventListener("pointerdown", away);
    }, []);

    const move = (to) => {
      const next = Math.max(0, Math.min(all.length - 1, to));
      setAt(next);
      box.current.querySelectorAll(".grid button")[next]?.focus();
    };
    const press = (event) => {
      const inGrid = event.target.matches(".grid button");
      if (event.key === "Escape") {
        close();
      } else if (inGrid && STEPS[event.key]) {
        if (event.key === "ArrowUp" && at < ACROSS) box.current.querySelector("input").focus();
        else move(at + STEPS[event.key]);
      } else if (!inGrid && event.key === "ArrowDown") {
        move(0);
      } else if (!inGrid && event.key === "Enter") {
        if (all.length) pick(all[0][1]);
      } else {
        return;
      }
      event.preventDefault();
      event.stopPropagation();
    };
    let index = -1;
    return html`
      <div class="picker" ref=${box} role="dialog" aria-label=${text("pictures")} onKeyDown=${press}>
        <input type="search" value=${wanted} placeholder=${text("find_picture")} aria-label=${text("find_picture")}
          onInput=${(event) => { setWanted(event.target.value); setAt(0); }} />
        <div class="grids">
          ${Object.entries(groups).map(([group, pairs]) => html`
            <div class="grid" key=${group} role="group" aria-label=${text(`group_${group}`)}>
              ${pairs.map(([name, picture]) => {
                index += 1;
                const mine = index;
                return html`<button type="button" key=${name} title=${`:${name}:`} aria-label=${name.replace(/_/g, " ")}
                  tabindex=${mine === at ? 0 : -1} onClick=${() => pick(picture)}>${picture}</button>`;
              })}</div>`)}
          ${!all.length && html`<p class="hint" role="status">${text("nothing_found")}</p>`}
        </div>
      </div>`;
  };
})();
