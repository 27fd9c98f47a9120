// The messages and events of a conversation, and the scroll position in them.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { html, useEffect, useLayoutEffect, useRef, useState } = globalThis.htmPreact;
  const { Icon, Time, dayName, dayOf } = GTChat.parts;
  const { Message, BlockedMessage, PendingMessage, isMessage, continues } = GTChat.messages;
  const text = (...details) => GTChat.text(...details);

  // Pixels from an end of the window at which to load more, and from the bottom that count as the
  // bottom.
  const LOAD_MARGIN = 800;
  const BOTTOM_MARGIN = 40;
  // Names listed in the line of several events.
  const MAX_NAMES = 5;

  // Several of these in a row are shown in one line.
  const GROUPED = new Set(["join_room", "leave_room"]);

  const Event = ({ entries }) => {
    const [first] = entries;
    const names = [...new Set(entries.map((entry) => entry.usr))];
    const listed = names.slice(0, MAX_NAMES);
    if (names.length > MAX_NAMES) listed.push(text("others", { count: names.length - MAX_NAMES }));
    const usr = new Intl.ListFormat(GTChat.language()).format(listed);
    return html`<p class="event" dir="auto">${text(first.type, { ...first, usr })} <${Time} at=${first.at} /></p>`;
  };

  // Returns the entries as lists: a message alone, grouped events together, none across the "New"
  // divider or a day.
  const grouped = (entries, dividerSeq) => {
    const groups = [];
    for (const entry of entries) {
      const last = groups.at(-1);
      if (last && GROUPED.has(entry.type) && last[0].type === entry.type && entry.seq !== dividerSeq + 1
        && dayOf(last[0].at) === dayOf(entry.at)) last.push(entry);
      else groups.push([entry]);
    }
    return groups;
  };

  // Drawn lines by their first entry, with what they depend on: an unchanged line is not drawn again.
  const cache = new WeakMap();

  // Returns the line of a group of entries. continued: whether it continues the message before.
  const line = (state, seq, group, continued) => {
    const [entry] = group;
    const blocked = isMessage(entry) && state.isBlocked(entry.usr);
    const key = `${GTChat.language()} ${seq} ${group.length} ${continued} ${blocked}`;
    const cached = cache.get(entry);
    if (cached?.key === key) return cached.drawn;
    const drawn = html`<div class="entry" key=${seq} data-seq=${seq}>
      ${blocked ? html`<${BlockedMessage} entry=${entry} />` : isMessage(entry)
        ? html`<${Message} state=${state} entry=${entry} continued=${continued} />`
        : html`<${Event} entries=${group} />`}</div>`;
    cache.set(entry, { key, drawn });
    return drawn;
  };

  // Returns {lines, last}: the days, the "New" divider, messages and events, and the last entry.
  const lines = (state, conversation) => {
    const { entries, dividerSeq } = conversation;
    const drawn = [];
    let last = null;
    let number = 0; // direct messages have no seq
    for (const group of grouped(entries, dividerSeq ?? NaN)) {
      const [entry] = group;
      number += group.length;
      const seq = entry.seq || number;
      if (!last || dayOf(last.at) !== dayOf(entry.at)) {
        drawn.push(html`<div class="day" key=${`day ${seq}`} role="separator"><span>${dayName(entry.at)}</span></div>`);
      }
      const afterDivider = dividerSeq !== null && seq === dividerSeq + 1;
      if (afterDivider) drawn.push(html`<div class="new" key="new" role="separator"><span>${text("new_divider")}</span></div>`);
      drawn.push(line(state, seq, group, !afterDivider && continues(entry, last)));
      last = group.at(-1);
    }
    return { lines: drawn, last };
  };

  GTChat.Log = ({ shell, conversation }) => {
    const { state, actions } = shell;
    const room = conversation.kind === "room" ? conversation : null;
    const box = useRef(null);
    // The scroll position: at the bottom, or the entry `seq` at `top` pixels below the upper edge.
    // leftAt: the last seq when the user left the bottom.
    const position = useRef({ atBottom: true, seq: 0, top: 0, leftAt: 0, width: 0 });
    const [, redraw] = useState(0);

    // Scrolls to the position, after the content has changed.
    const restorePosition = () => {
      const { atBottom, seq, top } = position.current;
      if (atBottom) {
        box.current.scrollTop = box.current.scrollHeight;
        return;
      }
      const child = box.current.querySelector(`[data-seq="${seq}"]`);
      if (!child) return;
      const now = child.getBoundingClientRect().top - box.current.getBoundingClientRect().top;
      if (Math.abs(now - top) >= 1) box.current.scrollTop += now - top;
    };
    const loadNearEnds = (above, below) => {
      if (!room || room.failed) return;
      if (above < LOAD_MARGIN) actions.loadHistory(room, "before");
      if (below < LOAD_MARGIN) actions.loadHistory(room, "after");
    };
    // Notes the position after scrolling, and loads more near an end of the window.
    const notePosition = () => {
      if (room?.loading === "around") return; // the target of the jump is not there yet
      const { clientWidth, clientHeight } = box.current;
      if (clientWidth !== position.current.width) {
        // After a change of width lines break elsewhere: this is not a scroll of the user's.
        position.current.width = clientWidth;
        restorePosition();
      }
      const { scrollTop, scrollHeight } = box.current;
      const below = scrollHeight - scrollTop - clientHeight;
      const atBottom = below < BOTTOM_MARGIN && (!room || room.atEnd);
      if (atBottom !== position.current.atBottom) {
        Object.assign(position.current, { atBottom, leftAt: room?.lastSeq ?? 0 });
        redraw((count) => count + 1);
      }
      const edge = box.current.getBoundingClientRect().top;
      for (const child of box.current.querySelectorAll("[data-seq]")) {
        const { top, bottom } = child.getBoundingClientRect();
        if (bottom > edge) {
          Object.assign(position.current, { seq: Number(child.dataset.seq), top: top - edge });
          break;
        }
      }
      loadNearEnds(scrollTop, below);
    };

    useLayoutEffect(() => {
      if (position.current.atBottom) room?.trim();
      restorePosition();
    });
    // A log shorter than its box causes no scroll event: it is filled here.
    const length = conversation.entries.length;
    useEffect(() => { if (room?.loaded) notePosition(); }, [length, room?.loaded, room?.firstLoaded]);
    useEffect(() => {
      const observer = new ResizeObserver(() => {
        if (position.current.atBottom) restorePosition();
      });
      observer.observe(box.current);
      return () => observer.disconnect();
    }, []);

    const jumpToLatest = () => {
      position.current.atBottom = true;
      if (room && !room.atEnd) actions.loadLatest(room);
      else redraw((count) => count + 1);
      box.current.focus();
    };
    const jumpTo = async (seq) => {
      Object.assign(position.current, { atBottom: false, seq, top: 90, leftAt: room.lastSeq });
      if (seq < room.firstLoaded || seq > room.lastLoaded) await actions.loadHistory(room, "around", seq);
      else redraw((count) => count + 1);
      box.current?.focus();
    };
    const onKeyDown = (event) => {
      if (event.target !== box.current || event.altKey || event.metaKey) return;
      if (event.key === "End") jumpToLatest();
      else if (event.key === "Home" && room) jumpTo(1);
      else return;
      event.preventDefault();
    };

    const { lines: drawn, last } = lines(state, conversation);
    const pending = conversation.pending(state.me);
    const newBelow = room && !position.current.atBottom ? room.lastSeq - position.current.leftAt : 0;
    const newAbove = room?.loaded && room.dividerSeq !== null && room.firstLoaded > room.dividerSeq + 1
      ? room.lastSeq - room.dividerSeq : 0;
    return html`
      <div class="log-frame">
        ${newAbove > 0 && html`
          <button type="button" class="jump up" onClick=${() => jumpTo(room.dividerSeq + 1)}><${Icon} name="up" />
            ${text("new_above", { count: newAbove })}</button>`}
        <div class="log" ref=${box} onScroll=${notePosition} onKeyDown=${onKeyDown} role="log" tabindex="0" aria-live="polite"
          aria-busy=${room?.loading ? "true" : "false"} aria-label=${text("messages", { name: conversation.name })}>
          ${room?.loaded && !room.atStart && html`<p class="hint older">${text("loading")}</p>`}
          ${room?.failed && html`<p class="hint">${text("load_failed")}
            <button type="button" onClick=${() => actions.loadHistory(room, room.loaded ? "before" : "latest")}>${text("load_again")}</button></p>`}
          ${room?.loaded && room.atStart && html`<p class="beginning">${length || pending.length
            ? text("room_start", { room: room.name }) : text("room_empty")}</p>`}
          ${!room && html`<p class="beginning">${text("direct_start", { usr: conversation.name })}</p>`}
          ${drawn}
          ${pending.map((item, index) => html`
            <${PendingMessage} key=${item.txn} state=${state} actions=${actions} conversation=${conversation} item=${item}
              continued=${continues({ usr: state.me, at: item.at }, index ? { ...pending[index - 1], usr: state.me } : last)} />`)}
        </div>
        ${!position.current.atBottom && html`
          <button type="button" class="jump" onClick=${jumpToLatest}><${Icon} name="down" />
            ${newBelow > 0 ? text("new_below", { count: newBelow }) : text("jump_to_latest")}</button>`}
      </div>`;
  };
})();
