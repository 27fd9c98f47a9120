// The operator's view: its sections, and the password that the server wants again for them.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { html, useEffect, useState } = globalThis.htmPreact;
  const { BackButton, Icon, IconButton, Problem } = GTChat.parts;
  const { Form, Select } = GTChat.forms;
  const { DIALOGS } = GTChat;
  const { run, back, Listing, when, Accounts, Addresses, Bans, Filters, Limits } = GTChat.operator;
  const text = (...details) => GTChat.text(...details);

  const Room = ({ shell, room }) => html`
    <li class="line wraps"><${Icon} name=${room.public ? "hash" : "lock"} />
      <span class="grow"><bdi class="strong">${room.name}</bdi><span class="small third block">${[
        text("op_room_about", room), room.owner && text("op_owned", { name: room.owner })].filter(Boolean).join(" · ")}</span></span>
      <span class="end"><${IconButton} icon="shield" label=${text("op_role_named", { name: room.name })} onClick=${() => shell.showDialog({ name: "op_role", room })} />
      ${room.name !== shell.state.lobby.name && html`
        <${IconButton} icon="crown" label=${text("op_owner_named", { name: room.name })} onClick=${() => shell.showDialog({ name: "op_owner", room })} />
        <${IconButton} icon="trash" label=${text("op_delete_named", { name: room.name })} onClick=${() => shell.showDialog({ name: "op_delete_room", room })} />`}</span></li>`;

  const Rooms = ({ shell, onError }) => html`
    <${Listing} shell=${shell} command="rooms list" of="rooms" find=${text("op_find_room")} onError=${onError}
      row=${(room) => html`<${Room} key=${room.name} shell=${shell} room=${room} />`} />`;

  DIALOGS.op_owner = ({ shell, dialog: { room } }) => html`
    <${GTChat.Question} title=${text("op_owner_named", { name: room.name })} action=${text("op_set_owner")} close=${back(shell, "rooms")}
      fields=${{ master: { label: "op_owner", hint: "op_owner_hint", required: true, autofocus: true, maxlength: 32 } }}
      run=${({ master }) => run(shell, "rooms set-owner", { name: room.name, owner: master.trim() })} />`;

  // A role in a room, also in the lobby, which has no owner to give one.
  DIALOGS.op_role = ({ shell, dialog: { room } }) => html`
    <${GTChat.Question} title=${text("op_role_named", { name: room.name })} action=${text("save")} close=${back(shell, "rooms")}
      fields=${{ user: { label: "op_member", required: true, autofocus: true, maxlength: 32, autocomplete: "off" },
        role: { label: "role", hint: "role_hint", value: "moderator", options: ["moderator", "voice", "none"].map((role) => [role, text(`role_${role}`)]) } }}
      run=${({ user, role }) => run(shell, "rooms role", { name: room.name, user: user.trim(), role })} />`;

  DIALOGS.op_delete_room = ({ shell, dialog: { room } }) => html`
    <${GTChat.Question} title=${text("op_delete_question", { name: room.name })} action=${text("op_delete_room")} danger close=${back(shell, "rooms")}
      run=${() => run(shell, "rooms delete", { name: room.name })}><p class="second">${text("op_delete_room_hint")}</p><//>`;

  // What can be chosen of a command: its words, with the text keys.
  const CHOICES = {
    registration: { argument: "mode", words: { open: "op_open", invite: "op_invite", closed: "op_closed", default: "op_default" } },
    guests: { argument: "on", words: { on: "op_on", off: "op_off", default: "op_default" } },
  };

  // For how long the panic switch can be on, in seconds.
  const PANIC_TIMES = [600, 3600, 21_600, 86_400, 604_800];

  // isOn: whether it is on, and ends at another time then.
  DIALOGS.op_panic = ({ shell, dialog: { isOn } }) => html`
    <${GTChat.Question} title=${text("op_panic")} action=${text(isOn ? "op_panic_change" : "op_panic_on")} close=${back(shell, "access")}
      fields=${{ time: { label: "op_panic_time", value: "3600", options: PANIC_TIMES.map((time) => [String(time), text(`for_${time}`)]), autofocus: true } }}
      run=${({ time }) => run(shell, "panic", { on: "on", for: `${time}s` })}>
      <p class="second">${text("op_panic_hint")} ${text("op_panic_told")}</p><//>`;

  // until: when it ends, null while it is off; turnOff: turns it off. One button stays where it is, and so does the focus.
  const Panic = ({ shell, until, turnOff }) => {
    const ask = () => shell.showDialog({ name: "op_panic", isOn: Boolean(until) });
    return html`
      <section class="field" aria-labelledby="op-panic"><h3 id="op-panic" class="label">${text("op_panic")}</h3>
        <p class="hint">${text("op_panic_hint")}</p>
        <p role="status">${until ? text("op_panic_until", { time: when(until) }) : text("op_panic_is_off")}</p>
        <div class="find-row"><button type="button" class="button" onClick=${until ? turnOff : ask}>${text(until ? "op_panic_off" : "op_panic_on")}</button>
          ${until && html`<button type="button" class="button" onClick=${ask}>${text("op_panic_change")}</button>`}</div></section>`;
  };

  // The name of the chat. onChange(access): called when another one was chosen.
  const Name = ({ shell, name, onError, onChange }) => {
    const rename = async ({ chat_name: chosen }) => {
      try {
        onChange(await run(shell, "chat-name", { name: chosen.trim() }));
        await shell.site.load();
        shell.notice(text("op_done"));
      } catch (refused) {
        if (!onError(refused)) throw refused;
      }
    };
    return html`<${Form} submit=${text("save")} onSubmit=${rename}
      fields=${{ chat_name: { label: "op_chat_name", value: name, required: true, maxlength: 64, autocomplete: "off" } }} />`;
  };

  const Access = ({ shell, onError }) => {
    const [access, setAccess] = useState(null);
    const [error, setError] = useState(null);
    const ask = async (command, args) => {
      try {
        setAccess(await run(shell, command, args));
        setError(null);
      } catch (refused) {
        if (!onError(refused)) setError(refused);
      }
    };
    useEffect(() => { ask("access"); }, []);
    return html`
      <${Problem} error=${error} />
      ${access && Object.entries(CHOICES).map(([name, { argument, words }]) => html`
        <div key=${name} class="field short"><label for=${`op-${name}`}>${text(`op_${name}`)}</label>
          <${Select} id=${`op-${name}`} name=${name} value=${access[name]} disabled=${Boolean(access.panic_until)} options=${Object.entries(words).map(([word, key]) => [word, text(key)])}
            onChange=${(word) => ask(name, { [argument]: word })} /></div>`)}
      ${access && html`<${Panic} shell=${shell} until=${access.panic_until} turnOff=${() => ask("panic", { on: "off" })} />`}
      ${access && html`<${Name} shell=${shell} name=${access.name} onError=${onError} onChange=${setAccess} />`}
      ${access?.chosen && html`<p class="hint">${text("op_chosen", { names: access.chosen.split(", ").map((name) => text(`op_${name}`)).join(", ") })}</p>`}`;
  };

  const bytes = (count) => text("op_bytes", { count: count.toLocaleString(GTChat.locale()) });

  // What the texts of a room or of an account take; direct messages, which have a row of their own, have no quota.
  const Stored = ({ shell, by, stored }) => html`
    <li class="line"><${Icon} name=${by === "rooms" ? "hash" : "user"} />
      <span class="grow"><bdi class="strong">${stored.name}</bdi>
        <span class="small third block">${[text("op_messages_count", { count: stored.messages }), bytes(stored.bytes),
          stored.quota && text("op_quota_of", { bytes: bytes(stored.quota) })].filter(Boolean).join(" · ")}</span></span>
      ${!stored.name.startsWith("(") && html`<button type="button" class="button small" aria-label=${text("op_quota_named", { name: stored.name })}
        onClick=${() => shell.showDialog({ name: "op_quota", by, stored })}>${text("op_quota")}</button>`}</li>`;

  const Storage = ({ shell, onError }) => {
    const [by, setBy] = useState("rooms");
    const sizes = (result) => text("op_database", { bytes: bytes(result.sizes.database ?? 0) });
    return html`
      <${Select} name="by" aria-label=${text("op_storage")} value=${by} options=${["rooms", "accounts"].map((word) => [word, text(`op_${word}`)])} onChange=${setBy} />
      <${Listing} key=${by} shell=${shell} command="storage" of=${by} args=${{ by }} find=${text("op_storage")} field=${null} onError=${onError} note=${sizes}
        row=${(stored) => html`<${Stored} key=${stored.name} shell=${shell} by=${by} stored=${stored} />`} />`;
  };

  DIALOGS.op_quota = ({ shell, dialog: { by, stored } }) => html`
    <${GTChat.Question} title=${text("op_quota_named", { name: stored.name })} action=${text("save")} close=${back(shell, "storage")}
      fields=${{ quota: { label: "op_quota", hint: "op_quota_hint", required: true, autofocus: true, maxlength: 16, value: stored.quota ? String(stored.quota) : "", autocomplete: "off" } }}
      run=${({ quota }) => run(shell, by === "rooms" ? "quotas room" : "quotas account", { name: stored.name, bytes: quota.trim() })} />`;

  const Invitation = ({ shell, link }) => html`
    <li class="line"><${Icon} name="link" />
      <span class="grow"><span class="strong">${text("op_by", { name: link.by })}</span>
        <span class="small third block">${[text("op_used", link), text("op_until", { time: when(link.expires) }), link.rooms].filter(Boolean).join(" · ")}</span></span>
      <button type="button" class="button small" aria-label=${text("op_revoke_named", { id: link.id })}
        onClick=${() => shell.showDialog({ name: "op_revoke", link })}>${text("op_revoke")}</button></li>`;

  const Invitations = ({ shell, onError }) => html`
    <${Listing} shell=${shell} command="invitations list" of="invitations" find=${text("op_invitations")} field=${null} onError=${onError}
      row=${(link) => html`<${Invitation} key=${link.id} shell=${shell} link=${link} />`}
      actions=${html`<button type="button" class="button" onClick=${() => shell.showDialog({ name: "op_new_link" })}><${Icon} name="plus" size="s" />${text("op_new_link")}</button>`} />`;

  DIALOGS.op_revoke = ({ shell, dialog: { link } }) => html`
    <${GTChat.Question} title=${text("op_revoke_question")} action=${text("op_revoke")} danger close=${back(shell, "invitations")}
      run=${() => run(shell, "invitations revoke", { id: link.id })}><p class="second">${text("op_used", link)}</p><//>`;

  DIALOGS.op_new_link = ({ shell }) => {
    const [made, setMade] = useState(null);
    if (made) return html`<${GTChat.operator.LinkDialog} shell=${shell} title=${text("invitation_link")} link=${made} hint=${text("op_new_link_hint")} onClose=${back(shell, "invitations")} />`;
    return html`
      <${GTChat.Dialog} title=${text("op_new_link")} onClose=${back(shell, "invitations")} size="small">
        <${Form} submit=${text("op_make_link")} onCancel=${back(shell, "invitations")} onDone=${({ link }) => setMade(link)}
          onSubmit=${({ uses, days, rooms }) => run(shell, "invitations create", { uses: Number(uses), days: Number(days), ...(rooms.trim() && { rooms }) })}
          fields=${{ uses: { label: "op_uses", type: "number", value: 1, min: 1, required: true, autofocus: true },
            days: { label: "op_days", type: "number", value: 7, min: 1, max: 365, required: true },
            rooms: { label: "op_rooms_joined", hint: "op_rooms_joined_hint", optional: true, autocomplete: "off" } }}><p class="second">${text("op_new_link_hint")}</p><//>
      <//>`;
  };

  // The fields of a record that its line does not show already.
  const details = ({ what }) => Object.entries(what).filter(([name, value]) => name !== "by" && value !== "").map(([name, value]) => `${name}: ${value}`).join(", ");

  const Record = ({ record }) => html`
    <li class="line"><span class="grow"><span class="strong">${record.code}</span> <bdi>${record.who}</bdi>
      <bdi class="small second block">${details(record)}</bdi>
      <span class="small third block">${[when(record.at), record.address].filter(Boolean).join(" · ")}</span></span></li>`;

  const AuditLog = ({ shell, onError }) => html`
    <${Listing} shell=${shell} command="audit" of="records" find=${text("op_find_audit")} field="account" onError=${onError}
      row=${(record) => html`<${Record} key=${record.id} record=${record} />`} />`;

  const Announce = ({ shell, onError }) => {
    const send = async ({ message }) => {
      try {
        const { users } = await run(shell, "announce", { text: message });
        shell.notice(text("op_sent", { count: users }));
        shell.showDialog(null);
      } catch (refused) {
        if (!onError(refused)) throw refused;
      }
    };
    return html`<${Form} submit=${text("op_send")} onSubmit=${send} fields=${{ message: { type: "multiline", required: true } }}>
      <p class="second">${text("op_announce_hint")}</p><//>`;
  };

  // The password of the operator, which the server wants again.
  const Confirm = ({ shell, onDone }) => html`
    <${Form} submit=${text("op_continue")} username=${shell.state.me} onDone=${onDone}
      onSubmit=${({ old_password: password }) => run(shell, "help", {}, password)}
      fields=${{ old_password: { label: "op_password", type: "password", required: true, autofocus: true, autocomplete: "current-password" } }}>
      <p class="second">${text("op_confirm_hint")}</p><//>`;

  const Reports = ({ shell }) => html`<${GTChat.Reports} shell=${shell} back=${{ name: "operator", section: "reports" }} />`;

  const SECTIONS = {
    accounts: { icon: "users", Section: Accounts },
    addresses: { icon: "globe", Section: Addresses },
    rooms: { icon: "hash", Section: Rooms },
    bans: { icon: "ban", Section: Bans },
    filter: { icon: "funnel", Section: Filters },
    storage: { icon: "copy", Section: Storage },
    reports: { icon: "flag", Section: Reports },
    access: { icon: "key", Section: Access },
    limits: { icon: "sliders", Section: Limits },
    invitations: { icon: "link", Section: Invitations },
    audit: { icon: "clock", Section: AuditLog },
    announce: { icon: "megaphone", Section: Announce },
  };

  GTChat.OperatorView = ({ shell, dialog, close }) => {
    const [section, setSection] = useState(dialog.section ?? null); // null: the list, or its first section where both are shown
    const [locked, setLocked] = useState(false); // whether the password is wanted
    const shown = section ?? "accounts";
    const { Section } = SECTIONS[shown];
    const title = text(`op_${locked ? "confirm" : shown}`);
    const onError = (error) => {
      if (error.code === "password_again") setLocked(true);
      return error.code === "password_again";
    };
    return html`
      <${GTChat.Dialog} title=${text("operator_view")} onClose=${close} kind="settings" bare shown=${section ? "page" : "list"}>
        <nav aria-label=${text("operator_view")}>
          <div class="sheet-title narrow"><h2>${text("operator_view")}</h2><${IconButton} icon="close" label=${text("close")} onClick=${close} /></div>
          <h2 class="wide">${text("operator_view")}</h2>
          ${Object.entries(SECTIONS).map(([name, { icon }]) => html`
            <button key=${name} type="button" class="menu-item" aria-current=${name === shown ? "page" : undefined} onClick=${() => setSection(name)}>
              <${Icon} name=${icon} />${text(`op_${name}`)}</button>`)}
        </nav>
        <div class="main">
          <header><${BackButton} onClick=${() => setSection(null)} /><h2>${title}</h2>
            <${IconButton} icon="close" kind="wide" label=${text("close")} onClick=${close} /></header>
          <div class="page">${locked ? html`<${Confirm} shell=${shell} onDone=${() => setLocked(false)} />`
            : html`<${Section} key=${shown} shell=${shell} onError=${onError} />`}</div>
        </div>
      <//>`;
  };
})();
