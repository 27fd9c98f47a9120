// In the middle: what is said in a room or a talk.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { html, useEffect, useLayoutEffect, useRef, useState } = globalThis.htmPreact;
  const { Avatar, Icon, IconButton, Time, linked, dayName, dayOf } = GTChat.parts;
  const text = (...details) => GTChat.text(...details);

  // Messages of one person within this time stand together (milliseconds).
  const TOGETHER = 5 * 60_000;
  // Pixels from an end at which to read on, and from the bottom that still count as the bottom.
  const NEAR = 600;
  const BOTTOM = 40;

  const isMessage = (entry) => entry.cmd !== "c_event";

  const follows = (entry, before) => before && isMessage(before) && before.usr === entry.usr
    && new Date(entry.at) - new Date(before.at) < TOGETHER && dayOf(entry.at) === dayOf(before.at);

  const Message = ({ chat, entry, together, children }) => {
    const mention = entry.usr !== chat.me && GTChat.mentions(entry.msg, chat.me);
    return html`
      <div class=${`message ${together ? "together" : ""} ${mention ? "mention" : ""}`}>
        ${!together && html`<${Avatar} name=${entry.usr} />
          <p class="who"><strong dir="auto">${entry.usr}</strong> <${Time} at=${entry.at} /></p>`}
        ${together && html`<span class="hidden">${entry.usr}: </span>`}
        <p class="text" dir="auto">${linked(entry.msg)}</p>
        ${entry.stored && html`<p class="state">${text("stored", { usr: chat.place.name })}</p>`}
        ${children}
      </div>`;
  };

  const Waiting = ({ chat, place, item, together }) => html`
    <div class=${`waiting ${item.state}`}>
      <${Message} chat=${chat} entry=${{ usr: chat.me, msg: item.msg, at: item.at }} together=${together}>
        ${item.state === "sending" ? html`<p class="state">${text("sending")}</p>` : html`
          <p class="state problem" role="alert">${text("failed", { reason: GTChat.reason(item.error) })}
            <button type="button" onClick=${() => chat.again(place, item)}>${text("again")}</button>
            <button type="button" onClick=${() => chat.discard(place, item)}>${text("discard")}</button></p>`}
      <//>
    </div>`;

  // The lines of a log: days, the "new" line, messages, what else happened.
  const lines = (chat, place, entries) => {
    const shown = [];
    let before = null;
    entries.forEach((entry, index) => {
      const seq = entry.seq || index + 1;
      if (!before || dayOf(before.at) !== dayOf(entry.at)) {
        shown.push(html`<div class="day" key=${`day ${seq}`} role="separator"><span>${dayName(entry.at)}</span></div>`);
      }
      const fresh = place.line !== null && seq === place.line + 1;
      if (fresh) shown.push(html`<div class="new" key="new" role="separator"><span>${text("new_line")}</span></div>`);
      shown.push(html`<div class="entry" key=${seq} data-seq=${seq}>
        ${isMessage(entry)
          ? html`<${Message} chat=${chat} entry=${entry} together=${!fresh && follows(entry, before)} />`
          : html`<p class="event">${text(entry.type, entry)} <${Time} at=${entry.at} /></p>`}</div>`);
      before = entry;
    });
    return { shown, before };
  };

  const Log = ({ shell, place }) => {
    const { chat } = shell;
    const room = place instanceof GTChat.Room ? place : null;
    const box = useRef(null);
    // Where the reader is: at the bottom, or with an entry at a height.
    const reader = useRef({ stuck: true, seq: 0, top: 0, left: 0 });
    const [, redraw] = useState(0);

    const note = () => {
      const { scrollTop, scrollHeight, clientHeight } = box.current;
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
        else if (below < NEAR) chat.load(room, "after");
      }
    };

    useLayoutEffect(() => {
      const { stuck, seq, top } = reader.current;
      if (stuck) {
        room?.trim();
        box.current.scrollTop = box.current.scrollHeight;
        return;
      }
      const child = box.current.querySelector(`[data-seq="${seq}"]`);
      if (child) {
        const now = child.getBoundingClientRect().top - box.current.getBoundingClientRect().top;
        if (Math.abs(now - top) >= 1) box.current.scrollTop += now - top;
      }
    });
    // A log shorter than its box has nothing to scroll: it is filled up here.
    const length = place.entries.length;
    useEffect(() => { if (room?.started) note(); }, [length, room?.started]);
    useEffect(() => {
      const observer = new ResizeObserver(() => {
        if (reader.current.stuck) box.current.scrollTop = box.current.scrollHeight;
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
    };

    const { shown, before } = lines(chat, place, place.entries);
    const waiting = room ? room.waiting(chat.me) : place.outgoing;
    const more = room && !reader.current.stuck ? room.lastSeq - reader.current.left : 0;
    return html`
      <div class="log-frame">
        <div class="log" ref=${box} onScroll=${note} role="log" tabindex="0" aria-live="polite"
          aria-label=${text("messages", { place: place.name })}>
          ${room?.loading === "before" && html`<p class="hint">${text("loading")}</p>`}
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

  const Head = ({ shell, place }) => {
    const room = place instanceof GTChat.Room ? place : null;
    const count = room && room.name !== "lobby" ? room.memberCount : shell.chat.people.size;
    return html`
      <header class="bar">
        <${IconButton} icon="menu" label=${text("rooms")} class="icon-button narrow" onClick=${() => shell.turn("rooms")} />
        <div class="title"><h2 dir="auto">${room ? `# ${room.name}` : place.name}</h2>
          <p class="topic" dir="auto" title=${room?.topic}>${room ? room.topic : text(shell.chat.isHere(place.name) ? "here" : "away")}</p></div>
        ${room && html`<button type="button" class="people-button" onClick=${() => shell.turn("people")}
            aria-label=${text("people")}><${Icon} name="people" /> ${count}</button>`}
        ${room && room.name !== "lobby" && html`
          <${IconButton} icon="gear" label=${text("room_settings")} onClick=${() => shell.show({ name: "room", room })} />`}
        ${!room && html`<${IconButton} icon="close" label=${text("close")} onClick=${() => shell.chat.closeTalk(place)} />`}
      </header>`;
  };

  GTChat.Conversation = ({ shell }) => {
    const { place } = shell.chat;
    if (!place) {
      return html`<main class="conversation"><p class="hint">${text("loading")}</p><${GTChat.ConnectionState} shell=${shell} /></main>`;
    }
    const key = `${place instanceof GTChat.Room ? "room" : "talk"} ${place.name}`;
    return html`
      <main class="conversation">
        <${Head} shell=${shell} place=${place} />
        <${GTChat.ConnectionState} shell=${shell} />
        <${Log} key=${key} shell=${shell} place=${place} />
        <${GTChat.Composer} key=${`to ${key}`} shell=${shell} place=${place} draft=${key} />
      </main>`;
  };
})();
