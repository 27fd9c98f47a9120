// At the right: who belongs to the room, and who of them is here.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { html, useEffect, useRef, useState } = globalThis.htmPreact;
  const { Avatar, IconButton, Problem } = GTChat.parts;
  const text = (...details) => GTChat.text(...details);
  // People shown of each kind.
  const SHOWN = 300;

  const actions = (shell, room, name) => {
    const { chat } = shell;
    const order = (cmd, fields) => () => chat.order(cmd, fields);
    const blocked = chat.isBlocked(name);
    const here = { room_name: room.name, user: name };
    const owner = room.owner === chat.me && room.name !== "lobby";
    return [
      ["whisper", async () => shell.look(chat.talk(name))],
      [blocked ? "unblock" : "block", order(blocked ? "unblock" : "block", { user: name })],
      ["ask_address", async () => {
        await chat.order("get_address", { user: name });
        shell.notify(text("address_asked", { usr: name }));
      }],
      ...(owner ? [
        ["kick", order("kick", here)],
        ["remove", order("remove_member", here)],
      ] : []),
    ];
  };

  const Person = ({ shell, room, name }) => {
    const { chat } = shell;
    const [open, setOpen] = useState(false);
    const [error, setError] = useState(null);
    const box = useRef(null);
    const turn = (next) => {
      setError(null);
      setOpen(next);
    };
    useEffect(() => {
      if (!open) return undefined;
      const away = (event) => { if (!box.current.contains(event.target)) turn(false); };
      document.addEventListener("pointerdown", away);
      return () => document.removeEventListener("pointerdown", away);
    }, [open]);
    const press = (event) => {
      if (event.key !== "Escape" || !open) return;
      event.preventDefault();
      turn(false);
      box.current.querySelector("button").focus();
    };
    // Does it; what goes wrong is told here.
    const go = async (act) => {
      try {
        await act();
        turn(false);
      } catch (refusal) {
        setError(refusal);
      }
    };
    const mine = name === chat.me;
    const words = html`<${Avatar} name=${name} here=${chat.isHere(name)} /><span class="name" dir="auto">${name}</span>
      ${mine && html`<span class="tag">${text("me")}</span>`}
      ${room.owner === name && html`<span class="tag">${text("owner")}</span>`}`;
    if (mine) return html`<li><div class="place">${words}</div></li>`;
    return html`
      <li ref=${box} onKeyDown=${press}>
        <button type="button" class="place" aria-expanded=${open ? "true" : "false"}
          title=${text("actions", { usr: name })} onClick=${() => turn(!open)}>${words}</button>
        ${open && html`<ul class="actions">${actions(shell, room, name).map(([key, act]) => html`
          <li><button type="button" onClick=${() => go(act)}>${text(key)}</button></li>`)}</ul>`}
        <${Problem} error=${error} />
      </li>`;
  };

  const People = ({ shell, room, title, names }) => names.length > 0 && html`
    <h2 id=${`people-${title}`}>${text(title)} — ${names.length}</h2>
    <ul aria-labelledby=${`people-${title}`}>
      ${names.slice(0, SHOWN).map((name) => html`<${Person} key=${name} shell=${shell} room=${room} name=${name} />`)}
      ${names.length > SHOWN && html`<li class="hint">+ ${names.length - SHOWN}</li>`}
    </ul>`;

  GTChat.Members = ({ shell }) => {
    const { chat } = shell;
    const room = chat.place;
    if (!(room instanceof GTChat.Room)) return null;
    const lobby = room.name === "lobby";
    const names = (lobby ? [...chat.people.values()] : [...room.members]).sort(GTChat.inOrder);
    return html`
      <section class="members" aria-label=${text("people")}>
        <header class="bar">
          <${IconButton} icon="menu" label=${text("back")} class="icon-button narrow" onClick=${() => shell.turn("conversation")} />
          <h2>${text("people")}</h2>
          ${!lobby && html`<${IconButton} icon="plus" label=${text("invite")} onClick=${() => shell.show({ name: "invite", room })} />`}
        </header>
        <div class="scroll">
          <${People} shell=${shell} room=${room} title="here" names=${names.filter((name) => chat.isHere(name))} />
          <${People} shell=${shell} room=${room} title="away" names=${names.filter((name) => !chat.isHere(name))} />
        </div>
      </section>`;
  };
})();
