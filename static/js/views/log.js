// What is said in a room or a talk, and the reader's place in it.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { html, useEffect, useLayoutEffect, useRef, useState } = globalThis.htmPreact;
  const { Icon, Time, dayName, dayOf } = GTChat.parts;
  const { Message, Unheard, Waiting, isMessage, follows } = GTChat.messages;
  const text = (...details) => GTChat.text(...details);

  // Pixels from an end at which to read on, and from the bottom that still count as the bottom.
  const NEAR = 800;
  const BOTTOM = 40;
  // Names in a line that tells of many.
  const NAMES = 5;

  const CROWDS = new Set(["join_room", "leave_room"]);

  // What else happened; many who come, or go, one after the other are one line.
  const Event = ({ entries }) => {
    const [first] = entries;
    const names = [...new Set(entries.map((entry) => entry.usr))];
    const shown = names.slice(0, NAMES);
    if (names.length > NAMES) shown.push(text("others", { count: names.length - NAMES }));
    const list = new Intl.ListFormat(GTChat.language()).format(shown);
    return html`<p class="event" dir="auto">${text(first.type, { ...first, usr: list })} <${Time} at=${first.at} /></p>`;
  };

  // Entries as they are shown: a message alone, events of a crowd together.
  const grouped = (entries, line) => {
    const groups = [];
    for (const entry of entries) {
      const last = groups.at(-1);
      if (last && CROWDS.has(entry.type) && last[0].type === entry.type && entry.seq !== line + 1
        && dayOf(last[0].at) === dayOf(entry.at)) last.push(entry);
      else groups.push([entry]);
    }
    return groups;
  };

  // Lines as they were drawn, with what they depended on: a line that is the same costs nothing again.
  const drawn = new WeakMap();

  // The line of a group of entries. together: whether it stands together with the one before.
  const line = (chat, seq, group, together) => {
    const [entry] = group;
    const blocked = isMessage(entry) && chat.isBlocked(entry.usr);
    const state = `${GTChat.language()} ${seq} ${group.length} ${together} ${blocked}`;
    const known = drawn.get(entry);
    if (known?.state === state) return known.line;
    const made = html`<div class="entry" key=${seq} data-seq=${seq}>
      ${blocked ? html`<${Unheard} entry=${entry} />` : isMessage(entry)
        ? html`<${Message} chat=${chat} entry=${entry} together=${together} />`
        : html`<${Event} entries=${group} />`}</div>`;
    drawn.set(entry, { state, line: made });
    return made;
  };

  // The lines of a log: days, the "new" line, messages, what else happened; and its last entry.
  const lines = (chat, place) => {
    const shown = [];
    let before = null;
    let number = 0;
    for (const group of grouped(place.entries, place.line ?? NaN)) {
      const [entry] = group;
      number += group.length;
      const seq = entry.seq || number;
      if (!before || dayOf(before.at) !== dayOf(entry.at)) {
        shown.push(html`<div class="day" key=${`day ${seq}`} role="separator"><span>${dayName(entry.at)}</span></div>`);
      }
      const fresh = place.line !== null && seq === place.line + 1;
      if (fresh) shown.push(html`<div class="new" key="new" role="separator"><span>${text("new_line")}</span></div>`);
      shown.push(line(chat, seq, group, !fresh && follows(entry, before)));
      before = group.at(-1);
    }
    return { shown, before };
  };

  GTChat.Log = ({ shell, place }) => {
    const { chat } = shell;
    const room = place instanceof GTChat.Room ? place : null;
    const box = useRef(null);
    // Where the reader is: at the bottom, or with an entry at a height; `left` is where he left the bottom.
    const reader = useRef({ stuck: true, seq: 0, top: 0, left: 0, width: 0 });
    const [, redraw] = useState(0);

    // Scrolls to where the reader is, after what stands there has changed.
    const keep = () => {
      const { stuck, seq, top } = reader.current;
      if (stuck) {
        box.current.scrollTop = box.current.scrollHeight;
        return;
      }
      const child = box.current.querySelector(`[data-seq="${seq}"]`);
      if (!child) return;
      const now = child.getBoundingClientRect().top - box.current.getBoundingClientRect().top;
      if (Math.abs(now - top) >= 1) box.current.scrollTop += now - top;
    };
    // Notes where the reader is, and reads on near an end.
    const note = () => {
      if (room?.loading === "around") return; // he is on his way
      const { clientWidth, clientHeight } = box.current;
      if (clientWidth !== reader.current.width) {
        // Lines break elsewhere now; nobody has scrolled.
        reader.current.width = clientWidth;
        keep();
      }
      const { scrollTop, scrollHeight } = box.current;
      const below = scrollHeight - scrollTop - clientHeight;
      const stuck = below < BOTTOM && (!room || room.atEnd);
      if (stuck !== reader.current.stuck) {
        reader.current.stuck = stuck;
        reader.current.left = room?.lastSeq ?? 0;
        redraw((count) => count + 1);
      }
      const edge = box.current.getBoundingClientRect().top;
      for (const child of box.current.querySelectorAll("[data-seq]")) {
        const { top, bottom } = child.getBoundingClientRect();
        if (bottom > edge) {
          Object.assign(reader.current, { seq: Number(child.dataset.seq), top: top - edge });
          break;
        }
      }
      if (room && !room.failed) {
        if (scrollTop < NEAR) chat.load(room, "before");
        if (below < NEAR) chat.load(room, "after");
      }
    };

    useLayoutEffect(() => {
      if (reader.current.stuck) room?.trim();
      keep();
    });
    // A log shorter than its box has nothing to scroll: it is filled up here.
    const length = place.entries.length;
    useEffect(() => { if (room?.started) note(); }, [length, room?.started, room?.first]);
    useEffect(() => {
      const observer = new ResizeObserver(() => {
        if (reader.current.stuck) keep();
      });
      observer.observe(box.current);
      return () => observer.disconnect();
    }, []);

    const jump = () => {
      reader.current.stuck = true;
      if (room && !room.atEnd) {
        room.forget(room.lastSeq);
        chat.load(room, "latest");
      } else {
        redraw((count) => count + 1);
      }
      box.current.focus();
    };
    // Goes to an entry, wherever in the log it is.
    const go = async (seq) => {
      Object.assign(reader.current, { stuck: false, seq, top: 90, left: room.lastSeq });
      if (seq < room.first || seq > room.last) await chat.load(room, "around", seq);
      else redraw((count) => count + 1);
      box.current?.focus();
    };
    const press = (event) => {
      if (event.target !== box.current || event.altKey || event.metaKey) return;
      if (event.key === "End") jump();
      else if (event.key === "Home" && room) go(1);
      else return;
      event.preventDefault();
    };

    const { shown, before } = lines(chat, place);
    const waiting = room ? room.waiting(chat.me) : place.outgoing;
    const more = room && !reader.current.stuck ? room.lastSeq - reader.current.left : 0;
    const above = room?.started && room.line !== null && room.first > room.line + 1 ? room.lastSeq - room.line : 0;
    return html`
      <div class="log-frame">
        ${above > 0 && html`
          <button type="button" class="jump up" onClick=${() => go(room.line + 1)}><${Icon} name="up" />
            ${text("new_above", { count: above })}</button>`}
        <div class="log" ref=${box} onScroll=${note} onKeyDown=${press} role="log" tabindex="0" aria-live="polite"
          aria-busy=${room?.loading ? "true" : "false"} aria-label=${text("messages", { place: place.name })}>
          ${room?.started && !room.atStart && html`<p class="hint older">${text("loading")}</p>`}
          ${room?.failed && html`<p class="hint">${text("load_failed")}
            <button type="button" onClick=${() => chat.load(room, room.started ? "before" : "latest")}>${text("load_again")}</button></p>`}
          ${room?.started && room.atStart && html`<p class="beginning">${length || waiting.length
            ? text("room_start", { room: room.name }) : text("room_empty")}</p>`}
          ${!room && html`<p class="beginning">${text("talk_start", { usr: place.name })}</p>`}
          ${shown}
          ${waiting.map((item, index) => html`
            <${Waiting} key=${item.txn} chat=${chat} place=${place} item=${item}
              together=${follows({ usr: chat.me, at: item.at }, index ? { ...waiting[index - 1], usr: chat.me } : before)} />`)}
        </div>
        ${!reader.current.stuck && html`
          <button type="button" class="jump" onClick=${jump}><${Icon} name="down" />
            ${more > 0 ? text("new_below", { count: more }) : text("latest")}</button>`}
      </div>`;
  };
})();
