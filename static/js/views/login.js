// The login page: with a password or a saved key, registering, or as a guest.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { html, useEffect, useState } = globalThis.htmPreact;
  const { Icon, Note, Problem } = GTChat.parts;
  const { Password } = GTChat.forms;
  const text = (...details) => GTChat.text(...details);

  const MODES = ["member", "register", "guest"];
  // The text of the button, by mode.
  const SUBMIT = { member: "member", register: "create_account", guest: "log_in_as_guest" };
  // The field at which an error is shown, by its code; others are shown below the form.
  const FIELD_OF_ERROR = {
    bad_name: "name", name_taken: "name", already_logged_in: "name", no_such_user: "name",
    bad_invite: "invite", invite_wanted: "invite", weak_password: "password", bad_credentials: "password", locked_out: "password", bad_url: "url",
  };
  // The labels of fields that have not the name of their text.
  const LABELS = { url: "server", invite: "invite_field" };
  // Characters that a password needs, and that make it good.
  const MIN_PASSWORD = 8;
  const LENGTHS = [MIN_PASSWORD, 10, 14, 20];

  const isUrl = (url) => {
    try {
      return /^wss?:$/.test(new URL(url).protocol);
    } catch {
      return false;
    }
  };

  // Says how long a new password is: length counts, whatever it is made of.
  const Meter = ({ password }) => {
    const level = LENGTHS.filter((length) => [...password].length >= length).length;
    return html`
      <span class="meter" aria-hidden="true">${LENGTHS.map((length, index) => html`<i key=${length} class=${index < level ? "full" : ""}></i>`)}</span>
      <p class="hint" id="password-hint">${text(`password_${level > 2 ? "good" : level ? "fair" : "short"}`)} ${text("password_hint")}</p>`;
  };

  // What an invitation says.
  const Invitation = ({ invitation }) => {
    if (!invitation) return null;
    if (invitation.error) return html`<${Note} kind="warn" role="alert">${GTChat.reason(invitation.error)}<//>`;
    const { inviter: usr, room_names: rooms } = invitation;
    return html`
      <${Note} icon="user_add">${usr ? text("invited_by", { usr }) : text("invited_here")}
        ${rooms.length > 0 && html` ${text("invited_to", { rooms: rooms.join(text("comma")) })}`}<//>`;
  };

  // The settings that matter before a login.
  const Footer = ({ shell }) => html`
    <footer>
      <label><${Icon} name="globe" size="s" /><span class="visually-hidden">${text("language")}</span>
        <select value=${GTChat.language()} onChange=${(event) => shell.set({ language: event.target.value })}>
          ${Object.entries(GTChat.LANGUAGES).map(([key, name]) => html`
            <option value=${key} selected=${key === GTChat.language()} lang=${key}>${name}</option>`)}</select></label>
      <label><${Icon} name="half" size="s" /><span class="visually-hidden">${text("theme")}</span>
        <select value=${shell.settings.theme} onChange=${(event) => shell.set({ theme: event.target.value })}>
          ${GTChat.THEMES.map((name) => html`
            <option value=${name} selected=${name === shell.settings.theme}>${text(`theme_${name}`)}</option>`)}</select></label>
    </footer>`;

  // What stands above the form.
  const Head = ({ shell }) => html`
    <div class="login-head"><img class="logo" src=${GTChat.LOGO} alt="" width="48" height="48" />
      <h1 class="title" dir="auto">${shell.site.info.name}</h1><p class="second">${text("tagline")}</p></div>`;

  // What is shown while the page logs in by itself.
  GTChat.Entering = ({ shell }) => html`
    <main class="login entering"><div class="middle"><div class="login-box"><${Head} shell=${shell} />
      <p class="waiting second" role="status"><span class="spinner"></span>${text("logging_in")}</p>
      <${GTChat.ConnectionState} shell=${shell} kind="note warn" /></div></div></main>`;

  // A field with its label, and the error that is about it.
  const Field = ({ id, hint, error, control, children }) => html`
    <div class="field"><label for=${id}>${text(LABELS[id] ?? id)}</label>
      ${control({ id, name: id, required: true, "aria-describedby": `${id}-problem${hint || children ? ` ${id}-hint` : ""}`,
        "aria-invalid": error ? "true" : undefined })}
      ${children}${hint && html`<p class="hint" id=${`${id}-hint`}>${text(hint)}</p>`}
      <${Problem} id=${`${id}-problem`} error=${error} /></div>`;

  GTChat.Login = ({ shell }) => {
    const { site } = shell;
    const modes = site.ways(MODES);
    const [chosen, setMode] = useState(site.invite ? "register" : shell.mode);
    const mode = modes.includes(chosen) ? chosen : "member";
    useEffect(() => { site.load(); }, []);
    const [values, setValues] = useState({ name: shell.settings.name, password: "", url: shell.settings.url, invite: "" });
    const [error, setError] = useState(null);
    const [busy, setBusy] = useState(false);
    const [useKey, setUseKey] = useState(false); // whether to register with a key instead of a password
    const savedKey = mode === "member" && GTChat.storage.keys.get(shell.url);
    const kept = mode === "member" && shell.device.kept;
    const [keep, setKeep] = useState(false); // whether this device is to stay logged in
    const asksInvite = mode === "register" && site.wantsInvite && !(site.invitation && !site.invitation.error);
    const withKey = mode === "register" && useKey;
    const change = (field) => (value) => setValues((others) => ({ ...others, [field]: value }));
    const errorOf = (field) => (error && (FIELD_OF_ERROR[error.code] ?? "form") === field ? error : null);

    const logIn = async (how, name) => {
      setError(null);
      const url = values.url.trim();
      if (shell.fromDisk && !isUrl(url)) { setError({ code: "bad_url" }); return; }
      if (shell.fromDisk) shell.set({ url });
      setBusy(true);
      try {
        if (asksInvite) site.useInvite(values.invite);
        await shell.logIn(how, name, values.password, keep);
      } catch (refused) {
        setError(refused);
        setBusy(false);
        site.onError(refused);
      }
    };
    const submit = async (event) => {
      event.preventDefault();
      await logIn(withKey ? "make_key" : mode, values.name.trim());
    };
    const input = (field, type, more) => (attributes) => html`
      <input class="input" type=${type} value=${values[field]} onInput=${(event) => change(field)(event.target.value)} ...${attributes} ...${more} />`;
    const name = { autocomplete: "username", spellcheck: false, autofocus: true, maxlength: 64, dir: "auto",
      placeholder: mode === "guest" ? text("guest_name") : undefined };

    return html`
      <main class="login"><div class="middle"><div class="login-box">
        <${Head} shell=${shell} />
        <form onSubmit=${submit}>
          ${modes.length > 1 && html`
          <div class="segments" role="radiogroup" aria-label=${text("login_mode")}>
            ${modes.map((way) => html`
              <label key=${way}><input type="radio" name="mode" value=${way} checked=${way === mode}
                onChange=${() => { setMode(way); setError(null); }} />${text(way)}</label>`)}
          </div>`}
          ${shell.ended && html`<${Note} kind="warn" role="alert">${shell.ended}<//>`}
          <${GTChat.ConnectionState} shell=${shell} kind="note warn" />
          ${shell.fromDisk && html`<${Field} id="url" hint="server_hint" error=${errorOf("url")} control=${input("url", "url", { spellcheck: false })} />`}
          ${mode === "register" && html`<${Invitation} invitation=${site.invitation} />`}
          ${asksInvite && html`<${Field} id="invite" hint="invite_field_hint" error=${errorOf("invite")} control=${input("invite", "text", { spellcheck: false, autocomplete: "off", maxlength: 512 })} />`}
          <${Field} id="name" hint=${mode === "register" ? "name_hint" : ""} error=${errorOf("name")} control=${input("name", "text", name)} />
          ${mode === "guest" && html`<${Note}>${text("guest_hint")}<//>`}
          ${mode !== "guest" && !withKey && html`
            <${Field} key=${mode} id="password" error=${errorOf("password")} control=${(attributes) => html`
              <${Password} ...${attributes} value=${values.password} onChange=${change("password")}
                autocomplete=${mode === "register" ? "new-password" : "current-password"} />`}>
              ${mode === "register" && html`<${Meter} password=${values.password} />`}<//>`}
          ${mode === "register" && html`
            <label class="check"><input type="checkbox" name="use_key" checked=${useKey} onChange=${(event) => setUseKey(event.target.checked)} />
              <span>${text("use_key")}${useKey && html`<span class="hint block">${text("key_hint")}</span>`}</span></label>`}
          ${mode !== "guest" && shell.device.keeps && html`
            <label class="check"><input type="checkbox" name="keep" checked=${keep} onChange=${(event) => setKeep(event.target.checked)} />
              <span>${text("keep_logged_in")}<span class="hint block">${text("keep_hint")}</span></span></label>`}
          <${Problem} id="form-problem" error=${errorOf("form")} />
          <button class="button primary full" type="submit" disabled=${busy}>${text(SUBMIT[mode])}</button>
          ${(savedKey || kept) && html`<div class="or">${text("or")}</div>`}
          ${kept && html`
            <button type="button" class="button full token-login" disabled=${busy} onClick=${() => shell.enter()}>
              <${Icon} name="laptop" size="s" />${text("log_in_with_token", { usr: kept.usr })}</button>`}
          ${savedKey && html`
            <button type="button" class="button full key-login" disabled=${busy} onClick=${() => logIn("key", savedKey.name)}>
              <${Icon} name="key" size="s" />${text("log_in_with_key", { usr: savedKey.name })}</button>`}
        </form></div></div>
        <${Footer} shell=${shell} />
      </main>`;
  };
})();
