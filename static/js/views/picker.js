// The emoji picker: a grid for the arrow keys, and a search by name.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { html, useEffect, useRef, useState } = globalThis.htmPreact;
  const text = (...details) => GTChat.text(...details);

  const COLUMNS = 8;
  const MAX_RESULTS = 48;
  const STEPS = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -COLUMNS, ArrowDown: COLUMNS };

  // onPick(emoji), onClose(): callbacks.
  GTChat.Picker = ({ onPick, onClose }) => {
    const [query, setQuery] = useState("");
    const [focused, setFocused] = useState(0); // index of the emoji that takes the focus
    const picker = useRef(null);
    const groups = query.trim() ? { results: GTChat.findEmoji(query.trim(), MAX_RESULTS) } : GTChat.EMOJI_GROUPS;
    const all = Object.values(groups).flat();

    useEffect(() => {
      picker.current.querySelector("input").focus();
      const closeOutside = (event) => { if (!picker.current.parentNode.contains(event.target)) onClose(); };
      document.addEventListener("pointerdown", closeOutside);
      return () => document.removeEventListener("pointerdown", closeOutside);
    }, []);

    const moveTo = (index) => {
      const next = Math.max(0, Math.min(all.length - 1, index));
      setFocused(next);
      picker.current.querySelectorAll(".grid button")[next]?.focus();
    };
    const onKeyDown = (event) => {
      if (GTChat.isComposing(event)) return;
      const inGrid = event.target.matches(".grid button");
      if (event.key === "Escape") {
        onClose();
      } else if (inGrid && STEPS[event.key]) {
        if (event.key === "ArrowUp" && focused < COLUMNS) picker.current.querySelector("input").focus();
        else moveTo(focused + STEPS[event.key]);
      } else if (!inGrid && event.key === "ArrowDown") {
        moveTo(0);
      } else if (!inGrid && event.key === "Enter") {
        if (all.length) onPick(all[0][1]);
      } else {
        return;
      }
      event.preventDefault();
      event.stopPropagation();
    };
    let count = -1;
    return html`
      <div class="picker" ref=${picker} role="dialog" aria-label=${text("emoji")} onKeyDown=${onKeyDown}>
        <input type="search" value=${query} placeholder=${text("search_emoji")} aria-label=${text("search_emoji")}
          onInput=${(event) => { setQuery(event.target.value); setFocused(0); }} />
        <div class="grids">
          ${Object.entries(groups).map(([group, pairs]) => html`
            <div class="grid" key=${group} role="group" aria-label=${text(`group_${group}`)}>
              ${pairs.map(([name, emoji]) => {
                count += 1;
                const index = count;
                return html`<button type="button" key=${name} title=${`:${name}:`} aria-label=${name.replace(/_/g, " ")}
                  tabindex=${index === focused ? 0 : -1} onClick=${() => onPick(emoji)}>${emoji}</button>`;
              })}</div>`)}
          ${!all.length && html`<p class="hint" role="status">${text("no_results")}</p>`}
        </div>
      </div>`;
  };
})();
