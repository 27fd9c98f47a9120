// The user's own settings: a list of pages and the open one; a phone shows one of both.
//
// A page acts at once; what needs a form opens a dialog of its own, which leads back here.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { html, useEffect, useState } = globalThis.htmPreact;
  const { Avatar, Icon, IconButton, BackButton, Note, Problem } = GTChat.parts;
  const { Form, Select, Switch } = GTChat.forms;
  const { DIALOGS } = GTChat;
  const text = (...details) => GTChat.text(...details);

  GTChat.THEMES = ["light", "dark", "system"];

  const Profile = ({ shell }) => {
    const { state, mode } = shell;
    return html`
      <div class="profile"><${Avatar} name=${state.me} size="xl" />
        <div><p class="head-text"><bdi>${state.me}</bdi></p><p class="third">${text(mode === "guest" ? "guest_hint" : "profile_hint")}</p></div></div>`;
  };

  const Notifications = ({ shell }) => {
    const { settings } = shell;
    const blocked = globalThis.Notification?.permission === "denied";
    return html`
      ${blocked && html`<${Note} icon="bell_off" kind="warn">${text("notifications_blocked")} ${text("allow_notifications")}<//>`}
      <div><${Switch} name="notify" label=${text("desktop_notifications")} hint=${text("notifications_hint")} checked=${settings.notify}
          onChange=${(wanted) => shell.setDesktopNotifications(wanted)} />
        <${Switch} name="sound" label=${text("notification_sound")} checked=${settings.sound} onChange=${(wanted) => shell.setSound(wanted)} /></div>`;
  };

  // A picture of a theme: side and middle, each with two lines.
  const Sample = ({ theme }) => html`
    <span class="theme-sample">${["side", "middle"].map((part) => html`
      <span key=${part} class=${`${part} ${theme === "system" ? (part === "side" ? "light" : "dark") : theme}`}><b></b><b></b></span>`)}</span>`;

  const Appearance = ({ shell }) => {
    const { settings } = shell;
    return html`
      <div class="field"><span class="label" id="theme-label">${text("theme")}</span>
        <div class="themes" role="radiogroup" aria-labelledby="theme-label">${GTChat.THEMES.map((theme) => html`
          <label key=${theme} class="theme-choice"><input type="radio" name="theme" value=${theme} checked=${settings.theme === theme}
            onChange=${() => shell.set({ theme })} /><${Sample} theme=${theme} />${text(`theme_${theme}`)}</label>`)}</div></div>
      <div class="field short"><label for="language">${text("language")}</label>
        <${Select} id="language" name="language" value=${GTChat.language()} options=${Object.entries(GTChat.LANGUAGES)} optionLang=${(key) => key}
          onChange=${(language) => shell.set({ language })} /></div>`;
  };

  // A line that leads to a dialog. count: of what it lists.
  const Line = ({ shell, icon, label, hint, count, dialog }) => html`
    <button type="button" class="line" onClick=${() => shell.showDialog({ name: dialog })}><${Icon} name=${icon} />
      <span class="grow">${label}${hint && html`<span class="small third block">${hint}</span>`}</span>
      <span class="end num">${count}<${Icon} name="right" size="s" /></span></button>`;

  const Account = ({ shell }) => html`
    <div class="card">
      ${shell.state.hasPassword && html`<${Line} shell=${shell} icon="key" label=${text("change_password")} dialog="password" />`}
      <${Line} shell=${shell} icon="user_blocked" label=${text("blocked_users")} count=${shell.state.blocked.length} dialog="blocked" />
      <${Line} shell=${shell} icon="link" label=${text("peer_connections")} hint=${text("peer_connections_short")} dialog="peer" />
    </div>
    <div><h3 class="group-title">${text("administration_hint")}</h3><div class="card">
      ${shell.state.operator && html`<${Line} shell=${shell} icon="shield" label=${text("operator_view")} dialog="operator" />`}
      <${Line} shell=${shell} icon="megaphone" label=${text("broadcast_to_all")} dialog="administration" /></div></div>`;

  // A dialog, or a page of the settings, whose scripts are loaded when it is opened. view: the component that they define.
  const later = (view, ...scripts) => (props) => {
    const [error, setError] = useState(null);
    const [, setReady] = useState(false);
    useEffect(() => { if (!GTChat[view]) GTChat.loadLater(...scripts).then(() => setReady(true), setError); }, []);
    if (GTChat[view]) return html`<${GTChat[view]} ...${props} />`;
    if (!props.close) return html`<p class="hint" role="status">${error ? "" : text("loading")}</p><${Problem} error=${error} />`;
    return html`<${GTChat.Dialog} title=${text("loading")} onClose=${props.close} size="small"><div class="body"><${Problem} error=${error} /></div><//>`;
  };

  // available(shell): whether the page is for this user.
  const PAGES = {
    profile: { icon: "user", Page: Profile },
    devices: { icon: "laptop", Page: later("DeviceList", "texts/later", "views/device_list"),
      available: (shell) => shell.mode === "member" && shell.actions.can("sessions") },
    notifications: { icon: "bell", Page: Notifications },
    appearance: { icon: "half", Page: Appearance },
    account: { icon: "key", Page: Account },
  };

  DIALOGS.settings = ({ shell, dialog, close }) => {
    const [section, setSection] = useState(dialog.section ?? null); // null: the list, or its first page where both are shown
    const shown = section ?? "profile";
    const { Page } = PAGES[shown];
    const leave = (action) => () => {
      close();
      action();
    };
    return html`
      <${GTChat.Dialog} title=${text("settings")} onClose=${close} kind="settings" bare shown=${section ? "page" : "list"}>
        <nav aria-label=${text("settings")}>
          <div class="sheet-title narrow"><h2>${text("own_tab")}</h2><${IconButton} icon="close" label=${text("close")} onClick=${close} /></div>
          <div class="own narrow"><${Avatar} name=${shell.state.me} size="l" /><p class="head-text cut"><bdi>${shell.state.me}</bdi></p></div>
          <h2 class="wide">${text("settings")}</h2>
          ${Object.entries(PAGES).filter(([, { available }]) => available?.(shell) ?? true).map(([name, { icon }]) => html`
            <button key=${name} type="button" class="menu-item" aria-current=${name === shown ? "page" : undefined} onClick=${() => setSection(name)}>
              <${Icon} name=${icon} />${text(name)}</button>`)}
          <span class="grow wide"></span>
          <button type="button" class="menu-item" onClick=${() => shell.showDialog({ name: "shortcuts" })}><${Icon} name="keyboard" />${text("shortcuts")}</button>
          ${GTChat.logOutItems(shell).map(({ icon, label, run }) => html`
            <button key=${label} type="button" class="menu-item" onClick=${leave(run)}><${Icon} name=${icon} />${label}</button>`)}
        </nav>
        <div class="main">
          <header><${BackButton} onClick=${() => setSection(null)} /><h2>${text(shown)}</h2>
            <${IconButton} icon="close" kind="wide" label=${text("close")} onClick=${close} /></header>
          <div class="page"><${Page} key=${shown} shell=${shell} /></div>
        </div>
      <//>`;
  };

  // Dialogs of the account page. back: returns to it.
  const back = (shell) => () => shell.showDialog({ name: "settings", section: "account" });

  DIALOGS.password = ({ shell }) => {
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

  DIALOGS.blocked = ({ shell }) => {
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

  DIALOGS.operator = later("OperatorView", "texts/later", "admin/lists", "admin/accounts", "admin/bans", "views/reports", "admin/view");
  DIALOGS.report = later("ReportMessage", "texts/later", "views/reports");
  DIALOGS.reports = later("RoomReports", "texts/later", "views/reports");
  for (const [name, view] of Object.entries({ edit_room: "EditRoom", transfer: "TransferRoom", delete_room: "DeleteRoom", remove_user: "RemoveUser",
    set_role: "SetRole", mute_user: "MuteUser", ban_user: "BanUser", moderation: "RoomModeration" })) {
    DIALOGS[name] = later(view, "texts/later", "views/moderation");
  }
  DIALOGS.peer = later("PeerConnections", "texts/later", "views/peer_connections");
  DIALOGS.administration = later("Broadcast", "texts/later", "admin/broadcast");
})();
