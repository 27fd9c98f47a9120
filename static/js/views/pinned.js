// The panel of a room's pinned messages.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { html, useEffect, useState } = globalThis.htmPreact;
  const { Empty } = GTChat.parts;
  const text = (...details) => GTChat.text(...details);

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
                  <${GTChat.Hit} key=${entry.seq} room=${room} entry=${entry} onOpen=${() => shell.openMessage(room, entry.seq)}>
                    ${GTChat.plainText(entry.msg)}<//>`)}</ul>`}
        </div>
      <//>`;
  };
  Pinned.needsRoom = true;
  GTChat.PANELS.pinned = Pinned;
})();
