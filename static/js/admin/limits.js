// The operator's view of the limits: what counts now, where it is from, and other values of those that accounts may set.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { html } = globalThis.htmPreact;
  const { DIALOGS } = GTChat;
  const { run, back, Listing, when } = GTChat.operator;
  const text = (...details) => GTChat.text(...details);

  const amount = (value) => (value === 0 ? text("op_limit_none") : value.toLocaleString(GTChat.locale(), { maximumFractionDigits: 6 }));

  // Where the value is from.
  const source = ({ source, by, since, setting }) => (by === null ? [text(source === "default" ? "op_limit_default" : "op_limit_setting")]
    : [text("op_by", { name: by }), when(since), text("op_limit_else", { value: amount(setting) })]);

  const Limit = ({ shell, limit }) => html`
    <li class="line"><span class="grow"><bdi class="strong">${limit.name}</bdi><span class="block">${amount(limit.value)}</span>
        <span class="small second block" lang="en">${limit.help}</span>
        <span class="small third block">${source(limit).join(" · ")}</span></span>
      ${limit.accounts && html`<button type="button" class="button small" aria-label=${text("op_limit_change_named", limit)}
        onClick=${() => shell.showDialog({ name: "op_limit", limit })}>${text("op_limit_change")}</button>`}</li>`;

  GTChat.operator.Limits = ({ shell, onError }) => html`
    <${Listing} shell=${shell} command="limits show" of="limits" find=${text("op_find_limit")} onError=${onError}
      row=${(limit) => html`<${Limit} key=${limit.name} shell=${shell} limit=${limit} />`} />
    <p class="hint">${text("op_limits_hint")}</p>`;

  DIALOGS.op_limit = ({ shell, dialog: { limit } }) => html`
    <${GTChat.Question} title=${limit.name} action=${text("op_limit_set")} close=${back(shell, "limits")}
      run=${({ value, setting }) => run(shell, "limits set", { name: limit.name, value: setting ? "default" : String(value).trim() })}
      fields=${{ value: { label: "op_limit_value", hint: "op_limit_hint", type: "number", step: "any", min: 0, value: limit.value, required: true, autofocus: true },
        ...(limit.by !== null && { setting: { label: "op_limit_reset", type: "switch", value: false } }) }}>
      <p class="second" lang="en">${limit.help}</p>
      <p class="hint">${source(limit).join(" · ")}</p><//>`;
})();
