// Dialogs: a new room, inviting, a room's settings, one's own settings.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { html, useState } = globalThis.htmPreact;
  const { Dialog, Problem } = GTChat.parts;
  const text = (...details) => GTChat.text(...details);

  // A form of fields {key: {type, value, ...attributes}}; `act(values)` is a promise. owner: whose
  // passwords are in it, for those who keep passwords.
  const Form = ({ fields, submit, act, done, owner, children }) => {
    const [values, setValues] = useState(() => Object.fromEntries(
      Object.entries(fields).map(([key, field]) => [key, field.value ?? ""]),
    ));
    const [error, setError] = useState(null);
    const [busy, setBusy] = useState(false);
    const send = async (event) => {
      event.preventDefault();
      setBusy(true);
      setError(null);
      try {
        const result = await act(values);
        setBusy(false);
        done?.(result);
      } catch (refusal) {
        setError(refusal);
        setBusy(false);
      }
    };
    return html`
      <form onSubmit=${send}>
        ${owner && html`<input type="text" name="username" autocomplete="username" value=${owner} hidden />`}
        ${Object.entries(fields).map(([key, { type = "text", value, ...rest }]) => (type === "checkbox" ? html`
          <label class="check"><input type="checkbox" name=${key} checked=${values[key]}
            onChange=${(event) => setValues({ ...values, [key]: event.target.checked })} /> ${text(key)}</label>` : html`
          <label>${text(key)}<input type=${type} name=${key} value=${values[key]} aria-describedby="dialog-problem"
            onInput=${(event) => setValues({ ...values, [key]: event.target.value })} ...${rest} /></label>`))}
        ${children}
        <${Problem} id="dialog-problem" error=${error} />
        <button type="submit" class="primary" disabled=${busy}>${text(submit)}</button>
      </form>`;
  };

  const names = (shell, list) => html`
    <datalist id="names">${list.slice(0, 200).map((name) => html`<option value=${name} />`)}</datalist>`;

  const Create = ({ shell, close }) => html`
    <${Dialog} title=${text("new_room")} onClose=${close}>
      <${Form} submit="create" done=${(room) => { close(); shell.look(room); }}
        fields=${{ room_name: { required: true, autofocus: true, maxlength: 64 }, topic: { maxlength: 200 },
          is_public: { type: "checkbox", value: true }, room_size: { type: "number", value: 0, min: 0 } }}
        act=${(values) => shell.chat.create({ room_name: values.room_name.trim(), topic: values.topic,
          public: values.is_public, max: Number(values.room_size) })} />
    <//>`;

  const Invite = ({ shell, close, dialog }) => {
    const { room } = dialog;
    const others = [...shell.chat.people.values()].filter((name) => !room.members.has(name));
    const invite = async ({ whom }) => {
      await shell.chat.order("invite", { room_name: room.name, invitee: whom.trim() });
      shell.notify(text("invited", { usr: whom.trim() }));
      close();
    };
    return html`
      <${Dialog} title=${`${text("invite")} — ${room.name}`} onClose=${close}>
        <${Form} submit="invite" act=${invite} fields=${{ whom: { required: true, autofocus: true, list: "names", autocomplete: "off" } }}>
          ${names(shell, others)}<//>
      <//>`;
  };

  // A button that asks before it acts.
  const Careful = ({ label, sure, act }) => {
    const [asked, setAsked] = useState(false);
    if (!asked) return html`<button type="button" class="danger" onClick=${() => setAsked(true)}>${label}</button>`;
    return html`
      <div class="sure" role="alert"><p>${sure}</p>
        <button type="button" class="danger" onClick=${act}>${label}</button>
        <button type="button" onClick=${() => setAsked(false)}>${text("cancel")}</button></div>`;
  };

  const RoomSettings = ({ shell, close, dialog }) => {
    const { room } = dialog;
    const { chat } = shell;
    const owner = room.owner === chat.me;
    const order = (cmd, fields) => async () => {
      if (await shell.attempt(() => chat.order(cmd, { room_name: room.name, ...fields }))) close();
    };
    return html`
      <${Dialog} title=${`# ${room.name}`} onClose=${close}>
        <p class="hint">${room.memberCount === 1 ? text("one_member") : text("members_count", { count: room.memberCount })}
          ${room.owner && html` · ${text("owner")}: ${room.owner}`} ${!room.public && html` · ${text("is_private")}`}</p>
        ${owner ? html`
          <${Form} submit="save" done=${close}
            fields=${{ topic: { value: room.topic, maxlength: 200 }, is_public: { type: "checkbox", value: room.public },
              room_size: { type: "number", value: room.max, min: 0 } }}
            act=${(values) => chat.order("set_room", { room_name: room.name, topic: values.topic,
              public: values.is_public, max: Number(values.room_size) })} />`
          : room.topic && html`<p dir="auto">${room.topic}</p>`}
        <${Form} submit="add" done=${close} fields=${{ whom: { required: true, list: "names", autocomplete: "off" } }}
          act=${({ whom }) => chat.order("add_member", { room_name: room.name, user: whom.trim() })}>
          ${names(shell, [...chat.people.values()].filter((name) => !room.members.has(name)))}<//>
        <${Careful} label=${text("leave")} sure=${text("leave_sure", { room: room.name })}
          act=${async () => { await shell.attempt(() => chat.leave(room.name)); close(); }} />
        ${owner && html`<${Careful} label=${text("delete")} sure=${text("delete_sure", { room: room.name })}
          act=${order("delete_room", {})} />`}
      <//>`;
  };

  const Settings = ({ shell, close }) => {
    const { chat } = shell;
    const change = async ({ old_password: pwd, new_password: newPwd, password_again: again }) => {
      await chat.order("update_pwd", { pwd, new_pwd: newPwd, new_pwd2: again });
      shell.notify(text("password_changed"));
    };
    const speak = async ({ message: msg, broadcast_key: key }) => {
      const { recipients } = await chat.order("broadcast", { msg, broadcast_key: key });
      shell.notify(text("broadcast_done", { count: recipients }));
    };
    const password = { type: "password", required: true };
    return html`
      <${Dialog} title=${text("settings")} onClose=${close}>
        <${GTChat.Preferences} shell=${shell} />
        <label class="check alerts"><input type="checkbox" checked=${shell.settings.notify}
          onChange=${(event) => shell.wantAlerts(event.target.checked)} /> ${text("notify")}</label>
        ${chat.registered && html`<details><summary>${text("change_password")}</summary>
          <${Form} submit="save" act=${change} done=${close} owner=${chat.me} fields=${{
            old_password: { ...password, autocomplete: "current-password" },
            new_password: { ...password, autocomplete: "new-password" },
            password_again: { ...password, autocomplete: "new-password" } }} /></details>`}
        <details><summary>${text("broadcast_all")}</summary>
          <${Form} submit="send" act=${speak} done=${close}
            fields=${{ message: { required: true }, broadcast_key: { required: true, autocomplete: "off" } }} /></details>
      <//>`;
  };

  const DIALOGS = { create: Create, invite: Invite, room: RoomSettings, settings: Settings };

  GTChat.Dialogs = ({ shell }) => {
    const { dialog } = shell;
    if (!dialog || !shell.chat) return null;
    const close = () => { if (shell.dialog === dialog) shell.show(null); };
    return html`<${DIALOGS[dialog.name]} key=${dialog.name} shell=${shell} dialog=${dialog} close=${close} />`;
  };
})();
