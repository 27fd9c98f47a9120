// The operator's view of bans: the list, a new one, and what has to be confirmed.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { html, useState } = globalThis.htmPreact;
  const { Icon } = GTChat.parts;
  const { Form } = GTChat.forms;
  const { DIALOGS } = GTChat;
  const { run, back, Listing, when } = GTChat.operator;
  const text = (...details) => GTChat.text(...details);

  const KIND_ICONS = { account: "user", name: "users", network: "globe" };
  const times = () => ["1h", "1d", "7d", "30d", ""].map((value) => [value, text(`op_${value || "ever"}`)]);
  const termFields = () => ({
    reason: { label: "op_reason", type: "multiline", maxlength: 200 },
    time: { label: "op_how_long", options: times(), value: "1d" },
  });
  // The arguments of a ban. reason, time: as the form has them.
  const terms = ({ reason, time }) => ({ ...(reason.trim() && { reason: reason.trim() }), ...(time && { for: time }) });

  const Ban = ({ shell, ban }) => html`
    <li class="line"><${Icon} name=${KIND_ICONS[ban.kind] ?? "ban"} />
      <span class="grow"><bdi class="strong">${ban.target}</bdi>${ban.reason && html`<bdi class="small block">${ban.reason}</bdi>`}
        <span class="small third block">${[ban.until ? text("op_until", { time: when(ban.until) }) : text("op_ever"), text("op_by", { name: ban.by })].join(" · ")}</span></span>
      <button type="button" class="button small" aria-label=${text("op_unban_named", { name: ban.target })}
        onClick=${() => shell.showDialog({ name: "op_unban", ban })}>${text("op_unban")}</button></li>`;

  GTChat.operator.Bans = ({ shell, onError }) => html`
    <${Listing} shell=${shell} command="bans list" of="bans" find=${text("op_find_ban")} onError=${onError}
      row=${(ban) => html`<${Ban} key=${ban.id} shell=${shell} ban=${ban} />`}
      actions=${html`<button type="button" class="button" onClick=${() => shell.showDialog({ name: "op_new_ban" })}><${Icon} name="plus" size="s" />${text("op_new_ban")}</button>`} />`;

  DIALOGS.op_unban = ({ shell, dialog: { ban } }) => html`
    <${GTChat.Question} title=${text("op_unban_question", { name: ban.target })} action=${text("op_unban")} close=${back(shell, "bans")}
      run=${() => run(shell, "bans remove", { id: ban.id })}>${ban.reason && html`<p class="second"><bdi>${ban.reason}</bdi></p>`}<//>`;

  DIALOGS.op_ban = ({ shell, dialog: { account } }) => html`
    <${GTChat.Question} title=${text("op_ban_named", { name: account })} action=${text("op_ban")} danger close=${back(shell, "bans")} fields=${termFields()}
      run=${(values) => run(shell, "bans add", { account, ...terms(values) })}><p class="second">${text("op_ban_hint", { name: account })}</p><//>`;

  // Names are counted first: the second answer bans them.
  DIALOGS.op_new_ban = ({ shell }) => {
    const [counted, setCounted] = useState(null); // {args, matches}
    const kinds = ["account", "name", "network"].map((kind) => [kind, text(`op_kind_${kind}`)]);
    const add = async ({ kind, target, ...values }) => {
      const args = { [kind]: target.trim(), ...terms(values) };
      const result = await run(shell, "bans add", args);
      if (result.added) back(shell, "bans")();
      else setCounted({ args, matches: result.matches });
    };
    if (counted) {
      return html`
        <${GTChat.Question} key="counted" title=${text("op_new_ban")} action=${text("op_ban")} danger close=${back(shell, "bans")}
          run=${() => run(shell, "bans add", { ...counted.args, yes: true })}>
          <p>${text("op_matches", { name: counted.args.name, count: counted.matches })}</p><//>`;
    }
    return html`
      <${GTChat.Dialog} title=${text("op_new_ban")} onClose=${back(shell, "bans")} size="small">
        <${Form} submit=${text("op_ban")} kind="danger" onSubmit=${add} onCancel=${back(shell, "bans")} fields=${{
          kind: { label: "op_ban_kind", options: kinds, value: "account" },
          target: { label: "op_target", hint: "op_target_hint", required: true, autofocus: true, maxlength: 64, autocomplete: "off" },
          ...termFields() }} />
      <//>`;
  };
})();
