// What owners and moderators of a room do: its settings, roles, mutes and bans.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { html, useEffect, useState } = globalThis.htmPreact;
  const { Problem, Rich } = GTChat.parts;
  const { Form, Select, Switch } = GTChat.forms;
  const { Question } = GTChat;
  const text = (...details) => GTChat.text(...details);

  // Seconds that are offered: of mutes and bans, and between two messages. 0: for good, none.
  const TIMES = [600, 3600, 86_400, 604_800, 2_592_000, 0];
  const PAUSES = [0, 5, 10, 30, 60, 300, 3600];
  // Messages that the server deletes at most in one request.
  const RECENT_LIMIT = 200;

  // How much of a room is kept, beside what the server keeps at most; 0 for no limit. label: of the field.
  const keepField = (label, value, most = 0) => ({ type: "number", label, value, min: 0, max: most && value <= most ? Math.floor(most) : undefined,
    hint: text(most ? `${label}_most` : "keep_unbounded", { most: most.toLocaleString(GTChat.locale()) }) });

  // Settings that the user does not change are not sent: another session may have changed them meanwhile.
  GTChat.EditRoom = ({ shell, close, dialog: { room } }) => {
    const [shown] = useState(() => ({ topic: room.topic, public: room.public, preview: room.preview, max: room.max, ...room.keep }));
    const { limits = {} } = shell.actions.connection.hello;
    const save = async (values) => {
      const wanted = { topic: values.topic, public: values.access === "public", preview: values.preview,
        max: Number(values.member_limit), keep_messages: Number(values.keep_messages), keep_days: Number(values.keep_days) };
      const changed = Object.entries(wanted).filter(([name, value]) => value !== shown[name]);
      if (changed.length) await shell.actions.request("set_room", { room_name: room.name, ...Object.fromEntries(changed) });
    };
    return html`
      <${GTChat.Dialog} title=${text("edit_room", { room: room.name })} onClose=${close}>
        <${Form} submit=${text("save")} onSubmit=${save} onDone=${close} onCancel=${close}
          fields=${{
            topic: { value: shown.topic, maxlength: 200, optional: true, placeholder: text("topic_placeholder"), autofocus: true },
            access: { label: "who_can_join", value: shown.public ? "public" : "private", choices: [
              { value: "public", icon: "globe", label: "public", hint: "public_hint" },
              { value: "private", icon: "lock", label: "private", hint: "private_hint" }] },
            preview: { type: "switch", value: shown.preview, hint: "preview_hint" },
            member_limit: { type: "number", value: shown.max, min: 0, hint: "member_limit_hint" },
            keep_messages: keepField("keep_count", shown.keep_messages, limits.keep_messages),
            keep_days: keepField("keep_days", shown.keep_days, limits.keep_days) }} />
      <//>`;
  };

  GTChat.TransferRoom = ({ shell, close, dialog: { room } }) => {
    const candidates = [...room.members].filter((name) => name !== shell.state.me).sort(GTChat.inOrder);
    if (!candidates.length) {
      return html`
        <${GTChat.Dialog} title=${text("transfer_question", { room: room.name })} onClose=${close} size="small">
          <div class="body"><p class="second">${text("transfer_to_none")}</p></div>
          <footer><button type="button" class="button" onClick=${close}>${text("close")}</button></footer><//>`;
    }
    return html`
      <${Question} title=${text("transfer_question", { room: room.name })} action=${text("transfer")} danger close=${close}
        fields=${{ master: { label: "new_owner", value: candidates[0], options: candidates.map((name) => [name, name]) } }}
        run=${({ master }) => shell.actions.request("set_room", { room_name: room.name, master })}>
        <p class="second">${text("transfer_hint")}</p><//>`;
  };

  GTChat.DeleteRoom = ({ shell, close, dialog: { room } }) => html`
    <${Question} title=${text("delete_room_question", { room: room.name })} action=${text("delete_room")} danger close=${close}
      run=${() => shell.actions.request("delete_room", { room_name: room.name })}>
      <p class="second">${text("delete_room_hint")}</p><//>`;

  // Ends the membership of another user.
  GTChat.RemoveUser = ({ shell, close, dialog: { room, usr } }) => html`
    <${Question} title=${text("remove_question", { usr, room: room.name })} action=${text("remove")} danger close=${close}
      fields=${shell.actions.can("moderation") ? { reason: { optional: true, maxlength: 500 } } : {}}
      run=${({ reason = "" }) => shell.actions.request("kick", { room_name: room.name, user: usr, reason: reason.trim() || undefined })}>
      <p class="second"><${Rich} of=${room.public ? "remove_public_hint" : "remove_private_hint"} values=${{ usr, room: room.name }} /></p><//>`;

  const termFields = () => ({
    seconds: { label: "how_long", value: "3600", options: TIMES.map((time) => [String(time), text(`for_${time}`)]) },
    reason: { optional: true, maxlength: 500 },
  });

  // A mute or a ban. cmd: the command that it sends.
  const sanction = (cmd) => ({ shell, close, dialog: { room, usr } }) => html`
    <${Question} title=${text(`${cmd}_question`, { usr, room: room.name })} action=${text(cmd)} danger close=${close}
      fields=${termFields()}
      run=${({ seconds, reason }) => shell.actions.request(cmd, { room_name: room.name, user: usr, seconds: Number(seconds),
        reason: reason.trim(), txn: GTChat.randomKey() })}>
      <p class="second">${text(`${cmd}_hint`)}</p><//>`;
  GTChat.MuteUser = sanction("mute");
  GTChat.BanUser = sanction("ban");

  // What a user said within the last hour is deleted, some messages a request.
  GTChat.DeleteRecent = ({ shell, close, dialog: { room, usr } }) => {
    const run = async ({ reason }) => {
      let count = 0;
      for (let last = RECENT_LIMIT; last >= RECENT_LIMIT;) {
        ({ deleted: last } = await shell.actions.request("delete_messages", { room_name: room.name, user: usr, reason: reason.trim() }));
        count += last;
      }
      shell.notice(text("deleted_recent", { count }));
    };
    return html`
      <${Question} title=${text("delete_recent_question", { usr, room: room.name })} action=${text("delete_recent")} danger close=${close}
        fields=${{ reason: { optional: true, maxlength: 500 } }} run=${run}><p class="second">${text("delete_recent_hint")}</p><//>`;
  };

  // Names are counted first: the second answer bans them.
  GTChat.BanNames = ({ shell, close, dialog: { room } }) => {
    const [counted, setCounted] = useState(null); // {pattern, matches, terms}
    const request = (cmd, fields) => shell.actions.request(cmd, { room_name: room.name, ...fields });
    const count = async ({ user, seconds, reason }) => {
      const { matches } = await request("get_moderation", { pattern: user.trim() });
      setCounted({ pattern: user.trim(), matches, terms: { seconds: Number(seconds), reason: reason.trim() } });
    };
    if (counted) {
      const { pattern, matches, terms } = counted;
      return html`
        <${Question} key="counted" title=${text("ban_names_title", { room: room.name })} action=${text("ban")} danger close=${close}
          run=${() => request("ban", { user: pattern, ...terms, txn: GTChat.randomKey() })}>
          <p>${text("ban_names_count", { pattern, count: matches })}</p><//>`;
    }
    return html`
      <${GTChat.Dialog} title=${text("ban_names_title", { room: room.name })} onClose=${close} size="small">
        <${Form} submit=${text("ban")} kind="danger" onSubmit=${count} onCancel=${close} fields=${{
          user: { label: "ban_names_label", hint: "ban_names_hint", required: true, autofocus: true, maxlength: 64, autocomplete: "off" },
          ...termFields() }} />
      <//>`;
  };

  GTChat.SetRole = ({ shell, close, dialog: { room, usr } }) => {
    const roles = room.owner === shell.state.me ? ["", "voice", "moderator"] : ["", "voice"];
    return html`
      <${Question} title=${text("role_question", { usr, room: room.name })} action=${text("save")} close=${close}
        fields=${{ role: { label: "role", value: room.roles.get(usr) ?? "", hint: "role_hint",
          options: roles.map((role) => [role, text(role ? `role_${role}` : "role_none")]) } }}
        run=${({ role }) => shell.actions.request("set_role", { room_name: room.name, user: usr, role, txn: GTChat.randomKey() })} />`;
  };

  const when = (at) => new Date(at).toLocaleString(GTChat.locale(), { dateStyle: "medium", timeStyle: "short" });

  // Mutes or bans, each with a button that ends it. cmd: the command of the button.
  const Listed = ({ title, found, cmd, end }) => html`
    <section aria-labelledby=${`${cmd}-title`}><h3 class="group-title" id=${`${cmd}-title`}>${text(title)}</h3>
      ${found.length === 0 ? html`<p class="second">${text("none_listed")}</p>` : html`<ul class="card">${found.map(({ usr, by, reason, until }) => html`
        <li key=${usr} class="line"><span class="grow"><bdi class="strong">${usr}</bdi>${reason && html`<bdi class="small block">${reason}</bdi>`}
          <span class="small third block">${until ? text("until_by", { time: when(until), by }) : text("for_good_by", { by })}</span></span>
          <button type="button" class="button small" aria-label=${text(`${cmd}_named`, { usr })} onClick=${() => end(cmd, usr)}>${text(cmd)}</button></li>`)}</ul>`}</section>`;

  // Who can speak in a room, its mutes and bans.
  GTChat.RoomModeration = ({ shell, close, dialog: { room } }) => {
    const { actions } = shell;
    const [lists, setLists] = useState(null);
    const [error, setError] = useState(null);
    const load = () => actions.request("get_moderation", { room_name: room.name }).then(setLists, setError);
    useEffect(() => { load(); }, []);
    const attempt = (action) => {
      setError(null);
      return action().catch(setError);
    };
    const set = (fields) => attempt(() => actions.request("set_room", { room_name: room.name, ...fields }));
    const end = (cmd, user) => attempt(async () => {
      await actions.request(cmd, { room_name: room.name, user, txn: GTChat.randomKey() });
      await load();
    });
    const pauses = [...new Set([...PAUSES, room.slow])].sort((a, b) => a - b);
    return html`
      <${GTChat.Dialog} title=${text("moderation_of", { room: room.name })} onClose=${close}>
        <div class="body" aria-busy=${lists || error ? undefined : "true"}>
          <${Switch} name="moderated" label=${text("moderated_room")} hint=${text("moderated_hint")} checked=${room.moderated}
            onChange=${(moderated) => set({ moderated })} />
          <div class="field"><label for="slow">${text("slow_mode_label")}</label>
            <${Select} id="slow" name="slow" value=${String(room.slow)} onChange=${(slow) => set({ slow: Number(slow) })}
              options=${pauses.map((pause) => [String(pause), pause ? GTChat.duration(pause) : text("slow_off")])} />
            <p class="hint">${text("slow_hint")}</p></div>
          ${actions.can("report") && html`<div><button type="button" class="button" onClick=${() => shell.showDialog({ name: "reports", room })}>${text("reports")}</button></div>`}
          <${Problem} error=${error} />
          ${lists && html`
            <${Listed} title="mutes" found=${lists.mutes} cmd="unmute" end=${end} />
            ${room.name !== "lobby" && html`<${Listed} title="bans" found=${lists.bans} cmd="unban" end=${end} />
              <div><button type="button" class="button" onClick=${() => shell.showDialog({ name: "ban_names", room })}>${text("ban_names")}</button></div>`}`}
        </div>
      <//>`;
  };
})();
