// The account page of the settings, and its dialogs: password, blocked users, deletion of the account.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { html, useEffect, useState } = globalThis.htmPreact;
  const { Avatar, Icon, Problem } = GTChat.parts;
  const { Form } = GTChat.forms;
  const text = (...details) => GTChat.text(...details);

  // A line that leads to a dialog. count: of what it lists.
  const Line = ({ shell, icon, label, hint, count, dialog }) => html`
    <button type="button" class="line" onClick=${() => shell.showDialog({ name: dialog })}><${Icon} name=${icon} />
      <span class="grow">${label}${hint && html`<span class="small third block">${hint}</span>`}</span>
      <span class="end num">${count}<${Icon} name="right" size="s" /></span></button>`;

  // Users prove again that they are it: with the password, or with the key that the browser keeps for an account without one.
  const keyOf = ({ url }) => GTChat.storage.keys.get(url)?.uuid;
  const provable = (shell) => shell.state.hasPassword || keyOf(shell);
  const proofFields = ({ state }) => (state.hasPassword
    ? { old_password: { type: "password", required: true, label: "password", autocomplete: "current-password" } } : {});
  const proof = (shell, { old_password: pwd }) => (shell.state.hasPassword ? { pwd } : { uuid: keyOf(shell) });

  GTChat.AccountPage = ({ shell }) => html`
    <div class="card">
      ${shell.state.hasPassword && html`<${Line} shell=${shell} icon="key" label=${text("change_password")} dialog="password" />`}
      <${Line} shell=${shell} icon="user_blocked" label=${text("blocked_users")} count=${shell.state.blocked.length} dialog="blocked" />
      <${Line} shell=${shell} icon="link" label=${text("peer_connections")} hint=${text("peer_connections_short")} dialog="peer" />
      ${provable(shell) && !shell.fromDisk && shell.actions.can("export_account") && html`
        <${Line} shell=${shell} icon="copy" label=${text("export_data")} hint=${text("export_data_short")} dialog="export_account" />`}
      ${provable(shell) && shell.actions.can("delete_account") && html`
        <${Line} shell=${shell} icon="trash" label=${text("delete_account")} hint=${text("delete_account_short")} dialog="delete_account" />`}
    </div>
    <div class="field"><h3 class="group-title">${text("administration_hint")}</h3><div class="card">
      ${shell.state.operator && html`<${Line} shell=${shell} icon="shield" label=${text("operator_view")} dialog="operator" />`}
      <${Line} shell=${shell} icon="megaphone" label=${text("broadcast_to_all")} dialog="administration" /></div></div>`;

  // Dialogs of the account page. back: returns to it.
  const back = (shell) => () => shell.showDialog({ name: "settings", section: "account" });

  GTChat.ChangePassword = ({ shell }) => {
    const change = async (values) => {
      await shell.changePassword({ pwd: values.old_password, new_pwd: values.new_password, new_pwd2: values.confirm_password });
      shell.notice(text("password_changed"));
    };
    const field = { type: "password", required: true };
    return html`
      <${GTChat.Dialog} title=${text("change_password")} onClose=${back(shell)} size="small">
        <${Form} submit=${text("change_password")} onSubmit=${change} onDone=${back(shell)} onCancel=${back(shell)} username=${shell.state.me} fields=${{
          old_password: { ...field, autocomplete: "current-password", autofocus: true },
          new_password: { ...field, autocomplete: "new-password", hint: "password_hint" },
          confirm_password: { ...field, autocomplete: "new-password" } }} />
      <//>`;
  };

  GTChat.BlockedUsers = ({ shell }) => {
    const { state, actions } = shell;
    const unblock = (user) => () => shell.attempt(() => actions.request("unblock", { user }));
    return html`
      <${GTChat.Dialog} title=${text("blocked_users")} onClose=${back(shell)} size="small">
        <div class="body">${state.blocked.length === 0 ? html`<p class="second">${text("none_blocked")}</p>` : html`
          <p class="second">${text("blocked_hint")}</p>
          <ul class="card">${state.blocked.map((name) => html`
            <li key=${name} class="line blocked-user"><${Avatar} name=${name} /><bdi class="grow cut">${name}</bdi>
              <button type="button" class="button small" aria-label=${text("unblock_named", { usr: name })} onClick=${unblock(name)}>${text("unblock")}</button></li>`)}</ul>`}</div>
      <//>`;
  };

  // Hues that are offered, in degrees; "": that of the name.
  const HUES = ["", 0, 20, 45, 80, 115, 150, 170, 195, 225, 255, 285, 315, 340];

  GTChat.ProfileForm = ({ shell }) => {
    const [profile, setProfile] = useState(null);
    const [error, setError] = useState(null);
    useEffect(() => { shell.actions.request("get_profile").then(setProfile, setError); }, []);
    if (!profile) return html`<${Problem} error=${error} />`;
    const colours = HUES.map((hue) => [String(hue), hue === "" ? text("colour_of_name") : text("colour_number", { number: HUES.indexOf(hue) })]);
    const known = HUES.includes(profile.colour) ? String(profile.colour) : "";
    return html`
      <${Form} submit=${text("save")} onDone=${() => shell.notice(text("profile_saved"))}
        onSubmit=${({ about, colour, hide_last_seen }) => shell.actions.request("set_profile", {
          about: about.trim(), colour: colour === "" ? -1 : Number(colour), hide_last_seen: Boolean(hide_last_seen) })}
        fields=${{ about: { type: "multiline", label: "about_you", value: profile.about ?? "", maxlength: 300, optional: true },
          colour: { label: "avatar_colour", value: known, options: colours },
          hide_last_seen: { type: "switch", value: profile.hide_last_seen ?? false, hint: "hide_last_seen_hint" } }} />`;
  };

  GTChat.ExportAccount = ({ shell }) => {
    const [link, setLink] = useState(null); // the reply with its path
    const ask = async (values) => setLink(await shell.actions.request("export_account", proof(shell, values)));
    const title = text("export_data");
    if (link) {
      return html`
        <${GTChat.Dialog} title=${title} onClose=${back(shell)} size="small">
          <div class="body"><p class="second">${text("export_ready")}</p></div>
          <footer><a class="button primary" href=${new URL(link.path, location.href).href} download autofocus onClick=${back(shell)}>${text("download")}</a></footer>
        <//>`;
    }
    return html`
      <${GTChat.Dialog} title=${title} onClose=${back(shell)} size="small">
        <${Form} submit=${title} onSubmit=${ask} onCancel=${back(shell)} username=${shell.state.me}
          fields=${proofFields(shell)}>
          <p class="second">${text("export_hint")}</p><//>
      <//>`;
  };

  // What becomes of messages, for a form.
  const fate = (label) => ({ label, value: "keep", options: [["keep", text("keep_messages")], ["erase", text("erase_messages")]] });

  // The server ends the session once it has answered: the page does so before it.
  const deleteAccount = async (shell, fields) => {
    const { actions } = shell;
    await actions.request("delete_account", fields);
    if (fields.uuid) GTChat.storage.keys.set(shell.url, undefined);
    shell.device.forget();
    actions.emit("over", { code: "logout" });
    shell.ended = text("account_deleted");
    shell.change();
  };

  GTChat.DeleteAccount = ({ shell }) => html`
    <${GTChat.Dialog} title=${text("delete_account_question")} onClose=${back(shell)} danger size="small">
      <${Form} submit=${text("delete_account")} kind="danger" onCancel=${back(shell)} username=${shell.state.me}
        onSubmit=${({ messages, directs, ...values }) => deleteAccount(shell, { ...proof(shell, values), messages, directs })}
        fields=${{ messages: fate("your_messages"), directs: fate("your_directs"), ...proofFields(shell) }}>
        <p class="second">${text("delete_account_hint")}</p><//>
    <//>`;
})();
