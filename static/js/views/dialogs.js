// Dialogs: new room, invitation, quick switcher, keyboard shortcuts, settings, administration, logout.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { html, useState } = globalThis.htmPreact;
  const { Avatar, Dialog } = GTChat.parts;
  const { Form } = GTChat.forms;
  const text = (...details) => GTChat.text(...details);

  // Results of the quick switcher, and names suggested for an invitation.
  const MAX_RESULTS = 10;
  const MAX_NAMES = 200;

  const Create = ({ shell, close }) => html`
    <${Dialog} title=${text("new_room")} onClose=${close}>
      <${Form} submit="create" onDone=${(room) => { close(); shell.open(room); }}
        fields=${{ room_name: { required: true, autofocus: true, maxlength: 64 }, topic: { maxlength: 200 },
          is_public: { type: "checkbox", value: true }, member_limit: { type: "number", value: 0, min: 0 } }}
        onSubmit=${(values) => shell.actions.createRoom({ room_name: values.room_name.trim(), topic: values.topic,
          public: values.is_public, max: Number(values.member_limit) })} />
    <//>`;

  const Invite = ({ shell, close, dialog }) => {
    const { room } = dialog;
    const { state, actions } = shell;
    const names = [...state.online.values()].filter((name) => !room.members.has(name)).slice(0, MAX_NAMES);
    const user = { required: true, list: "names", autocomplete: "off" };
    const invite = async (values) => {
      const invitee = values.user.trim();
      await actions.request("invite", { room_name: room.name, invitee });
      shell.notice(text("invited", { usr: invitee }));
    };
    return html`
      <${Dialog} title=${`${text("invite")} — ${room.name}`} onClose=${close}>
        <p class="hint">${text("invite_hint")}</p>
        <${Form} submit="invite" onSubmit=${invite} onDone=${close} fields=${{ user: { ...user, autofocus: true } }} />
        <details><summary>${text("add")}</summary><p class="hint">${text("add_hint")}</p>
          <${Form} submit="add" kind="" onDone=${close} fields=${{ user }}
            onSubmit=${(values) => actions.request("add_member", { room_name: room.name, user: values.user.trim() })} /></details>
        <datalist id="names">${names.map((name) => html`<option value=${name} />`)}</datalist>
      <//>`;
  };

  // Returns the results of the quick switcher: conversations, unread ones first; then users online;
  // then rooms to join.
  const searchTargets = (shell, query) => {
    const { state, actions } = shell;
    const wanted = query.trim().toLowerCase();
    const listed = new Set([...state.directs.keys(), state.me.toLowerCase()]);
    const conversations = state.conversations.sort((a, b) => b.unread - a.unread);
    return [
      ...conversations.map((conversation) => ({ name: conversation.name, isUser: conversation.kind === "direct",
        unread: conversation.unread, open: () => shell.open(conversation) })),
      ...[...state.online.values()].filter((name) => !listed.has(name.toLowerCase())).sort()
        .map((name) => ({ name, isUser: true, hint: text("direct_message"), open: () => shell.open(state.direct(name)) })),
      ...state.joinableRooms.map(({ name }) => ({ name, hint: text("join"),
        open: () => shell.attempt(async () => shell.open(await actions.joinRoom(name))) })),
    ].filter(({ name }) => name.toLowerCase().includes(wanted)).slice(0, MAX_RESULTS);
  };

  const Switcher = ({ shell, close }) => {
    const [query, setQuery] = useState("");
    const [chosen, setChosen] = useState(0);
    const found = searchTargets(shell, query);
    const open = (target) => {
      close();
      target.open();
    };
    const onKeyDown = (event) => {
      if (GTChat.isComposing(event)) return;
      if (event.key === "ArrowDown") setChosen((chosen + 1) % Math.max(1, found.length));
      else if (event.key === "ArrowUp") setChosen((chosen + found.length - 1) % Math.max(1, found.length));
      else if (event.key === "Enter" && found[chosen]) open(found[chosen]);
      else return;
      event.preventDefault();
    };
    return html`
      <${Dialog} title=${text("switcher")} onClose=${close}>
        <input type="search" autofocus value=${query} aria-label=${text("switcher")} placeholder=${text("switcher_hint")}
          role="combobox" aria-expanded=${found.length ? "true" : "false"} aria-controls="targets" aria-autocomplete="list"
          aria-activedescendant=${found.length ? `target-${chosen}` : undefined}
          onInput=${(event) => { setQuery(event.target.value); setChosen(0); }} onKeyDown=${onKeyDown} />
        ${found.length > 0 ? html`<ul class="targets" id="targets" role="listbox" aria-label=${text("switcher")}>
          ${found.map((target, index) => html`
            <li key=${`${target.isUser} ${target.name}`} id=${`target-${index}`} role="option"
              aria-selected=${index === chosen ? "true" : "false"} onClick=${() => open(target)}>
              ${target.isUser ? html`<${Avatar} name=${target.name} online=${shell.state.isOnline(target.name)} />`
                : html`<span class="room-icon">#</span>`}
              <bdi class="name">${target.name}</bdi>
              ${target.unread > 0 && html`<span class="count">${target.unread}</span>`}
              ${target.hint && html`<span class="hint">${target.hint}</span>`}</li>`)}</ul>`
          : html`<p class="hint" id="targets" role="status">${text("no_results")}</p>`}
      <//>`;
  };

  // [keys, text key].
  const SHORTCUTS = [["Ctrl K", "switcher"], ["Alt ↑ ↓", "shortcut_step"], ["Alt Shift ↑ ↓", "shortcut_unread"],
    ["Esc", "shortcut_focus"], ["Enter, Ctrl Enter", "send"], ["Shift Enter", "shortcut_line"], ["↑", "shortcut_recall"],
    ["Tab", "shortcut_accept"], ["Ctrl B", "shortcut_bold"], ["Ctrl I", "shortcut_italic"], ["Home", "shortcut_first"],
    ["End", "shortcut_latest"], ["Ctrl /", "shortcuts"]];

  const Shortcuts = ({ close }) => html`
    <${Dialog} title=${text("shortcuts")} onClose=${close}>
      <dl class="shortcuts">${SHORTCUTS.map(([keys, key]) => html`<div key=${keys}><dt><kbd>${keys}</kbd></dt><dd>${text(key)}</dd></div>`)}</dl>
      <p class="hint">**${text("bold")}** · *${text("italic")}* · ~~${text("strikethrough")}~~ · \`${text("code")}\` · ${"> "}${text("quote")} · \`\`\` · - · :smile:</p>
    <//>`;

  const BlockedUsers = ({ shell }) => {
    const { state, actions } = shell;
    if (!state.blocked.length) return null;
    return html`<details><summary>${text("blocked_users")}</summary><ul>${state.blocked.map((name) => html`
      <li key=${name} class="blocked-user"><bdi class="name">${name}</bdi>
        <button type="button" onClick=${() => shell.attempt(() => actions.request("unblock", { user: name }))}>${text("unblock")}</button></li>`)}</ul></details>`;
  };

  const Settings = ({ shell, close }) => {
    const { state, actions, settings } = shell;
    const changePassword = async (values) => {
      await actions.request("update_pwd", { pwd: values.old_password, new_pwd: values.new_password, new_pwd2: values.confirm_password });
      shell.notice(text("password_changed"));
    };
    const password = { type: "password", required: true };
    return html`
      <${Dialog} title=${text("settings")} onClose=${close}>
        <${GTChat.Appearance} shell=${shell} />
        <label class="check notification-setting"><input type="checkbox" name="notify" checked=${settings.notify}
          onChange=${(event) => shell.setDesktopNotifications(event.target.checked)} /> ${text("desktop_notifications")}</label>
        <label class="check notification-setting"><input type="checkbox" name="sound" checked=${settings.sound}
          onChange=${(event) => shell.setSound(event.target.checked)} /> ${text("notification_sound")}</label>
        <p class="hint">${text("notifications_hint")}</p>
        ${state.hasPassword && html`<details><summary>${text("change_password")}</summary>
          <${Form} submit="save" onSubmit=${changePassword} onDone=${close} username=${state.me} fields=${{
            old_password: { ...password, autocomplete: "current-password" },
            new_password: { ...password, autocomplete: "new-password" },
            confirm_password: { ...password, autocomplete: "new-password" } }} /></details>`}
        <${BlockedUsers} shell=${shell} />
        <details><summary>${text("peer_connections")}</summary><p class="hint">${text("peer_connections_hint")}</p>
          <${Form} submit="save" onDone=${close} onSubmit=${({ port }) => actions.setListenPort(Number(port))}
            fields=${{ port: { type: "number", min: 1024, max: 65535, required: true, value: state.listenPort || "" } }} /></details>
        <button type="button" onClick=${() => shell.showDialog({ name: "shortcuts" })}>${text("shortcuts")}</button>
        <button type="button" onClick=${() => shell.showDialog({ name: "administration" })}>${text("administration")}</button>
      <//>`;
  };

  // What only operators can do: it needs a key of the server.
  const Administration = ({ shell, close }) => {
    const broadcast = async (values) => {
      const { recipients } = await shell.actions.request("broadcast", { msg: values.message, broadcast_key: values.broadcast_key });
      shell.notice(text("broadcast_sent", { count: recipients }));
    };
    return html`
      <${Dialog} title=${text("administration")} onClose=${close}>
        <p class="hint">${text("administration_hint")}</p>
        <h3>${text("broadcast_to_all")}</h3>
        <${Form} submit="send" onSubmit=${broadcast} onDone=${close}
          fields=${{ message: { type: "multiline", required: true }, broadcast_key: { type: "password", required: true, autocomplete: "off" } }} />
      <//>`;
  };

  // Asks before messages are lost.
  const Logout = ({ shell, close }) => html`
    <${Dialog} title=${text("log_out")} onClose=${close}>
      <p>${text("confirm_log_out")}</p>
      <button type="button" class="danger" onClick=${() => { close(); shell.actions.logout(); }}>${text("log_out")}</button>
      <button type="button" autofocus onClick=${close}>${text("cancel")}</button>
    <//>`;

  const DIALOGS = { create: Create, invite: Invite, settings: Settings, switcher: Switcher, shortcuts: Shortcuts,
    administration: Administration, logout: Logout };

  GTChat.Dialogs = ({ shell }) => {
    const { dialog } = shell;
    if (!dialog || !shell.actions) return null;
    const close = () => { if (shell.dialog === dialog) shell.showDialog(null); };
    const Shown = dialog.name === "room" ? GTChat.RoomDialog : DIALOGS[dialog.name];
    return html`<${Shown} key=${dialog.name} shell=${shell} dialog=${dialog} close=${close} />`;
  };
})();
