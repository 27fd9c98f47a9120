// The panel of a room's pinned messages.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { html, useEffect, useState } = globalThis.htmPreact;
  const { Avatar, Empty, dayOf, clockTime } = GTChat.parts;
  const text = (...details) => GTChat.text(...details);

  // Returns when something was said, in few letters.
  const shortTime = (at) => (dayOf(at) === dayOf(Date.now()) ? clockTime(at)
    : new Date(at).toLocaleDateString(GTChat.language(), { day: "numeric", month: "short" }));

  // One message of a list; a click shows it in its place.
  const Hit = ({ shell, room, entry }) => {
    const show = () => {
      shell.open(room);
      shell.actions.show(room, entry.seq);
    };
    return html`
      <li><button type="button" class="hit" onClick=${show}>
        <span class="source"><${Avatar} name=${entry.usr} room=${room} size="xs" /><b class="cut"><bdi>${entry.usr}</bdi></b>
          <time class="end" dateTime=${entry.at}>${shortTime(entry.at)}</time></span>
        <span class="words" dir="auto">${GTChat.plainText(entry.msg)}</span></button></li>`;
  };

  const Pinned = ({ shell, room }) => {
    const { pins } = room;
    const [failed, setFailed] = useState(false);
    const load = () => {
      setFailed(false);
      shell.actions.loadPins(room).catch(() => setFailed(true));
    };
    useEffect(() => { if (!pins) load(); }, [pins, room]);
    const entries = pins && [...pins.values()];
    return html`
      <${GTChat.PanelFrame} shell=${shell} title=${text("pinned")} count=${entries?.length || undefined} kind="pinned">
        <div class="scroll">
          ${failed ? html`<p class="hint" role="alert">${text("load_failed")} <button type="button" class="button small" onClick=${load}>${text("load_again")}</button></p>`
            : !entries ? html`<p class="hint" role="status">${text("loading")}</p>`
              : entries.length === 0 ? html`<${Empty} icon="pin" title=${text("nothing_pinned")} heading=${GTChat.panelHeading(shell)}>${text("nothing_pinned_hint")}<//>`
                : html`<ul class="hits" aria-label=${text("pinned_messages")}>${entries.map((entry) => html`
                  <${Hit} key=${entry.seq} shell=${shell} room=${room} entry=${entry} />`)}</ul>`}
        </div>
      <//>`;
  };
  Pinned.needsRoom = true;
  GTChat.PANELS.pinned = Pinned;
})();
