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

  // A dialog, or a page of the settings, whose scripts are loaded when it is opened. view: the component that they define.
  const later = (view, ...scripts) => (props) => {
    const [error, setError] = useState(null);
    const [, setReady] = useState(false);
    useEffect(() => { GTChat.loadLater(...scripts).then(() => setReady(true), setError); }, []);
    if (GTChat[view]) return html`<${GTChat[view]} ...${props} />`;
    if (!props.close) return html`<p class="hint" role="status">${error ? "" : text("loading")}</p><${Problem} error=${error} />`;
    return html`<${GTChat.Dialog} title=${text("loading")} onClose=${props.close} size="small"><div class="body"><${Problem} error=${error} /></div><//>`;
  };

  // The link that is shared and its QR code, which some of them show.
  const LINK = ["qr_code", "views/link"];

  const ProfileForm = later("ProfileForm", "texts/later", "views/account");

  const Profile = ({ shell }) => {
    const { state, mode } = shell;
    return html`
      <div class="profile"><${Avatar} name=${state.me} size="xl" />
        <div><p class="head-text"><bdi>${state.me}</bdi></p><p class="third">${text(mode === "guest" ? "guest_hint" : "profile_hint")}</p></div></div>
      ${mode === "member" && shell.actions.can("profile") && html`<${ProfileForm} shell=${shell} />`}`;
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

  // available(shell): whether the page is for this user.
  const PAGES = {
    profile: { icon: "user", Page: Profile },
    devices: { icon: "laptop", Page: later("DeviceList", "texts/later", ...LINK, "views/device_list"),
      available: (shell) => shell.mode === "member" && shell.actions.can("sessions") },
    invite_links: { icon: "user_add", Page: later("InviteLinks", "texts/later", ...LINK, "views/invite_links"),
      available: (shell) => shell.mode === "member" && shell.actions.can("invite_links") },
    notifications: { icon: "bell", Page: Notifications },
    appearance: { icon: "half", Page: Appearance },
    account: { icon: "key", Page: later("AccountPage", "texts/later", "views/account") },
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

  DIALOGS.operator = later("OperatorView", "texts/later", ...LINK, "admin/lists", "admin/accounts", "admin/bans", "admin/filters", "admin/limits", "views/reports", "admin/view");
  DIALOGS.report = later("ReportMessage", "texts/later", "views/reports");
  DIALOGS.reports = later("RoomReports", "texts/later", "views/reports");
  for (const [name, view] of Object.entries({ edit_room: "EditRoom", transfer: "TransferRoom", delete_room: "DeleteRoom", remove_user: "RemoveUser",
    set_role: "SetRole", mute_user: "MuteUser", ban_user: "BanUser", delete_recent: "DeleteRecent", ban_names: "BanNames", moderation: "RoomModeration" })) {
    DIALOGS[name] = later(view, "texts/later", "views/moderation");
  }
  for (const [name, view] of Object.entries({ password: "ChangePassword", blocked: "BlockedUsers", delete_account: "DeleteAccount",
    export_account: "ExportAccount" })) {
    DIALOGS[name] = later(view, "texts/later", "views/account");
  }
  DIALOGS.peer = later("PeerConnections", "texts/later", "views/peer_connections");
  DIALOGS.administration = later("Broadcast", "texts/later", "admin/broadcast");
})();
