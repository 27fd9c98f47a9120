// The messages and events of a conversation, and the scroll position in them.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { html, useEffect, useLayoutEffect, useRef, useState } = globalThis.htmPreact;
  const { Icon, Time, dayName, dayOf } = GTChat.parts;
  const { Message, BlockedMessage, PendingMessage, isMessage, messageLabel, continues } = GTChat.messages;
  const text = (...details) => GTChat.text(...details);

  // Pixels from an end of the window at which to load more, and from the bottom that count as the
  // bottom.
  const LOAD_MARGIN = 800;
  const BOTTOM_MARGIN = 40;
  // Pixels from the upper edge at which the target of a jump is shown.
  const JUMP_TOP = 90;
  // Names listed in the line of several events.
  const MAX_NAMES = 5;

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
      if (last && GTChat.sharesLine(entry, last[0]) && entry.seq !== dividerSeq + 1
        && dayOf(last[0].at) === dayOf(entry.at)) last.push(entry);
      else groups.push([entry]);
    }
    return groups;
  };

  // Drawn lines by their first entry, with what they depend on: an unchanged line is not drawn again.
  const cache = new WeakMap();

  // Returns the line of a group of entries, of which the last is `lastSeq`. continued: whether it
  // continues the message before.
  const line = (state, seq, lastSeq, group, continued) => {
    const [entry] = group;
    const blocked = isMessage(entry) && state.isBlocked(entry.usr);
    const key = `${GTChat.language()} ${seq} ${group.length} ${continued} ${blocked}`;
    const cached = cache.get(entry);
    if (cached?.key === key) return cached.drawn;
    const label = isMessage(entry) && !blocked ? messageLabel(entry) : undefined;
    const drawn = html`<li class="entry" key=${seq} data-seq=${seq} data-last=${lastSeq} aria-label=${label}>
      ${blocked ? html`<${BlockedMessage} entry=${entry} />` : isMessage(entry)
        ? html`<${Message} state=${state} entry=${entry} continued=${continued} />`
        : html`<${Event} entries=${group} />`}</li>`;
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
      const lastSeq = group.at(-1).seq || number;
      if (!last || dayOf(last.at) !== dayOf(entry.at)) {
        drawn.push(html`<li class="day" key=${`day ${seq}`}><span>${dayName(entry.at)}</span></li>`);
      }
      const afterDivider = dividerSeq !== null && seq === dividerSeq + 1;
      if (afterDivider) drawn.push(html`<li class="new" key="new"><span>${text("new_divider")}</span></li>`);
      drawn.push(line(state, seq, lastSeq, group, !afterDivider && continues(entry, last)));
      last = group.at(-1);
    }
    return { lines: drawn, last };
  };

  GTChat.Log = ({ shell, conversation }) => {
    const { state, actions } = shell;
    const room = conversation.kind === "room" ? conversation : null;
    const box = useRef(null);
    // The scroll position: at the bottom, or the entry `seq` at `top` pixels below the upper edge.
    // isShort: whether the window of the log fills the box so little that both of its ends are near.
    // dividerAbove: whether the "New" divider is above the upper edge; dividerSeen: its `dividerSeq` when
    // it was last in view.
    const position = useRef({
      atBottom: true, seq: 0, top: 0, width: 0, height: 0, isShort: false, dividerAbove: false, dividerSeen: null });
    const sentCount = useRef(conversation.sentCount);
    const [, redraw] = useState(0);
    const drawAgain = () => redraw((count) => count + 1);

    const setAtBottom = (atBottom) => {
      position.current.atBottom = atBottom;
      actions.setEndShown(conversation, atBottom);
    };
    // Scrolls to the position, after the content has changed.
    const restorePosition = () => {
      const { atBottom, seq, top } = position.current;
      if (atBottom) {
        box.current.scrollTop = box.current.scrollHeight;
        return;
      }
      const child = [...box.current.querySelectorAll("[data-seq]")].find(({ dataset }) => Number(dataset.last) >= seq);
      if (!child) return;
      const now = child.getBoundingClientRect().top - box.current.getBoundingClientRect().top;
      if (Math.abs(now - top) >= 1) box.current.scrollTop += now - top;
    };
    const loadNearEnds = (above, below) => {
      if (!room) return;
      const { isShort } = position.current;
      if (above < LOAD_MARGIN && room.loadsOn("before", isShort)) actions.loadHistory(room, "before");
      if (below < LOAD_MARGIN && room.loadsOn("after", isShort)) actions.loadHistory(room, "after");
    };
    const noteDivider = () => {
      const divider = box.current.querySelector(".new")?.getBoundingClientRect();
      const { top, bottom } = box.current.getBoundingClientRect();
      const above = Boolean(divider) && divider.bottom < top;
      if (divider && !above && divider.top < bottom) position.current.dividerSeen = conversation.dividerSeq;
      if (above === position.current.dividerAbove) return;
      position.current.dividerAbove = above;
      drawAgain();
    };
    // Notes the position after scrolling, and loads more near an end of the window.
    const notePosition = () => {
      if (room && (!room.loaded || room.loading === "around")) return; // the target of a jump is not there yet
      const { clientWidth, clientHeight } = box.current;
      if (clientWidth !== position.current.width || clientHeight !== position.current.height) {
        // After a change of size (lines break elsewhere, the message box has grown) this is not a scroll
        // of the user's.
        Object.assign(position.current, { width: clientWidth, height: clientHeight });
        restorePosition();
      }
      const { scrollTop, scrollHeight } = box.current;
      const below = scrollHeight - scrollTop - clientHeight;
      position.current.isShort = scrollHeight < clientHeight + 2 * LOAD_MARGIN;
      const atBottom = below < BOTTOM_MARGIN && conversation.atEnd;
      if (atBottom !== position.current.atBottom) {
        setAtBottom(atBottom);
        drawAgain();
      }
      const edge = box.current.getBoundingClientRect().top;
      for (const child of box.current.querySelectorAll("[data-seq]")) {
        const { top, bottom } = child.getBoundingClientRect();
        if (bottom > edge) {
          Object.assign(position.current, { seq: Number(child.dataset.seq), top: top - edge });
          break;
        }
      }
      noteDivider();
      loadNearEnds(scrollTop, below);
    };
    const goToEnd = () => {
      setAtBottom(true);
      if (room && !room.atEnd) actions.loadLatest(room);
      else drawAgain();
    };

    useLayoutEffect(() => {
      // The user wants to see what they have sent.
      if (conversation.sentCount !== sentCount.current) {
        sentCount.current = conversation.sentCount;
        goToEnd();
      }
      if (position.current.atBottom) room?.trim();
      restorePosition();
      noteDivider();
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
      goToEnd();
      box.current.focus();
    };
    const jumpTo = async (seq) => {
      setAtBottom(false);
      Object.assign(position.current, { seq, top: JUMP_TOP });
      if (room && (seq < room.firstLoaded || seq > room.lastLoaded)) await actions.loadHistory(room, "around", seq);
      else drawAgain();
      box.current?.focus();
    };
    const loadMore = (direction) => {
      room.sparsePages = 0;
      actions.loadHistory(room, direction);
    };
    const onKeyDown = (event) => {
      if (event.target !== box.current || event.altKey || event.metaKey || GTChat.isComposing(event)) return;
      if (event.key === "End") jumpToLatest();
      else if (event.key === "Home" && room) jumpTo(1);
      else return;
      event.preventDefault();
    };

    const { lines: drawn, last } = lines(state, conversation);
    const pending = conversation.pending(state.me);
    const { atBottom, isShort, dividerAbove, dividerSeen } = position.current;
    const { dividerSeq, dividerCount, unread } = conversation;
    const newBelow = atBottom ? 0 : unread;
    const firstNewAbove = dividerAbove || (room?.loaded && room.firstLoaded > dividerSeq + 1);
    const newAbove = dividerSeq !== null && firstNewAbove && dividerSeen !== dividerSeq ? dividerCount : 0;
    const loadButton = (direction, label) => html`<p class="hint">
      <button type="button" onClick=${() => loadMore(direction)}>${text(label)}</button></p>`;
    return html`
      <div class="log-frame">
        ${newAbove > 0 && html`
          <button type="button" class="jump up" onClick=${() => jumpTo(dividerSeq + 1)}><${Icon} name="up" />
            ${text(newAbove === 1 ? "one_new_above" : "new_above", { count: newAbove })}</button>`}
        <div class="log" ref=${box} onScroll=${notePosition} onKeyDown=${onKeyDown} role="log" tabindex="0" aria-live="polite"
          aria-busy=${room?.loading ? "true" : "false"} aria-label=${text("messages", { name: conversation.name })}>
          ${room?.loaded && !room.atStart && (room.loading === "before" || room.loadsOn("before", isShort)
            ? html`<p class="hint older">${text("loading")}</p>` : !room.failed && loadButton("before", "load_earlier"))}
          ${room?.failed && html`<p class="hint">${text("load_failed")}
            <button type="button" onClick=${() => actions.loadHistory(room, room.loaded ? "before" : "latest")}>${text("load_again")}</button></p>`}
          ${room?.loaded && room.atStart && html`<p class="beginning">${length || pending.length
            ? text("room_start", { room: room.name }) : text("room_empty")}</p>`}
          ${!room && html`<p class="beginning">${text("direct_start", { usr: conversation.name })}</p>`}
          <ul class="entries" role="list">
            ${drawn}
            ${pending.map((item, index) => html`
              <${PendingMessage} key=${item.txn} state=${state} actions=${actions} conversation=${conversation} item=${item}
                continued=${continues({ usr: state.me, at: item.at }, index ? { ...pending[index - 1], usr: state.me } : last)} />`)}
          </ul>
          ${room?.loaded && !room.atEnd && !room.loading && !room.loadsOn("after", isShort) && !room.failed
            && loadButton("after", "load_later")}
        </div>
        ${!atBottom && html`
          <button type="button" class="jump" onClick=${jumpToLatest}><${Icon} name="down" />
            ${newBelow === 0 ? text("jump_to_latest")
              : text(newBelow === 1 ? "one_new_below" : "new_below", { count: newBelow })}</button>`}
      </div>`;
  };
})();
