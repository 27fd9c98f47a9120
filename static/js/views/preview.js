// A public room before joining: what it is about, and its last messages.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { html, useEffect, useLayoutEffect, useRef, useState } = globalThis.htmPreact;
  const { Empty, Icon, Problem } = GTChat.parts;
  const text = (...details) => GTChat.text(...details);

  // The last messages. shown: what Actions.preview returned.
  const Messages = ({ shell, shown }) => {
    const [revealed, setRevealed] = useState(new Set());
    const box = useRef(null);
    useLayoutEffect(() => { box.current.scrollTop = box.current.scrollHeight; }, [shown]);
    const onClick = (event) => {
      const target = event.target.closest("[data-person], [data-jump], [data-act]");
      const { person, jump, act } = target?.dataset ?? {};
      if (person !== undefined) shell.showPopover({ name: "person", anchor: target, usr: person, room: null });
      else if (jump) box.current.querySelector(`[data-seq="${Number(jump)}"]`)?.scrollIntoView({ block: "nearest" });
      else if (act === "show") setRevealed(new Set([...revealed, Number(target.closest("li.entry").dataset.seq)]));
    };
    const { lines } = GTChat.lines(shell, shown, { active: null, lit: null, revealed });
    return html`
      <div class="log" ref=${box} tabindex="0" role="region" aria-label=${text("messages", { name: shown.name })} onClick=${onClick}>
        <ul class="entries" role="list">${lines}</ul></div>`;
  };

  // Why there are no messages, as a text key, or null. page: {shown, error} as far as it is loaded.
  const missing = (shell, room, { shown, error }) => (
    !room.preview || !shell.actions.can("preview") || error?.code === "not_allowed" ? "preview_off"
      : shown?.entries.length === 0 ? "preview_empty" : null);

  // kept: name -> what was loaded of the rooms that were looked at. join(): joins the room; error: why that failed.
  GTChat.Preview = ({ shell, room, kept, join, error }) => {
    const { name, owner } = room;
    const wanted = !room.joined && room.preview && shell.actions.can("preview");
    const [, redraw] = useState(0);
    useEffect(() => {
      if (!wanted || kept.has(name)) return;
      const keep = (page) => {
        kept.set(name, page);
        redraw((count) => count + 1);
      };
      shell.actions.preview(room).then((shown) => keep({ shown }), (refused) => keep({ error: refused }));
    }, [name, wanted]);
    const page = kept.get(name) ?? {};
    const reason = missing(shell, room, page);
    const by = owner && html` · ${GTChat.textParts("owned_by", { usr: html`<bdi>${owner}</bdi>` })}`;
    return html`
      <section class="preview" aria-label=${text("preview_of", { room: name })}>
        <div class="top"><h2 class="title"><${Icon} name="hash" size="l" /><bdi>${name}</bdi></h2>
          ${room.topic && html`<p class="second" dir="auto"><${GTChat.Topic} topic=${room.topic} /></p>`}
          <p class="small third">${GTChat.membersText(GTChat.memberCount(shell.state, room))}${by}</p></div>
        ${room.joined ? html`<div class="log"></div>`
          : reason ? html`<${Empty} icon="eye" title=${text(reason === "preview_empty" ? "no_messages" : "no_preview")}>${text(reason)}<//>`
            : page.error ? html`<div class="log"><${Problem} error=${page.error} /></div>`
              : page.shown ? html`<${Messages} shell=${shell} shown=${page.shown} />`
                : html`<div class="log" aria-busy="true"><p class="hint">${text("loading")}</p></div>`}
        <div class="cta"><${Problem} error=${error} />
          ${room.joined
            ? html`<span class="grow small second">${text("joined")}</span><button type="button" class="button primary" onClick=${() => shell.open(room)}>${text("open_room", { room: name })}</button>`
            : html`<${Icon} name="eye" size="s" /><p class="grow small second">${text("preview_note")}</p>
              <button type="button" class="button primary" onClick=${join}>${text("join_named", { room: name })}</button>`}</div>
      </section>`;
  };
})();
