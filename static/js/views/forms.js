// Forms that tell what went wrong beside the field where it did, and buttons that ask first.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { html, useState } = globalThis.htmPreact;
  const { Problem } = GTChat.parts;
  const text = (...details) => GTChat.text(...details);

  // The field that an error is about, by its code: the first of these that a form has.
  const ABOUT = {
    bad_name: ["room_name", "whom"], room_exists: ["room_name"], no_such_user: ["whom", "master"], self_target: ["whom"],
    already_in_room: ["whom"], not_in_room: ["master"], room_full: ["whom", "room_size"], bad_key: ["broadcast_key"],
    too_long: ["message", "topic"], weak_password: ["new_password"], password_mismatch: ["password_again"],
    bad_credentials: ["old_password"], locked_out: ["old_password"], port: ["port"],
  };

  let forms = 0;

  const Field = ({ id, name, field, value, error, change }) => {
    const { type = "text", value: _, label = name, options, ...rest } = field;
    const described = { "aria-describedby": `${id}-problem`, "aria-invalid": error ? "true" : undefined };
    if (type === "checkbox") {
      return html`<label class="check"><input type="checkbox" name=${name} checked=${value}
        onChange=${(event) => change(event.target.checked)} /> ${text(label)}</label>`;
    }
    return html`
      <div class="field"><label for=${id}>${text(label)}</label>
        ${options ? html`<select id=${id} name=${name} value=${value} onChange=${(event) => change(event.target.value)} ...${described}>
          ${options.map((option) => html`<option value=${option} selected=${option === value}>${option}</option>`)}</select>`
          : type === "long" ? html`<textarea id=${id} name=${name} rows="3" value=${value} dir="auto"
            onInput=${(event) => change(event.target.value)} ...${described} ...${rest}></textarea>`
            : html`<input id=${id} type=${type} name=${name} value=${value} dir=${type === "text" ? "auto" : undefined}
              onInput=${(event) => change(event.target.value)} ...${described} ...${rest} />`}
        <${Problem} id=${`${id}-problem`} error=${error} /></div>`;
  };

  // fields: {name: {type, value, label, options, ...attributes}}. act(values) is a promise; it fails with
  // a code. owner: whose passwords are in it, for those who keep passwords.
  const Form = ({ fields, submit, act, done, owner, kind = "primary", children }) => {
    const [id] = useState(() => `form-${++forms}`);
    const [values, setValues] = useState(() => Object.fromEntries(
      Object.entries(fields).map(([name, field]) => [name, field.value ?? ""]),
    ));
    const [error, setError] = useState(null);
    const [busy, setBusy] = useState(false);
    const about = error && (ABOUT[error.field ?? error.code] ?? []).find((name) => name in fields);
    const send = async (event) => {
      event.preventDefault();
      const form = event.target;
      setBusy(true);
      setError(null);
      try {
        const result = await act(values);
        setBusy(false);
        done?.(result);
      } catch (refusal) {
        setError(refusal);
        setBusy(false);
        requestAnimationFrame(() => form.querySelector("[aria-invalid=true]")?.focus());
      }
    };
    return html`
      <form onSubmit=${send}>
        ${owner && html`<input type="text" name="username" autocomplete="username" value=${owner} hidden />`}
        ${Object.entries(fields).map(([name, field]) => html`
          <${Field} key=${name} id=${`${id}-${name}`} name=${name} field=${field} value=${values[name]}
            error=${about === name ? error : null} change=${(value) => setValues({ ...values, [name]: value })} />`)}
        ${children}
        <${Problem} id=${`${id}-problem`} error=${about ? null : error} />
        <button type="submit" class=${kind} disabled=${busy}>${text(submit)}</button>
      </form>`;
  };

  // A button that asks before it acts, and tells beside it what went wrong. act: gives a promise.
  const Careful = ({ label, sure, act, done }) => {
    const [asked, setAsked] = useState(false);
    const [error, setError] = useState(null);
    const go = async () => {
      try {
        await act();
        done?.();
      } catch (refusal) {
        setError(refusal);
      }
    };
    if (!asked) return html`<button type="button" class="danger" onClick=${() => setAsked(true)}>${label}</button>`;
    return html`
      <div class="sure" role="alert"><p dir="auto">${sure}</p>
        <button type="button" class="danger" onClick=${go}>${label}</button>
        <button type="button" onClick=${() => { setAsked(false); setError(null); }}>${text("cancel")}</button>
        <${Problem} error=${error} /></div>`;
  };

  GTChat.forms = { Form, Careful };
})();
