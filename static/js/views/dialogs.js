// Dialogs: new room, invitation, quick switcher, keyboard shortcuts, logout.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { html, useEffect, useState } = globalThis.htmPreact;
  const { Avatar, Badge, Icon, Problem } = GTChat.parts;
  const { Form, Find, Switch } = GTChat.forms;
  const { Dialog, DIALOGS } = GTChat;
  const text = (...details) => GTChat.text(...details);

  // Results of the quick switcher, and users listed for an invitation.
  const MAX_RESULTS = 10;
  const MAX_USERS = 50;
  // What can be the name of a user, and milliseconds without a key after which one is looked for.
  const USER_NAME = /^[\p{L}\p{M}\p{N}_.-]{1,32}$/u;
  const TYPING_PAUSE = 300;

  DIALOGS.create = ({ shell, close }) => html`
    <${Dialog} title=${text("new_room")} onClose=${close}>
      <${Form} submit=${text("new_room")} onCancel=${close} onDone=${(room) => { close(); shell.open(room); }}
        fields=${{
          room_name: { required: true, autofocus: true, maxlength: 64 },
          topic: { optional: true, maxlength: 200, placeholder: text("topic_placeholder") },
          access: { label: "who_can_join", value: "public", choices: [
            { value: "public", icon: "globe", label: "public", hint: "public_hint" },
            { value: "private", icon: "lock", label: "private", hint: "private_hint" }] },
          preview: { type: "switch", value: true, hint: "preview_hint" },
          member_limit: { type: "number", value: 0, min: 0, hint: "member_limit_hint" } }}
        onSubmit=${(values) => shell.actions.createRoom({ room_name: values.room_name.trim(), topic: values.topic,
          public: values.access === "public", preview: values.access === "public" && values.preview, max: Number(values.member_limit) })} />
    <//>`;

  // Users to choose from, and the one whose name is typed.
  const candidates = ({ state }, room, query) => {
    const typed = query.trim();
    const names = state.people.filter((name) => !room.members.has(name) && name.toLowerCase().includes(typed.toLowerCase()));
    names.sort(GTChat.inOrder);
    const known = names.some((name) => name.toLowerCase() === typed.toLowerCase());
    return [...(typed && !known ? [typed] : []), ...names].slice(0, MAX_USERS);
  };

  DIALOGS.invite = ({ shell, close, dialog: { room } }) => {
    const [query, setQuery] = useState("");
    const [chosen, setChosen] = useState([]); // names
    const [adding, setAdding] = useState(false); // whether they become members at once
    const [error, setError] = useState(null);
    const [busy, setBusy] = useState(false);
    const typed = query.trim();
    const names = chosen.length || !typed ? chosen : [typed];
    const listed = [...new Set([...chosen, ...candidates(shell, room, query)])];
    const toggle = (name) => setChosen(chosen.includes(name) ? chosen.filter((other) => other !== name) : [...chosen, name]);
    const send = async (event) => {
      event.preventDefault();
      setBusy(true);
      setError(null);
      const left = [...names];
      try {
        while (left.length) {
          const [name] = left;
          if (adding) await shell.actions.request("add_member", { room_name: room.name, user: name });
          else await shell.actions.request("invite", { room_name: room.name, invitee: name });
          left.shift();
        }
        const sent = names.length === 1 ? text("invited", { usr: names[0] }) : text("invited_many", { count: names.length });
        if (!adding) shell.notice(sent);
        close();
      } catch (refused) {
        if (chosen.length) setChosen(left);
        setError(refused);
        setBusy(false);
      }
    };
    const kind = `${adding ? "add" : "invite"}_${names.length > 1 ? "many" : "one"}`;
    return html`
      <${Dialog} title=${text("invite_to", { room: room.name })} onClose=${close}>
        <form class="form" onSubmit=${send}>
          <div class="body">
            <div class="field"><${Find} name="user" label=${text("find_people")} value=${query} autofocus
              onChange=${(value) => { setQuery(value); setError(null); }} aria-invalid=${error ? "true" : undefined} aria-describedby="invite-problem" />
              <${Problem} id="invite-problem" error=${error} /></div>
            <ul class="people">${listed.map((name) => html`
              <li key=${name}><label class="check line"><${Avatar} name=${name} online=${shell.state.isOnline(name)} />
                <bdi class="grow cut">${name}</bdi><input type="checkbox" value=${name} checked=${chosen.includes(name)} onChange=${() => toggle(name)} /></label></li>`)}
              ${listed.length === 0 && html`<li class="hint">${text("no_one_to_invite")}</li>`}</ul>
            <${Switch} name="add" label=${text("add")} hint=${text("add_hint")} checked=${adding} onChange=${setAdding} />
            <p class="hint">${text("invite_hint")}</p>
          </div>
          <footer><button type="button" class="button" onClick=${close}>${text("cancel")}</button>
            <button type="submit" class="button primary" disabled=${busy || !names.length}>${text(kind, { count: names.length })}</button></footer>
        </form>
      <//>`;
  };

  // Returns the name that is typed if the server knows a user of that name, "" otherwise. It is asked when the typing
  // pauses, unless the page has met the user.
  const useFoundUser = (shell, typed) => {
    const [found, setFound] = useState("");
    useEffect(() => {
      const wanted = typed.toLowerCase();
      if (!USER_NAME.test(typed) || shell.state.people.some((name) => name.toLowerCase() === wanted)) return undefined;
      const timer = setTimeout(async () => { if (await shell.actions.findUser(typed)) setFound(typed); }, TYPING_PAUSE);
      return () => clearTimeout(timer);
    }, [typed]);
    return found === typed ? found : "";
  };

  // Returns the results of the quick switcher: conversations, unread ones first; then users, those who are online
  // first; then rooms to join. found: a further user.
  const searchTargets = (shell, wanted, found) => {
    const { state, actions } = shell;
    const listed = new Set([...state.directs.filter(({ ended }) => !ended).map(({ name }) => name.toLowerCase()), state.me.toLowerCase()]);
    const closed = state.directs.filter((direct) => direct.closed);
    const conversations = [...state.conversations.sort((a, b) => b.unread - a.unread), ...closed];
    return [
      ...conversations.map((conversation) => ({ key: conversation.key, name: conversation.name, isUser: conversation.kind === "direct",
        isPublic: conversation.public, unread: conversation.unread, wanted: conversation.mentions > 0 || conversation.kind === "direct", open: () => shell.open(conversation) })),
      ...[...state.people, ...(found ? [found] : [])].filter((name) => !listed.has(name.toLowerCase()))
        .sort((a, b) => state.isOnline(b) - state.isOnline(a) || GTChat.inOrder(a, b))
        .map((name) => ({ key: `user ${name}`, name, isUser: true, hint: text("direct_message"), open: () => shell.open(state.direct(name)) })),
      ...state.joinableRooms.map(({ key, name }) => ({ key, name, isPublic: true, hint: text("join"),
        open: () => shell.attempt(async () => shell.open(await actions.joinRoom(name))) })),
    ].filter(({ name }) => name.toLowerCase().includes(wanted)).slice(0, MAX_RESULTS);
  };

  // A name with the part that was searched for.
  const Found = ({ name, part }) => {
    const from = part ? name.toLowerCase().indexOf(part) : -1;
    if (from < 0) return html`<bdi>${name}</bdi>`;
    return html`<bdi>${name.slice(0, from)}<mark>${name.slice(from, from + part.length)}</mark>${name.slice(from + part.length)}</bdi>`;
  };

  const Target = ({ shell, target, part, index, chosen, open }) => html`
    <li id=${`target-${index}`} class="menu-item" role="option" aria-selected=${chosen ? "true" : "false"} onClick=${open}>
      ${target.isUser ? html`<${Avatar} name=${target.name} online=${shell.state.isOnline(target.name)} size="xs" />`
        : html`<${Icon} name=${target.isSearch ? "search" : target.isPublic ? "hash" : "lock"} />`}
      <span class="cut grow"><${Found} name=${target.name} part=${target.isSearch ? "" : part} /></span>
      ${target.isSearch && html`<kbd>Ctrl Enter</kbd>`}
      ${target.unread > 0 && html`<${Badge} count=${target.unread} wanted=${target.wanted} label=${text("unread")} />`}
      ${target.hint && html`<span class="end small third">${target.hint}</span>`}</li>`;

  DIALOGS.switcher = ({ shell, close }) => {
    const [query, setQuery] = useState("");
    const [chosen, setChosen] = useState(0);
    const part = query.trim().toLowerCase();
    const search = part && shell.actions.can("search") && { key: "search", name: text("search_for", { query: query.trim() }), isSearch: true,
      open: () => shell.openSearch(null, query.trim()) };
    const found = [...searchTargets(shell, part, useFoundUser(shell, query.trim())), ...(search ? [search] : [])];
    const open = (target) => {
      close();
      target.open();
    };
    const onKeyDown = (event) => {
      if (GTChat.isComposing(event)) return;
      if (event.key === "ArrowDown") setChosen((chosen + 1) % Math.max(1, found.length));
      else if (event.key === "ArrowUp") setChosen((chosen + found.length - 1) % Math.max(1, found.length));
      else if (event.key === "Enter" && search && (event.ctrlKey || event.metaKey)) open(search);
      else if (event.key === "Enter" && found[chosen]) open(found[chosen]);
      else return;
      event.preventDefault();
    };
    return html`
      <${Dialog} title=${text("switcher")} onClose=${close} kind="switcher" bare>
        <div class="find"><${Find} label=${text("switcher")} value=${query} autofocus type="text" role="combobox" placeholder=${text("switcher_hint")}
          aria-expanded=${found.length ? "true" : "false"} aria-controls="targets" aria-autocomplete="list"
          aria-activedescendant=${found.length ? `target-${chosen}` : undefined}
          onChange=${(value) => { setQuery(value); setChosen(0); }} onKeyDown=${onKeyDown} /></div>
        ${found.length > 0 ? html`<ul class="targets" id="targets" role="listbox" aria-label=${text("switcher")}>
          ${found.map((target, index) => html`
            <${Target} key=${target.key} shell=${shell} target=${target} part=${part} index=${index}
              chosen=${index === chosen} open=${() => open(target)} />`)}</ul>`
          : html`<p class="hint" id="targets" role="status">${text("no_results")}</p>`}
      <//>`;
  };

  // Groups of [keys, text key], by the key of their title.
  const SHORTCUTS = {
    keys_go: [["Ctrl K", "switcher"], ["Alt ↑ ↓", "shortcut_step"], ["Alt Shift ↑ ↓", "shortcut_unread"],
      ["Ctrl F", "search_here_direct"], ["Esc", "shortcut_focus"]],
    keys_write: [["Enter", "send"], ["Shift Enter", "shortcut_line"], ["↑", "shortcut_recall"], ["Tab", "shortcut_accept"],
      ["Ctrl B", "shortcut_bold"], ["Ctrl I", "shortcut_italic"]],
    keys_message: [["↑ ↓", "shortcut_message"], ["+", "react"], ["R", "reply"], ["E", "edit"], ["U", "mark_unread"], ["Enter", "more"]],
    keys_read: [["Home", "shortcut_first"], ["End", "shortcut_latest"], ["Ctrl /", "shortcuts"]],
  };

  DIALOGS.shortcuts = ({ close }) => html`
    <${Dialog} title=${text("shortcuts")} onClose=${close} size="large">
      <div class="body"><div class="shortcuts">${Object.entries(SHORTCUTS).map(([group, rows]) => html`
        <div key=${group}><h3>${text(group)}</h3><dl>${rows.map(([keys, key]) => html`
          <div key=${keys}><dt>${text(key)}</dt><dd>${keys.split(" ").map((one) => html`<kbd key=${one}>${one}</kbd>`)}</dd></div>`)}</dl></div>`)}</div></div>
    <//>`;

  // Asks before messages are lost.
  DIALOGS.logout = ({ shell, dialog, close }) => html`
    <${GTChat.Question} title=${text("log_out_question")} action=${text("log_out")} danger close=${close} run=${() => shell.logOut(dialog.forget)}>
      <p class="second">${text("confirm_log_out")}</p><//>`;
})();
