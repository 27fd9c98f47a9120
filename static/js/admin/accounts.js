// The operator's view of accounts: the list, one account with its sessions, and what is done with it.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { html, useEffect, useState } = globalThis.htmPreact;
  const { Avatar, Icon, Problem, Role } = GTChat.parts;
  const { Form } = GTChat.forms;
  const { DIALOGS } = GTChat;
  const { run, back, Listing, when, day } = GTChat.operator;
  const text = (...details) => GTChat.text(...details);

  const show = (shell, account) => () => shell.showDialog({ name: "op_account", account });

  const Account = ({ shell, account }) => html`
    <li class="line"><${Avatar} name=${account.name} />
      <span class="grow"><bdi class="strong">${account.name}</bdi>${account.operator && html` <${Role} role="own" icon="shield">${text("op_operator")}<//>`}
        <span class="small third block">${[text("op_since", { day: day(account.created) }), !account.password && text("op_no_password")].filter(Boolean).join(" · ")}</span></span>
      <button type="button" class="button small" aria-label=${text("op_manage_named", { name: account.name })}
        onClick=${show(shell, account.name)}>${text("op_manage")}</button></li>`;

  GTChat.operator.Accounts = ({ shell, onError }) => html`
    <${Listing} shell=${shell} command="accounts list" of="accounts" find=${text("op_find_account")} onError=${onError}
      row=${(account) => html`<${Account} key=${account.name} shell=${shell} account=${account} />`}
      actions=${html`<button type="button" class="button" onClick=${() => shell.showDialog({ name: "op_create" })}><${Icon} name="plus" size="s" />${text("op_create")}</button>`} />`;

  // What the messages of an account take, and its quota, if it has one.
  const stored = ({ bytes, quota }) => {
    const [used, most] = [bytes, quota ?? 0].map((count) => count.toLocaleString(GTChat.locale()));
    return text(quota ? "op_stored_of" : "op_stored", { used, quota: most });
  };

  const device = (session) => session.device || (session.protocol === "gtchat" ? text("no_device") : session.protocol);
  const lastSeen = (session) => (session.online ? text("op_online") : when(session.last_seen));

  // Who is logged in from an address.
  GTChat.operator.Addresses = ({ shell, onError }) => html`
    <${Listing} shell=${shell} command="sessions at" of="sessions" find=${text("op_find_address")} field="address" needed=${text("op_addresses_hint")} onError=${onError}
      row=${(session) => html`
        <li key=${session.id} class="line"><${Avatar} name=${session.name} />
          <span class="grow"><bdi class="strong">${session.name}</bdi>
            <span class="small third block">${[session.address, device(session), lastSeen(session)].filter(Boolean).join(" · ")}</span></span>
          <button type="button" class="button small" aria-label=${text("op_manage_named", { name: session.name })}
            onClick=${show(shell, session.name)}>${text("op_manage")}</button></li>`} />`;

  const Session = ({ session, end }) => html`
    <li class="line"><${Icon} name="laptop" />
      <span class="grow"><bdi class="strong">${device(session)}</bdi>
        <span class="small third block">${[session.address, lastSeen(session)].filter(Boolean).join(" · ")}</span></span>
      <button type="button" class="button small" aria-label=${text("op_end_session")} onClick=${end}>${text("op_end")}</button></li>`;

  // What is done with an account, by the dialog that asks for it.
  const ACTIONS = [["op_rename", "pencil"], ["op_set_password", "key"], ["op_link", "link"], ["op_ban", "ban"], ["op_delete", "trash"]];
  const DANGERS = ["op_ban", "op_delete"];

  DIALOGS.op_account = ({ shell, dialog: { account: name } }) => {
    const [account, setAccount] = useState(null);
    const [sessions, setSessions] = useState([]);
    const [error, setError] = useState(null);
    const load = async () => {
      try {
        setAccount(await run(shell, "accounts show", { name }));
        setSessions((await run(shell, "sessions list", { name })).sessions);
      } catch (refused) {
        if (refused.code === "password_again") back(shell, "accounts")();
        else setError(refused);
      }
    };
    useEffect(() => { load(); }, []);
    const end = (id) => async () => {
      try {
        await run(shell, "sessions end", id ? { name, id } : { name });
        await load();
      } catch (refused) {
        setError(refused);
      }
    };
    return html`
      <${GTChat.Dialog} title=${name} onClose=${back(shell, "accounts")}>
        <div class="body"><${Problem} error=${error} />
          ${account && html`
            <div class="profile"><${Avatar} name=${name} size="l" online=${account.online} /><p class="second">${[
              text(account.online ? "op_online" : "op_offline"), account.operator && text("op_operator"),
              text("op_counts", { rooms: account.rooms, sessions: account.sessions }), stored(account), text("op_since", { day: day(account.created) })].filter(Boolean).join(" · ")}</p></div>
            <div class="card">${ACTIONS.map(([action, icon]) => html`
              <button key=${action} type="button" class=${`line ${DANGERS.includes(action) ? "danger-text" : ""}`} onClick=${() => shell.showDialog({ name: action, account: name })}>
                <${Icon} name=${icon} /><span class="grow">${text(action)}</span><span class="end"><${Icon} name="right" size="s" /></span></button>`)}</div>
            <div><h3 class="group-title">${text("op_sessions")}</h3>${sessions.length ? html`
              <ul class="card" aria-label=${text("op_sessions")}>${sessions.map((session) => html`<${Session} key=${session.id} session=${session} end=${end(session.id)} />`)}</ul>`
              : html`<p class="hint">${text("op_no_sessions")}</p>`}</div>
            ${sessions.length > 1 && html`<div><button type="button" class="button danger-text" onClick=${end("")}>${text("op_end_all")}</button></div>`}`}
        </div>
      <//>`;
  };

  // A dialog with a form about an account, which leads back to it.
  const AccountForm = ({ shell, name, title, submit, hint, fields, send, done, username, kind }) => html`
    <${GTChat.Dialog} title=${title} onClose=${show(shell, name)} size="small">
      <${Form} fields=${fields} submit=${submit} kind=${kind} onSubmit=${send} onCancel=${show(shell, name)} username=${username}
        onDone=${(result) => { shell.notice(text("op_done")); (done ?? show(shell, name))(result); }}>
        ${hint && html`<p class="second">${hint}</p>`}<//>
    <//>`;

  DIALOGS.op_rename = ({ shell, dialog: { account: name } }) => html`
    <${AccountForm} shell=${shell} name=${name} title=${text("op_rename")} submit=${text("op_rename")} hint=${text("op_rename_hint")}
      fields=${{ user: { label: "op_new_name", required: true, autofocus: true, maxlength: 32 } }}
      send=${({ user }) => run(shell, "accounts rename", { name, new_name: user.trim() })} done=${(result) => show(shell, result.name)()} />`;

  DIALOGS.op_set_password = ({ shell, dialog: { account: name } }) => html`
    <${AccountForm} shell=${shell} name=${name} title=${text("op_set_password")} submit=${text("op_set_password")} hint=${text("op_set_password_hint")} username=${name}
      fields=${{ new_password: { type: "password", required: true, autofocus: true, autocomplete: "new-password", hint: "password_hint" } }}
      send=${({ new_password: password }) => run(shell, "accounts set-password", { name, password })} />`;

  DIALOGS.op_delete = ({ shell, dialog: { account: name } }) => {
    const fate = (label) => ({ label, value: "keep", options: [["keep", text("keep_messages")], ["erase", text("erase_messages")]] });
    return html`
      <${AccountForm} shell=${shell} name=${name} title=${text("op_delete")} submit=${text("op_delete")} kind="danger" hint=${text("op_delete_hint", { name })}
        fields=${{ messages: fate("op_messages"), directs: fate("op_directs") }}
        send=${(wanted) => run(shell, "accounts delete", { name, ...wanted })} done=${back(shell, "accounts")} />`;
  };

  // Shows a link that was made. link: as the server has made it, which may not know the address of the page.
  GTChat.operator.LinkDialog = ({ shell, title, link, hint, onClose }) => {
    const shown = shell.fromDisk ? link : new URL(link.slice(link.indexOf("#")), location.href).href;
    return html`
      <${GTChat.Dialog} title=${title} onClose=${onClose} size="small">
        <div class="body"><p class="second">${hint}</p><${GTChat.SharedLink} shell=${shell} url=${shown} label=${title} /></div>
        <footer><button type="button" class="button primary" autofocus onClick=${onClose}>${text("close")}</button></footer>
      <//>`;
  };

  DIALOGS.op_link = ({ shell, dialog: { account: name } }) => {
    const [made, setMade] = useState(null);
    const hint = text("op_link_hint", { name });
    if (made) return html`<${GTChat.operator.LinkDialog} shell=${shell} title=${text("op_link")} link=${made} hint=${hint} onClose=${show(shell, name)} />`;
    return html`
      <${GTChat.Dialog} title=${text("op_link")} onClose=${show(shell, name)} size="small">
        <${Form} fields=${{}} submit=${text("op_make_link")} onCancel=${show(shell, name)} onDone=${({ link }) => setMade(link)}
          onSubmit=${() => run(shell, "accounts login-link", { name })}><p class="second">${hint}</p><//>
      <//>`;
  };

  DIALOGS.op_create = ({ shell }) => html`
    <${GTChat.Dialog} title=${text("op_create")} onClose=${back(shell, "accounts")} size="small">
      <${Form} submit=${text("op_create")} onCancel=${back(shell, "accounts")}
        onSubmit=${({ user, new_password: password }) => run(shell, "accounts create", { name: user.trim(), password })}
        onDone=${({ name }) => { shell.notice(text("op_created", { name })); show(shell, name)(); }}
        fields=${{ user: { label: "op_name", required: true, autofocus: true, maxlength: 32, autocomplete: "off" },
          new_password: { type: "password", required: true, autocomplete: "new-password", hint: "password_hint" } }} />
    <//>`;
})();
