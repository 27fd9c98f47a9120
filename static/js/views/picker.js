// The emoji picker: a grid for the arrow keys, and a search by name. Those used last come first.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { html, useRef, useState } = globalThis.htmPreact;
  const { Find } = GTChat.forms;
  const { local } = GTChat.storage;
  const text = (...details) => GTChat.text(...details);

  const COLUMNS = 8;
  const MAX_RESULTS = 48;
  const STEPS = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -COLUMNS, ArrowDown: COLUMNS };
  // Pairs [name, emoji] that were used last, newest first.
  const RECENT = "gtchat emoji";

  const remember = (pair) => {
    const others = local.get(RECENT, []).filter(([name]) => name !== pair[0]);
    local.set(RECENT, [pair, ...others].slice(0, COLUMNS));
  };

  // Returns what is shown: group of texts.js -> pairs [name, emoji].
  const groupsFor = (query) => {
    if (query.trim()) return { results: GTChat.findEmoji(query.trim(), MAX_RESULTS) };
    const recent = local.get(RECENT, []);
    return { ...(recent.length ? { recent } : {}), ...GTChat.EMOJI_GROUPS };
  };

  // popover: {anchor, onPick(emoji)}.
  GTChat.POPOVERS.emoji = ({ popover, close }) => {
    const [query, setQuery] = useState("");
    const [focused, setFocused] = useState(0); // index of the emoji that takes the focus
    const grids = useRef(null);
    const groups = groupsFor(query);
    const all = Object.values(groups).flat();
    const named = all[focused];

    const pick = (pair) => {
      remember(pair);
      close();
      popover.onPick(pair[1]);
    };
    const moveTo = (index) => {
      const next = Math.max(0, Math.min(all.length - 1, index));
      setFocused(next);
      grids.current.querySelectorAll("button")[next]?.focus();
    };
    const onKeyDown = (event) => {
      const inGrid = grids.current.contains(event.target);
      if (inGrid && STEPS[event.key]) {
        if (event.key === "ArrowUp" && focused < COLUMNS) event.currentTarget.querySelector("input").focus();
        else moveTo(focused + STEPS[event.key]);
      } else if (!inGrid && event.key === "ArrowDown") {
        moveTo(0);
      } else if (!inGrid && event.key === "Enter") {
        if (all.length) pick(all[0]);
      } else {
        return;
      }
      event.preventDefault();
      event.stopPropagation();
    };
    let count = -1;
    return html`
      <${GTChat.Popover} anchor=${popover.anchor} close=${close} label=${text("emoji")} side="above" kind="picker" onKeyDown=${onKeyDown}>
        <div class="find"><${Find} label=${text("search_emoji")} value=${query} autofocus
          onChange=${(value) => { setQuery(value); setFocused(0); }} /></div>
        <div class="grids" ref=${grids}>
          ${Object.entries(groups).map(([group, pairs]) => html`
            <h2 class="group-title" key=${`title ${group}`}>${text(`group_${group}`)}</h2>
            <div class="grid" key=${group} role="group" aria-label=${text(`group_${group}`)}>
              ${pairs.map((pair) => {
                count += 1;
                const index = count;
                return html`<button type="button" key=${pair[0]} aria-label=${pair[0].replace(/_/g, " ")}
                  tabindex=${index === focused ? 0 : -1} onPointerEnter=${() => setFocused(index)} onClick=${() => pick(pair)}>${pair[1]}</button>`;
              })}</div>`)}
          ${!all.length && html`<p class="hint" role="status">${text("no_results")}</p>`}
        </div>
        <p class="named small" aria-hidden="true">${named && html`<span>${named[1]}</span><bdi class="cut">:${named[0]}:</bdi>`}</p>
      <//>`;
  };
})();
