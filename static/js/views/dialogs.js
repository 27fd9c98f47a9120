// Dialogs: a new room, inviting, going somewhere, the keys, one's own settings.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { html, useState } = globalThis.htmPreact;
  const { Avatar, Dialog } = GTChat.parts;
  const { Form } = GTChat.forms;
  const text = (...details) => GTChat.text(...details);

  // Places that are offered when somebody goes somewhere.
  const OFFERED = 10;

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
    const person = { required: true, list: "names", autocomplete: "off" };
    const invite = async ({ whom }) => {
      await shell.chat.order("invite", { room_name: room.name, invitee: whom.trim() });
      shell.notify(text("invited", { usr: whom.trim() }));
    };
    return html`
      <${Dialog} title=${`${text("invite")} — ${room.name}`} onClose=${close}>
        <p class="hint">${text("invite_hint")}</p>
        <${Form} submit="invite" act=${invite} done=${close} fields=${{ whom: { ...person, autofocus: true } }} />
        <details><summary>${text("add")}</summary><p class="hint">${text("add_hint")}</p>
          <${Form} submit="add" kind="" done=${close} fields=${{ whom: person }}
            act=${({ whom }) => shell.chat.order("add_member", { room_name: room.name, user: whom.trim() })} /></details>
        <datalist id="names">${others.slice(0, 200).map((name) => html`<option value=${name} />`)}</datalist>
      <//>`;
  };

  // Where one could go: rooms and talks, what is unread first; then people; then rooms to join.
  const goals = (shell, wanted) => {
    const { chat } = shell;
    const fits = (name) => name.toLowerCase().includes(wanted.trim().toLowerCase());
    const talked = new Set([...chat.talks.keys(), chat.me.toLowerCase()]);
    const known = chat.places.sort((a, b) => b.unread - a.unread);
    return [
      ...known.map((place) => ({ name: place.name, place, talk: place instanceof GTChat.Talk, go: () => shell.look(place) })),
      ...[...chat.people.values()].filter((name) => !talked.has(name.toLowerCase())).sort()
        .map((name) => ({ name, talk: true, hint: text("whisper"), go: () => shell.look(chat.talk(name)) })),
      ...chat.open.map(({ name }) => ({ name, hint: text("join"),
        go: () => shell.attempt(async () => shell.look(await chat.join(name))) })),
    ].filter(({ name }) => fits(name)).slice(0, OFFERED);
  };

  const Go = ({ shell, close }) => {
    const [wanted, setWanted] = useState("");
    const [chosen, setChosen] = useState(0);
    const found = goals(shell, wanted);
    const go = (goal) => {
      close();
      goal.go();
    };
    const press = (event) => {
      if (event.key === "ArrowDown") setChosen((chosen + 1) % Math.max(1, found.length));
      else if (event.key === "ArrowUp") setChosen((chosen + found.length - 1) % Math.max(1, found.length));
      else if (event.key === "Enter" && found[chosen]) go(found[chosen]);
      else return;
      event.preventDefault();
    };
    return html`
      <${Dialog} title=${text("go")} onClose=${close}>
        <input type="search" autofocus value=${wanted} aria-label=${text("go")} placeholder=${text("go_hint")}
          role="combobox" aria-expanded=${found.length ? "true" : "false"} aria-controls="goals" aria-autocomplete="list"
          aria-activedescendant=${found.length ? `goal-${chosen}` : undefined}
          onInput=${(event) => { setWanted(event.target.value); setChosen(0); }} onKeyDown=${press} />
        ${found.length > 0 ? html`<ul class="goals" id="goals" role="listbox" aria-label=${text("go")}>
          ${found.map((goal, index) => html`
            <li key=${`${goal.talk} ${goal.name}`} id=${`goal-${index}`} role="option" aria-selected=${index === chosen ? "true" : "false"}
              onClick=${() => go(goal)}>
              ${goal.talk ? html`<${Avatar} name=${goal.name} here=${shell.chat.isHere(goal.name)} />` : html`<span class="sign">#</span>`}
              <bdi class="name">${goal.name}</bdi>
              ${goal.place?.unread > 0 && html`<span class="count">${goal.place.unread}</span>`}
              ${goal.hint && html`<span class="hint">${goal.hint}</span>`}</li>`)}</ul>`
          : html`<p class="hint" id="goals" role="status">${text("nothing_found")}</p>`}
      <//>`;
  };

  const KEYS = [["Ctrl K", "go"], ["Alt ↑ ↓", "key_step"], ["Alt Shift ↑ ↓", "key_unread"], ["Esc", "key_box"], ["Enter", "send"],
    ["Shift Enter", "key_line"], ["↑", "key_recall"], ["Tab", "key_take"], ["Ctrl B", "bold"], ["Ctrl I", "italic"],
    ["Home", "key_first"], ["End", "latest"], ["Ctrl /", "keys"]];

  const Keys = ({ close }) => html`
    <${Dialog} title=${text("keys")} onClose=${close}>
      <dl class="keys">${KEYS.map(([keys, what]) => html`<div key=${keys}><dt><kbd>${keys}</kbd></dt><dd>${text(what)}</dd></div>`)}</dl>
      <p class="hint">**${text("bold")}** · *${text("italic")}* · ~~${text("struck")}~~ · \`${text("code")}\` · ${"> "}${text("quote")} · \`\`\` · - · :smile:</p>
    <//>`;

  const Blocked = ({ shell }) => {
    const { chat } = shell;
    if (!chat.blocked.length) return null;
    return html`<details><summary>${text("blocked_people")}</summary><ul>${chat.blocked.map((name) => html`
      <li key=${name} class="blocked-person"><bdi class="name">${name}</bdi>
        <button type="button" onClick=${() => shell.attempt(() => chat.order("unblock", { user: name }))}>${text("unblock")}</button></li>`)}</ul></details>`;
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
        <label class="check alerts"><input type="checkbox" name="notify" checked=${shell.settings.notify}
          onChange=${(event) => shell.wantAlerts(event.target.checked)} /> ${text("notify")}</label>
        <label class="check alerts"><input type="checkbox" name="sound" checked=${shell.settings.sound}
          onChange=${(event) => shell.wantSound(event.target.checked)} /> ${text("sound")}</label>
        <p class="hint">${text("alerts_hint")}</p>
        ${chat.hasPassword && html`<details><summary>${text("change_password")}</summary>
          <${Form} submit="save" act=${change} done=${close} owner=${chat.me} fields=${{
            old_password: { ...password, autocomplete: "current-password" },
            new_password: { ...password, autocomplete: "new-password" },
            password_again: { ...password, autocomplete: "new-password" } }} /></details>`}
        <${Blocked} shell=${shell} />
        <details><summary>${text("direct")}</summary><p class="hint">${text("direct_hint")}</p>
          <${Form} submit="save" done=${close} act=${({ port }) => chat.listenAt(Number(port))}
            fields=${{ port: { type: "number", min: 1024, max: 65535, required: true, value: chat.port || "" } }} /></details>
        <details><summary>${text("broadcast_all")}</summary>
          <${Form} submit="send" act=${speak} done=${close}
            fields=${{ message: { type: "long", required: true }, broadcast_key: { type: "password", required: true, autocomplete: "off" } }} /></details>
        <button type="button" onClick=${() => shell.show({ name: "keys" })}>${text("keys")}</button>
      <//>`;
  };

  const DIALOGS = { create: Create, invite: Invite, settings: Settings, go: Go, keys: Keys };

  GTChat.Dialogs = ({ shell }) => {
    const { dialog } = shell;
    if (!dialog || !shell.chat) return null;
    const close = () => { if (shell.dialog === dialog) shell.show(null); };
    const Shown = dialog.name === "room" ? GTChat.RoomDialog : DIALOGS[dialog.name];
    return html`<${Shown} key=${dialog.name} shell=${shell} dialog=${dialog} close=${close} />`;
  };
})();
