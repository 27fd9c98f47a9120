// The log of a conversation: the scroll position in it, jumps, and what is done with its messages.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { html, useEffect, useLayoutEffect, useRef, useState } = globalThis.htmPreact;
  const { Badge, Icon, dayName, dayOf, clockTime } = GTChat.parts;
  const { PendingMessage, continues } = GTChat.messages;
  const text = (...details) => GTChat.text(...details);

  // Pixels from an end of the window at which to load more, and from the bottom that count as the
  // bottom.
  const LOAD_MARGIN = 800;
  const BOTTOM_MARGIN = 40;
  // Pixels from the upper edge at which the target of a jump is shown.
  const JUMP_TOP = 90;
  // Milliseconds for which the target of a jump is lit.
  const LIT = 2500;

  // Returns the text of the button that leads to what is new above. entry: the first new message, if it is loaded.
  const newAboveText = (count, entry) => {
    if (!entry) return text(count === 1 ? "one_new_above" : "new_above", { count });
    const today = dayOf(entry.at) === dayOf(Date.now());
    const time = today ? clockTime(entry.at) : dayName(entry.at);
    return text(count === 1 ? "one_new_since" : "new_since", { count, time });
  };

  // Returns what stands above the first message.
  const startText = ({ kind, name }, me) => (
    kind === "room" ? text("room_start", { room: name }) : name === me ? text("notes_start") : text("direct_start", { usr: name }));

  GTChat.Log = ({ shell, conversation }) => {
    const { state, actions } = shell;
    const box = useRef(null);
    // The scroll position: at the bottom, or the entry `seq` at `top` pixels below the upper edge.
    // isShort: whether the window of the log fills the box so little that both of its ends are near.
    // dividerAbove: whether the "New" divider is above the upper edge; dividerSeen: its `dividerSeq` when
    // it was last in view.
    // scrolled: the scrollTop that was noted or set last.
    const position = useRef({
      atBottom: true, seq: 0, top: 0, scrolled: 0, width: 0, height: 0, isShort: false, dividerAbove: false, dividerSeen: null });
    const sentCount = useRef(conversation.sentCount);
    const [lit, setLit] = useState(null); // {seq}: the entry of the last jump
    const [, redraw] = useState(0);
    const drawAgain = () => redraw((count) => count + 1);

    const setAtBottom = (atBottom) => {
      position.current.atBottom = atBottom;
      actions.setEndShown(conversation, atBottom);
    };
    const scrollToPosition = () => {
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
    // Scrolls to the position, after the content has changed.
    const restorePosition = () => {
      scrollToPosition();
      position.current.scrolled = box.current.scrollTop;
    };
    const loadNearEnds = (above, below) => {
      const { isShort } = position.current;
      if (above < LOAD_MARGIN && conversation.loadsOn("before", isShort)) actions.loadHistory(conversation, "before");
      if (below < LOAD_MARGIN && conversation.loadsOn("after", isShort)) actions.loadHistory(conversation, "after");
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
    // Whether the target of a jump, or the latest page, is not there yet.
    const isWaiting = () => !conversation.loaded || conversation.loading === "around";
    const isResized = () => (
      box.current.clientWidth !== position.current.width || box.current.clientHeight !== position.current.height);
    const showsEnd = () => {
      const { scrollTop, scrollHeight, clientHeight } = box.current;
      return scrollHeight - scrollTop - clientHeight < BOTTOM_MARGIN && conversation.atEnd;
    };
    // Takes over the position to which the user has scrolled. Returns whether the end came into view or went out of it.
    const takePosition = () => {
      const { scrollTop } = box.current;
      const atBottom = showsEnd();
      const changed = atBottom !== position.current.atBottom;
      if (changed) setAtBottom(atBottom);
      position.current.scrolled = scrollTop;
      const edge = box.current.getBoundingClientRect().top;
      for (const child of box.current.querySelectorAll("[data-seq]")) {
        const { top, bottom } = child.getBoundingClientRect();
        if (bottom > edge) {
          Object.assign(position.current, { seq: Number(child.dataset.seq), top: top - edge });
          break;
        }
      }
      return changed;
    };
    // Notes the position after scrolling, and loads more near an end of the window.
    const notePosition = () => {
      if (isWaiting()) {
        position.current.scrolled = box.current.scrollTop;
        return;
      }
      const { clientWidth, clientHeight } = box.current;
      if (isResized()) {
        // After a change of size (lines break elsewhere, the message box has grown) this is not a scroll
        // of the user's.
        Object.assign(position.current, { width: clientWidth, height: clientHeight });
        restorePosition();
      }
      const { scrollTop, scrollHeight } = box.current;
      position.current.isShort = scrollHeight < clientHeight + 2 * LOAD_MARGIN;
      if (takePosition()) drawAgain();
      noteDivider();
      loadNearEnds(scrollTop, scrollHeight - scrollTop - clientHeight);
    };
    // The log may be drawn between a scroll and its event: the position that is restored then is the new one.
    if (box.current && !isWaiting() && !isResized() && box.current.scrollTop !== position.current.scrolled) takePosition();

    const goToEnd = () => {
      setAtBottom(true);
      if (!conversation.atEnd) actions.loadLatest(conversation);
      else drawAgain();
    };

    useLayoutEffect(() => {
      // The user wants to see what they have sent.
      if (conversation.sentCount !== sentCount.current) {
        sentCount.current = conversation.sentCount;
        goToEnd();
      }
      if (position.current.atBottom) conversation.trim();
      restorePosition();
      // A jump to what is in view beside the end causes no scroll event.
      if (!position.current.atBottom && !isWaiting() && showsEnd()) setAtBottom(true);
      noteDivider();
    });
    // A log shorter than its box causes no scroll event: it is filled here.
    const length = conversation.entries.length;
    useEffect(() => { if (conversation.loaded) notePosition(); }, [length, conversation.loaded, conversation.firstLoaded]);
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
    // Shows an entry, which is lit for a while; without a place in the log it is the nearest one.
    const jumpTo = async (seq, light = true) => {
      setAtBottom(false);
      Object.assign(position.current, { seq, top: JUMP_TOP });
      if (seq < conversation.firstLoaded || seq > conversation.lastLoaded) await actions.loadHistory(conversation, "around", seq);
      if (light && conversation.entryAt(seq)) setLit({ seq });
      else if (light) shell.notice(text("quote_gone"));
      drawAgain();
      box.current?.focus();
    };
    const loadMore = (direction) => {
      conversation.sparsePages = 0;
      actions.loadHistory(conversation, direction);
    };
    const tools = GTChat.useMessageTools(shell, conversation, box, jumpTo);
    const onKeyDown = (event) => {
      tools.onKeyDown(event);
      if (event.defaultPrevented || event.altKey || event.metaKey || GTChat.isComposing(event)) return;
      if (event.key === "End") jumpToLatest();
      else if (event.key === "Home") jumpTo(1, false);
      else return;
      event.preventDefault();
    };
    useEffect(() => {
      if (!lit) return undefined;
      const timer = setTimeout(() => setLit(null), LIT);
      return () => clearTimeout(timer);
    }, [lit]);
    // Panels and addresses ask for an entry.
    const { target } = conversation;
    useEffect(() => {
      if (!target || !conversation.loaded) return;
      conversation.target = null;
      jumpTo(target.seq);
    }, [target, conversation.loaded]);

    const { lines: drawn, last } = GTChat.lines(shell, conversation, { active: tools.active, lit: lit?.seq, revealed: tools.revealed });
    const pending = conversation.pending(state.me);
    const { atBottom, isShort, dividerAbove, dividerSeen } = position.current;
    const { dividerSeq, dividerCount, unread } = conversation;
    const newBelow = atBottom ? 0 : unread;
    const firstNewAbove = dividerAbove || (conversation.loaded && conversation.firstLoaded > dividerSeq + 1);
    const newAbove = dividerSeq !== null && firstNewAbove && dividerSeen !== dividerSeq ? dividerCount : 0;
    const firstNew = newAbove && conversation.firstLoaded <= dividerSeq + 1 ? conversation.entries.find(({ seq }) => seq > dividerSeq) : null;
    const loadButton = (direction, label) => html`<p class="hint">
      <button type="button" class="button small" onClick=${() => loadMore(direction)}>${text(label)}</button></p>`;
    return html`
      <div class="log-frame">
        ${newAbove > 0 && html`
          <div class="jump up"><button type="button" onClick=${() => jumpTo(dividerSeq + 1, false)}><${Icon} name="to_top" size="s" />
            ${newAboveText(newAbove, firstNew)}</button>
            <button type="button" aria-label=${text("mark_as_read")} data-tip=${text("mark_as_read")}
              onClick=${() => { actions.hideDivider(conversation); box.current.focus(); }}><${Icon} name="close" size="s" /></button></div>`}
        <div class="log" ref=${box} onScroll=${notePosition} onKeyDown=${onKeyDown} ...${tools.handlers} role="log" tabindex="0" aria-live="polite"
          aria-busy=${conversation.loading ? "true" : "false"} aria-label=${text("messages", { name: conversation.name })}>
          ${conversation.loaded && !conversation.atStart && (conversation.loading === "before" || conversation.loadsOn("before", isShort)
            ? html`<p class="hint older">${text("loading")}</p>` : !conversation.failed && loadButton("before", "load_earlier"))}
          ${conversation.failed && html`<p class="hint">${text("load_failed")}
            <button type="button" class="button small" onClick=${() => actions.loadHistory(conversation, conversation.loaded ? "before" : "latest")}>${text("load_again")}</button></p>`}
          ${conversation.loaded && conversation.atStart && html`<p class="beginning">${conversation.logFirst > 1 ? text("older_removed") : length || pending.length || conversation.kind === "direct"
            ? startText(conversation, state.me) : text("room_empty")}</p>`}
          <ul class="entries" role="list">
            ${drawn}
            ${pending.map((item, index) => html`
              <${PendingMessage} key=${item.txn} shell=${shell} conversation=${conversation} item=${item}
                continued=${continues({ ...item, usr: state.me }, index ? { ...pending[index - 1], usr: state.me } : last)} />`)}
          </ul>
          ${conversation.loaded && !conversation.atEnd && !conversation.loading && !conversation.loadsOn("after", isShort) && !conversation.failed
            && loadButton("after", "load_later")}
        </div>
        ${!atBottom && html`
          <div class="jump"><button type="button" onClick=${jumpToLatest}><${Icon} name="to_bottom" size="s" />
            ${text("jump_to_latest")}${newBelow > 0 && html`<${Badge} count=${newBelow} wanted
              label=${text(newBelow === 1 ? "one_new_below" : "new_below")} />`}</button></div>`}
      </div>`;
  };
})();
