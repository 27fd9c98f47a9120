// Forms that show an error at the field it is about, and buttons that ask for confirmation.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { html, useEffect, useRef, useState } = globalThis.htmPreact;
  const { Problem } = GTChat.parts;
  const text = (...details) => GTChat.text(...details);

  // The field that an error is about, by its code: the first of these that the form has.
  const FIELDS_OF_ERROR = {
    bad_name: ["room_name", "user"], room_exists: ["room_name"], no_such_user: ["user", "master"], self_target: ["user"],
    already_in_room: ["user"], not_in_room: ["master"], room_full: ["user", "member_limit"], bad_key: ["broadcast_key"],
    too_long: ["message", "topic"], weak_password: ["new_password"], password_mismatch: ["confirm_password"],
    bad_credentials: ["old_password"], locked_out: ["old_password"], port: ["port"],
  };

  let formCount = 0;

  const Field = ({ id, name, field, value, error, onChange }) => {
    const { type = "text", value: _, label = name, options, ...rest } = field;
    const described = { "aria-describedby": `${id}-problem`, "aria-invalid": error ? "true" : undefined };
    if (type === "checkbox") {
      return html`<label class="check"><input type="checkbox" name=${name} checked=${value}
        onChange=${(event) => onChange(event.target.checked)} /> ${text(label)}</label>`;
    }
    return html`
      <div class="field"><label for=${id}>${text(label)}</label>
        ${options ? html`<select id=${id} name=${name} value=${value} onChange=${(event) => onChange(event.target.value)} ...${described}>
          ${options.map((option) => html`<option value=${option} selected=${option === value}>${option}</option>`)}</select>`
          : type === "multiline" ? html`<textarea id=${id} name=${name} rows="3" value=${value} dir="auto"
            onInput=${(event) => onChange(event.target.value)} ...${described} ...${rest}></textarea>`
            : html`<input id=${id} type=${type} name=${name} value=${value} dir=${type === "text" ? "auto" : undefined}
              onInput=${(event) => onChange(event.target.value)} ...${described} ...${rest} />`}
        <${Problem} id=${`${id}-problem`} error=${error} /></div>`;
  };

  // fields: {name: {type, value, label, options, ...attributes}}; a label is a text key, by default the
  // name. onSubmit(values): returns a promise that fails with a `code`. onDone(result): called after it.
  // username: whose passwords the form has, for password managers.
  const Form = ({ fields, submit, onSubmit, onDone, username, kind = "primary", children }) => {
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
      <form onSubmit=${send}>
        ${username && html`<input type="text" name="username" autocomplete="username" value=${username} hidden />`}
        ${Object.entries(fields).map(([name, field]) => html`
          <${Field} key=${name} id=${`${id}-${name}`} name=${name} field=${field} value=${values[name]}
            error=${wrong === name ? error : null} onChange=${(value) => setValues({ ...values, [name]: value })} />`)}
        ${children}
        <${Problem} id=${`${id}-problem`} error=${wrong ? null : error} />
        <button type="submit" class=${kind} disabled=${busy}>${text(submit)}</button>
      </form>`;
  };

  // A button that asks `question` before it acts. action(): returns a promise; its error is shown.
  const ConfirmButton = ({ label, question, action, onDone }) => {
    const [asking, setAsking] = useState(false);
    const [error, setError] = useState(null);
    const buttons = useRef(null);
    const opened = useRef(null);
    // The focus goes to the question, and back to the button.
    useEffect(() => {
      if (asking) buttons.current.querySelector("button:not(.danger)").focus();
      else if (opened.current) buttons.current.focus();
      opened.current = asking;
    }, [asking]);
    const run = async () => {
      try {
        await action();
        onDone?.();
      } catch (refused) {
        setError(refused);
      }
    };
    if (!asking) return html`<button type="button" class="danger" ref=${buttons} onClick=${() => setAsking(true)}>${label}</button>`;
    return html`
      <div class="confirm" role="alert" ref=${buttons}><p dir="auto">${question}</p>
        <button type="button" class="danger" onClick=${run}>${label}</button>
        <button type="button" onClick=${() => { setAsking(false); setError(null); }}>${text("cancel")}</button>
        <${Problem} error=${error} /></div>`;
  };

  GTChat.forms = { Form, ConfirmButton };
})();
