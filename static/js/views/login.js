// Coming in: as a guest, with a password, or registering.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { html, useState } = globalThis.htmPreact;
  const { Problem } = GTChat.parts;
  const text = (...details) => GTChat.text(...details);

  const WAYS = ["guest", "member", "register"];
  // Which field an error belongs to, by its code.
  const FIELDS = {
    bad_name: "name", name_taken: "name", already_logged_in: "name", no_such_user: "name",
    weak_password: "password", bad_credentials: "password", locked_out: "password",
    password_mismatch: "again", bad_url: "url",
  };

  const isUrl = (url) => {
    try {
      return /^wss?:$/.test(new URL(url).protocol);
    } catch {
      return false;
    }
  };

  GTChat.Login = ({ shell }) => {
    const [way, setWay] = useState("guest");
    const [values, setValues] = useState({ name: shell.settings.name, password: "", again: "", url: shell.settings.url });
    const [error, setError] = useState(null);
    const [busy, setBusy] = useState(false);
    const [shown, setShown] = useState(false);
    const [keyed, setKeyed] = useState(false); // whether a key is wanted in place of a password
    const key = GTChat.memory.keys.get(shell.url);
    const change = (key) => (event) => setValues({ ...values, [key]: event.target.value });
    const problem = (field) => (error && (FIELDS[error.code] ?? "form") === field ? error : null);

    const submit = async (event) => {
      event.preventDefault();
      await come(way === "register" && keyed ? "make_key" : way, values.name.trim());
    };
    const come = async (how, name) => {
      setError(null);
      const url = values.url.trim();
      if (shell.fromDisk && !isUrl(url)) { setError({ code: "bad_url" }); return; }
      if (how === "register" && values.password !== values.again) {
        setError({ code: "password_mismatch" });
        return;
      }
      if (shell.fromDisk) shell.set({ url });
      setBusy(true);
      try {
        await shell.enter(how, name, values.password);
      } catch (refusal) {
        setError(refusal);
        setBusy(false);
      }
    };

    const field = (key, type, attributes) => html`
      <label for=${key}>${text(key === "again" ? "password_again" : key === "url" ? "server" : key)}</label>
      <input id=${key} name=${key} type=${type} value=${values[key]} onInput=${change(key)} required
        aria-describedby=${`${key}-problem`} aria-invalid=${problem(key) ? "true" : undefined} ...${attributes} />
      <${Problem} id=${`${key}-problem`} error=${problem(key)} />`;

    return html`
      <main class="login">
        <form onSubmit=${submit} aria-labelledby="welcome">
          <img class="logo" src="logo.svg" alt="" width="56" height="56" />
          <h1 id="welcome">GTChat</h1>
          <p class="tagline">${text("tagline")}</p>
          ${shell.ended && html`<p class="problem" role="alert">${shell.ended}</p>`}
          <fieldset class="ways"><legend class="hidden">${text("how")}</legend>
            ${WAYS.map((name) => html`
              <label class=${name === way ? "chosen" : ""}>
                <input type="radio" name="way" value=${name} checked=${name === way}
                  onChange=${() => { setWay(name); setError(null); }} />${text(name)}
              </label>`)}
          </fieldset>
          <p class="hint">${text(`${way}_hint`)}</p>
          ${way === "member" && key && html`
            <button type="button" class="with-key" disabled=${busy} onClick=${() => come("key", key.name)}>
              ${text("with_key", { usr: key.name })}</button>`}
          ${shell.fromDisk && field("url", "url", { spellcheck: false, title: text("server_hint") })}
          ${field("name", "text", { autocomplete: "username", spellcheck: false, autofocus: true, maxlength: 64 })}
          ${way === "register" && html`<label class="check"><input type="checkbox" name="keyed" checked=${keyed}
            onChange=${(event) => setKeyed(event.target.checked)} /> ${text("key_instead")}</label>
            ${keyed && html`<p class="hint">${text("key_hint")}</p>`}`}
          ${way !== "guest" && !(way === "register" && keyed) && html`
            ${field("password", shown ? "text" : "password", {
              autocomplete: way === "register" ? "new-password" : "current-password" })}
            ${way === "register" && field("again", shown ? "text" : "password", { autocomplete: "new-password" })}
            <label class="check"><input type="checkbox" checked=${shown}
              onChange=${(event) => setShown(event.target.checked)} /> ${text("show_password")}</label>`}
          <${Problem} id="form-problem" error=${problem("form")} />
          <button class="primary" type="submit" disabled=${busy}>
            ${text(way === "guest" ? "come_in" : way)}</button>
          <${GTChat.ConnectionState} shell=${shell} />
          <${GTChat.Preferences} shell=${shell} />
        </form>
      </main>`;
  };
})();
