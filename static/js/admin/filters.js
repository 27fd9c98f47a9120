// The operator's view of the word filter: its rules, a new one, which is tried on stored messages first, and removal.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { html, useState } = globalThis.htmPreact;
  const { Icon } = GTChat.parts;
  const { Form } = GTChat.forms;
  const { DIALOGS } = GTChat;
  const { run, back, Listing, when } = GTChat.operator;
  const text = (...details) => GTChat.text(...details);

  // For how long a rule can mute, in seconds, and most days of messages on which it is tried.
  const MUTES = [600, 3600, 86_400];
  const MAX_DAYS = 3650;

  // What a rule does, as a text. seconds: of a mute.
  const effect = (action, seconds) => text(`op_filter_${action}`, { time: GTChat.duration(seconds) });
  const effects = () => [["refuse", 0], ["flag", 0], ...MUTES.map((seconds) => ["mute", seconds])]
    .map(([action, seconds]) => [`${action} ${seconds}`, effect(action, seconds)]);

  // The arguments of a rule. values: of its form.
  const argsOf = ({ pattern, room, regex }) => ({ pattern: pattern.trim(), ...(room.trim() && { room: room.trim() }), ...(regex && { regex }) });

  // Where a rule holds, and what kind it is.
  const about = ({ regex, room }) => [regex && text("op_filter_regex"), room && text("op_filter_in", { room })];

  const Rule = ({ shell, rule }) => html`
    <li class="line"><${Icon} name="funnel" />
      <span class="grow"><bdi class="strong">${rule.pattern}</bdi><span class="small block">${effect(rule.action, rule.seconds)}</span>
        <span class="small third block">${[...about(rule), text("op_by", { name: rule.by }), when(rule.since)].filter(Boolean).join(" · ")}</span></span>
      <button type="button" class="button small" aria-label=${text("op_filter_remove_named", { pattern: rule.pattern })}
        onClick=${() => shell.showDialog({ name: "op_filter_remove", rule })}>${text("op_filter_remove")}</button></li>`;

  GTChat.operator.Filters = ({ shell, onError }) => html`
    <${Listing} shell=${shell} command="filter list" of="rules" find=${text("op_find_rule")} onError=${onError}
      row=${(rule) => html`<${Rule} key=${rule.id} shell=${shell} rule=${rule} />`}
      actions=${html`<button type="button" class="button" onClick=${() => shell.showDialog({ name: "op_filter_add" })}><${Icon} name="plus" size="s" />${text("op_filter_new")}</button>`} />
    <p class="hint">${text("op_filter_hint")}</p>`;

  DIALOGS.op_filter_remove = ({ shell, dialog: { rule } }) => html`
    <${GTChat.Question} title=${text("op_filter_remove_question")} action=${text("op_filter_remove")} close=${back(shell, "filter")}
      run=${() => run(shell, "filter remove", { id: rule.id })}><p><bdi class="strong">${rule.pattern}</bdi></p>
      <p class="second">${text("op_filter_remove_hint")}</p><//>`;

  // The rule is tried first: the second answer adds it.
  DIALOGS.op_filter_add = ({ shell }) => {
    const [values, setValues] = useState({ pattern: "", effect: "refuse 0", room: "", days: 7, regex: false });
    const [trial, setTrial] = useState(null); // what `filter test` has returned
    const [action, seconds] = values.effect.split(" ");
    const close = back(shell, "filter");
    if (trial) {
      return html`
        <${GTChat.Dialog} key="trial" title=${text("op_filter_add_question")} onClose=${close} size="small">
          <${Form} fields=${{}} submit=${text("op_filter_add")} onDone=${close} onCancel=${() => setTrial(null)}
            onSubmit=${() => run(shell, "filter add", { ...argsOf(values), action, ...(action === "mute" && { for: `${seconds}s` }) })}>
            <p><bdi class="strong">${values.pattern.trim()}</bdi><span class="small block">${effect(action, Number(seconds))}</span>
              <span class="small third block">${about(argsOf(values)).filter(Boolean).join(" · ")}</span></p>
            <p role="status">${text("op_filter_matches", { ...trial, days: values.days })}</p>
            ${!trial.complete && html`<p class="hint">${text("op_filter_part", trial)}</p>`}<//>
        <//>`;
    }
    const count = (typed) => {
      setValues(typed);
      return run(shell, "filter test", { ...argsOf(typed), days: Number(typed.days) });
    };
    return html`
      <${GTChat.Dialog} key="rule" title=${text("op_filter_new")} onClose=${close} size="small">
        <${Form} submit=${text("op_continue")} onSubmit=${count} onDone=${setTrial} onCancel=${close} fields=${{
          pattern: { label: "op_filter_pattern", hint: "op_filter_pattern_hint", value: values.pattern, required: true, autofocus: true, maxlength: 64, autocomplete: "off" },
          effect: { label: "op_filter_effect", value: values.effect, options: effects() },
          room: { label: "op_filter_room", hint: "op_filter_room_hint", optional: true, value: values.room, maxlength: 64, autocomplete: "off" },
          days: { label: "op_filter_days", type: "number", value: values.days, min: 1, max: MAX_DAYS, required: true },
          regex: { label: "op_filter_regex", hint: "op_filter_regex_hint", type: "switch", value: values.regex } }} />
      <//>`;
  };
})();
