// The members of the open room, online and offline, and what can be done with each.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { html, useEffect, useRef, useState } = globalThis.htmPreact;
  const { Avatar, IconButton, Problem } = GTChat.parts;
  const { ConfirmButton } = GTChat.forms;
  const text = (...details) => GTChat.text(...details);

  // Names drawn in each of the two lists.
  const MAX_SHOWN = 300;

  // Returns [text key, function, text key of the question before it] for each action on a member; the
  // functions return promises.
  const memberActions = (shell, room, name) => {
    const { state, actions } = shell;
    const request = (cmd, fields) => () => actions.request(cmd, fields);
    const block = state.isBlocked(name) ? "unblock" : "block";
    const member = { room_name: room.name, user: name };
    const isOwner = room.owner === state.me && room.name !== "lobby";
    return [
      ["direct_message", async () => shell.open(state.direct(name))],
      [block, request(block, { user: name })],
      ["ask_address", async () => {
        await actions.request("get_address", { user: name });
        shell.notice(text("address_asked", { usr: name }));
      }],
      ...(isOwner ? [
        ["kick", request("kick", member), "confirm_kick"],
        ["remove", request("remove_member", member), "confirm_remove"],
      ] : []),
    ];
  };

  const Member = ({ shell, room, name }) => {
    const { state } = shell;
    const [open, setOpen] = useState(false);
    const [error, setError] = useState(null);
    const item = useRef(null);
    const setMenu = (next) => {
      setError(null);
      setOpen(next);
    };
    useEffect(() => {
      if (!open) return undefined;
      const closeOutside = (event) => { if (!item.current.contains(event.target)) setMenu(false); };
      document.addEventListener("pointerdown", closeOutside);
      return () => document.removeEventListener("pointerdown", closeOutside);
    }, [open]);
    const onKeyDown = (event) => {
      if (event.key !== "Escape" || !open || GTChat.isComposing(event)) return;
      event.preventDefault();
      setMenu(false);
      item.current.querySelector("button").focus();
    };
    const run = async (action) => {
      try {
        await action();
        setMenu(false);
      } catch (refused) {
        setError(refused);
      }
    };
    const isMe = name === state.me;
    const label = html`<${Avatar} name=${name} online=${state.isOnline(name)} /><span class="name" dir="auto">${name}</span>
      ${isMe && html`<span class="tag">${text("you")}</span>`}
      ${room.owner === name && html`<span class="tag">${text("owner")}</span>`}`;
    if (isMe) return html`<li><div class="row">${label}</div></li>`;
    return html`
      <li ref=${item} onKeyDown=${onKeyDown}>
        <button type="button" class="row" aria-expanded=${open ? "true" : "false"}
          title=${text("actions", { usr: name })} onClick=${() => setMenu(!open)}>${label}</button>
        ${open && html`<ul class="actions">${memberActions(shell, room, name).map(([key, action, question]) => html`
          <li key=${key}>${question
            ? html`<${ConfirmButton} label=${text(key)} question=${text(question, { usr: name, room: room.name })} action=${action}
              onDone=${() => setMenu(false)} />`
            : html`<button type="button" onClick=${() => run(action)}>${text(key)}</button>`}</li>`)}</ul>`}
        <${Problem} error=${error} />
      </li>`;
  };

  const MemberList = ({ shell, room, title, names }) => names.length > 0 && html`
    <h2 id=${`members-${title}`}>${text(title)} — ${names.length}</h2>
    <ul aria-labelledby=${`members-${title}`}>
      ${names.slice(0, MAX_SHOWN).map((name) => html`<${Member} key=${name} shell=${shell} room=${room} name=${name} />`)}
      ${names.length > MAX_SHOWN && html`<li class="hint">+ ${names.length - MAX_SHOWN}</li>`}
    </ul>`;

  GTChat.Members = ({ shell }) => {
    const { state } = shell;
    const room = state.current;
    if (room?.kind !== "room") return null;
    const isLobby = room.name === "lobby"; // all users online are in it
    const names = (isLobby ? [...state.online.values()] : [...room.members]).sort(GTChat.inOrder);
    return html`
      <section class="members" aria-label=${text("members")}>
        <header class="bar">
          <${IconButton} icon="menu" label=${text("back")} class="icon-button narrow" onClick=${() => shell.showPane("conversation")} />
          <h2>${text("members")}</h2>
          ${!isLobby && html`<${IconButton} icon="plus" label=${text("invite")} onClick=${() => shell.showDialog({ name: "invite", room })} />`}
        </header>
        <div class="scroll">
          <${MemberList} shell=${shell} room=${room} title="online" names=${names.filter((name) => state.isOnline(name))} />
          <${MemberList} shell=${shell} room=${room} title="offline" names=${names.filter((name) => !state.isOnline(name))} />
        </div>
      </section>`;
  };
})();
