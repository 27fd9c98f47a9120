// The login page: as a guest, with a password or a saved key, or registering.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { html, useState } = globalThis.htmPreact;
  const { Problem } = GTChat.parts;
  const text = (...details) => GTChat.text(...details);

  const MODES = ["guest", "member", "register"];
  // The field at which an error is shown, by its code; others are shown below the form.
  const FIELD_OF_ERROR = {
    bad_name: "name", name_taken: "name", already_logged_in: "name", no_such_user: "name",
    weak_password: "password", bad_credentials: "password", locked_out: "password",
    password_mismatch: "confirm_password", bad_url: "url",
  };

  const isUrl = (url) => {
    try {
      return /^wss?:$/.test(new URL(url).protocol);
    } catch {
      return false;
    }
  };

  GTChat.Login = ({ shell }) => {
    const [mode, setMode] = useState(shell.mode);
    const [values, setValues] = useState(
      { name: shell.settings.name, password: "", confirm_password: "", url: shell.settings.url });
    const [error, setError] = useState(null);
    const [busy, setBusy] = useState(false);
    const [shown, setShown] = useState(false); // whether passwords are readable
    const [useKey, setUseKey] = useState(false); // whether to register with a key instead of a password
    const savedKey = GTChat.storage.keys.get(shell.url);
    const change = (field) => (event) => setValues({ ...values, [field]: event.target.value });
    const errorOf = (field) => (error && (FIELD_OF_ERROR[error.code] ?? "form") === field ? error : null);

    const logIn = async (how, name) => {
      setError(null);
      const url = values.url.trim();
      if (shell.fromDisk && !isUrl(url)) { setError({ code: "bad_url" }); return; }
      if (how === "register" && values.password !== values.confirm_password) {
        setError({ code: "password_mismatch" });
        return;
      }
      if (shell.fromDisk) shell.set({ url });
      setBusy(true);
      try {
        await shell.logIn(how, name, values.password);
      } catch (refused) {
        setError(refused);
        setBusy(false);
      }
    };
    const submit = async (event) => {
      event.preventDefault();
      await logIn(mode === "register" && useKey ? "make_key" : mode, values.name.trim());
    };

    const field = (key, type, attributes) => html`
      <label for=${key}>${text(key === "url" ? "server" : key)}</label>
      <input id=${key} name=${key} type=${type} value=${values[key]} onInput=${change(key)} required
        aria-describedby=${`${key}-problem`} aria-invalid=${errorOf(key) ? "true" : undefined} ...${attributes} />
      <${Problem} id=${`${key}-problem`} error=${errorOf(key)} />`;

    return html`
      <main class="login">
        <form onSubmit=${submit} aria-labelledby="login-title">
          <img class="logo" src=${GTChat.LOGO} alt="" width="56" height="56" />
          <h1 id="login-title">GTChat</h1>
          <p class="tagline">${text("tagline")}</p>
          ${shell.ended && html`<p class="problem" role="alert">${shell.ended}</p>`}
          <fieldset class="login-modes"><legend class="hidden">${text("login_mode")}</legend>
            ${MODES.map((name) => html`
              <label class=${name === mode ? "chosen" : ""}>
                <input type="radio" name="mode" value=${name} checked=${name === mode}
                  onChange=${() => { setMode(name); setError(null); }} />${text(name)}
              </label>`)}
          </fieldset>
          <p class="hint">${text(`${mode}_hint`)}</p>
          ${mode === "member" && savedKey && html`
            <button type="button" class="key-login" disabled=${busy} onClick=${() => logIn("key", savedKey.name)}>
              ${text("log_in_with_key", { usr: savedKey.name })}</button>`}
          ${shell.fromDisk && field("url", "url", { spellcheck: false, title: text("server_hint") })}
          ${field("name", "text", { autocomplete: "username", spellcheck: false, autofocus: true, maxlength: 64 })}
          ${mode === "register" && html`<label class="check"><input type="checkbox" name="use_key" checked=${useKey}
            onChange=${(event) => setUseKey(event.target.checked)} /> ${text("use_key")}</label>
            ${useKey && html`<p class="hint">${text("key_hint")}</p>`}`}
          ${mode !== "guest" && !(mode === "register" && useKey) && html`
            ${field("password", shown ? "text" : "password", {
              autocomplete: mode === "register" ? "new-password" : "current-password" })}
            ${mode === "register" && field("confirm_password", shown ? "text" : "password", { autocomplete: "new-password" })}
            <label class="check"><input type="checkbox" checked=${shown}
              onChange=${(event) => setShown(event.target.checked)} /> ${text("show_password")}</label>`}
          <${Problem} id="form-problem" error=${errorOf("form")} />
          <button class="primary" type="submit" disabled=${busy}>
            ${text(mode === "guest" ? "log_in_as_guest" : mode)}</button>
          <${GTChat.ConnectionState} shell=${shell} />
          <${GTChat.Appearance} shell=${shell} />
        </form>
      </main>`;
  };
})();
