// Forms: fields with their labels, hints and errors, and the form that shows an error at the field it is
// about.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { html, useState } = globalThis.htmPreact;
  const { Icon, IconButton, Problem } = GTChat.parts;
  const text = (...details) => GTChat.text(...details);

  // The field that an error is about, by its code: the first of these that the form has.
  const FIELDS_OF_ERROR = {
    bad_name: ["room_name", "user"], room_exists: ["room_name"], no_such_user: ["user", "master"], self_target: ["user"],
    already_in_room: ["user"], not_in_room: ["master"], room_full: ["user", "member_limit"], bad_key: ["broadcast_key"],
    too_long: ["message", "topic"], weak_password: ["new_password"], password_mismatch: ["confirm_password"],
    bad_credentials: ["old_password"], locked_out: ["old_password"], bad_port: ["port"], port: ["port"],
  };

  let formCount = 0;

  const onValue = (onChange) => (event) => onChange(event.target.value);

  // A list of which one is chosen. options: [value, label]; optionLang(value): the language of a label.
  const Select = ({ id, name, value, options, onChange, optionLang, ...rest }) => html`
    <span class="select"><select id=${id} name=${name} value=${value} onChange=${onValue(onChange)} ...${rest}>
      ${options.map(([option, label]) => html`
        <option key=${option} value=${option} selected=${option === value} lang=${optionLang?.(option)}>${label}</option>`)}
    </select><${Icon} name="down" size="s" /></span>`;

  // A few choices side by side, of which one holds. options: [value, label].
  const Segments = ({ name, label, labelledby, value, options, onChange }) => html`
    <div class="segments" role="radiogroup" aria-label=${label} aria-labelledby=${labelledby}>
      ${options.map(([option, words]) => html`
        <label key=${option}><input type="radio" name=${name} value=${option} checked=${option === value}
          onChange=${() => onChange(option)} />${words}</label>`)}
    </div>`;

  // A switch that acts at once, with its label before it.
  const Switch = ({ name, label, hint, checked, onChange, disabled, kind = "setting" }) => html`
    <label class=${kind}><span class="grow">${label}${hint && html`<span class="hint block">${hint}</span>`}</span>
      <input type="checkbox" role="switch" class="switch" name=${name} checked=${checked} disabled=${disabled}
        onChange=${(event) => onChange(event.target.checked)} /></label>`;

  // A password that can be made readable.
  const Password = ({ id, value, onChange, ...rest }) => {
    const [shown, setShown] = useState(false);
    return html`
      <span class="input-box"><input id=${id} class="input" type=${shown ? "text" : "password"} value=${value}
        onInput=${onValue(onChange)} ...${rest} />
        <${IconButton} icon="eye" size="s" kind="end" label=${text(shown ? "hide_password" : "show_password")}
          aria-pressed=${shown ? "true" : "false"} onClick=${() => setShown(!shown)} /></span>`;
  };

  // A field for finding something in a list.
  const Find = ({ label, value, onChange, icon = "search", ...rest }) => html`
    <label class="input-box"><span class="visually-hidden">${label}</span><${Icon} name=${icon} size="s" />
      <input type="search" class="input" value=${value} placeholder=${label} autocomplete="off" onInput=${onValue(onChange)} ...${rest} /></label>`;

  const Choices = ({ id, name, field, value, onChange }) => html`
    <fieldset class="field choices"><legend class="visually-hidden">${text(field.label ?? name)}</legend>
      ${field.choices.map(({ value: option, icon, label, hint }) => html`
        <label key=${option} class="choice"><${Icon} name=${icon} /><span class="grow"><span class="strong block">${text(label)}</span>
          <span class="small third block">${text(hint)}</span></span><span class="check"><input type="radio" id=${`${id}-${option}`} name=${name}
            value=${option} checked=${option === value} onChange=${() => onChange(option)} /></span></label>`)}</fieldset>`;

  const Field = ({ id, name, field, value, error, onChange }) => {
    const { type = "text", value: _, label = name, optional, hint, options, choices, ...rest } = field;
    if (choices) return html`<${Choices} id=${id} name=${name} field=${field} value=${value} onChange=${onChange} />`;
    if (type === "switch") return html`<${Switch} name=${name} label=${text(label)} hint=${hint && text(hint)} checked=${value} onChange=${onChange} />`;
    const common = { id, name, "aria-describedby": `${id}-problem${hint ? ` ${id}-hint` : ""}`,
      "aria-invalid": error ? "true" : undefined, ...rest };
    return html`
      <div class="field"><label for=${id}>${text(label)}${optional && html` <span class="third plain">${text("optional")}</span>`}</label>
        ${options ? html`<${Select} ...${common} value=${value} options=${options} onChange=${onChange} />`
          : type === "password" ? html`<${Password} ...${common} value=${value} onChange=${onChange} />`
            : type === "multiline" ? html`<textarea class="input" rows="3" dir="auto" value=${value} onInput=${onValue(onChange)} ...${common}></textarea>`
              : html`<input class="input" type=${type} value=${value} dir=${type === "text" ? "auto" : undefined} onInput=${onValue(onChange)} ...${common} />`}
        ${hint && html`<p class="hint" id=${`${id}-hint`}>${text(hint)}</p>`}
        <${Problem} id=${`${id}-problem`} error=${error} /></div>`;
  };

  // fields: {name: {type, value, label, hint, optional, options, choices, ...attributes}}; a label is a text
  // key, by default the name; type: of an input, or "multiline", "switch". submit: the text of the button.
  // onSubmit(values): returns a promise that fails with a `code`. onDone(result): called after it.
  // onCancel: if there is a button for it. username: whose passwords the form has, for password managers.
  // The children come before the fields. In a dialog the buttons are its footer.
  const Form = ({ fields, submit, onSubmit, onDone, onCancel, focusCancel = false, username, kind = "primary", children }) => {
    const [id] = useState(() => `form-${++formCount}`);
    const [values, setValues] = useState(() => Object.fromEntries(
      Object.entries(fields).map(([name, field]) => [name, field.value ?? ""]),
    ));
    const [error, setError] = useState(null);
    const [busy, setBusy] = useState(false);
    const wrong = error && (FIELDS_OF_ERROR[error.field ?? error.code] ?? []).find((name) => name in fields);
    const send = async (event) => {
      event.preventDefault();
      const form = event.target;
      setBusy(true);
      setError(null);
      try {
        const result = await onSubmit(values);
        setBusy(false);
        onDone?.(result);
      } catch (refused) {
        setError(refused);
        setBusy(false);
        requestAnimationFrame(() => form.querySelector("[aria-invalid=true]")?.focus());
      }
    };
    return html`
      <form class="form" onSubmit=${send}>
        <div class="body">
          ${username && html`<input type="text" name="username" autocomplete="username" value=${username} hidden />`}
          ${children}
          ${Object.entries(fields).map(([name, field]) => html`
            <${Field} key=${name} id=${`${id}-${name}`} name=${name} field=${field} value=${values[name]}
              error=${wrong === name ? error : null} onChange=${(value) => setValues((others) => ({ ...others, [name]: value }))} />`)}
          <${Problem} id=${`${id}-problem`} error=${wrong ? null : error} />
        </div>
        <footer>
          ${onCancel && html`<button type="button" class="button" autofocus=${focusCancel} onClick=${onCancel}>${text("cancel")}</button>`}
          <button type="submit" class=${`button ${kind}`} disabled=${busy}>${submit}</button>
        </footer>
      </form>`;
  };

  GTChat.forms = { Form, Select, Segments, Switch, Password, Find };
})();
