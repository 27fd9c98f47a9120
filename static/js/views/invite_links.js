// The page of the settings with the user's own links with which others register: those that are valid, and how one is
// made and ended. The server tells the secret of a link once, so it is shown when it is made.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { html, useEffect, useState } = globalThis.htmPreact;
  const { Icon, Problem } = GTChat.parts;
  const { DIALOGS } = GTChat;
  const text = (...details) => GTChat.text(...details);

  const back = (shell) => () => shell.showDialog({ name: "settings", section: "invite_links" });

  const until = (at) => text("op_until", { time: new Date(at).toLocaleString(GTChat.locale(), { dateStyle: "medium", timeStyle: "short" }) });

  const Link = ({ shell, link }) => html`
    <li class="line"><${Icon} name="link" />
      <span class="grow"><span class="strong">${text("op_used", link)}</span>
        <bdi class="small third block">${[until(link.expires), ...link.room_names].join(" · ")}</bdi></span>
      <button type="button" class="button small" aria-label=${text("op_revoke_named", { id: link.link_id })}
        onClick=${() => shell.showDialog({ name: "end_invite_link", link })}>${text("op_revoke")}</button></li>`;

  GTChat.InviteLinks = ({ shell }) => {
    const [links, setLinks] = useState(null);
    const [error, setError] = useState(null);
    useEffect(() => { shell.actions.request("get_invite_links").then((reply) => setLinks(reply.links), setError); }, []);
    return html`
      <p class="second">${text("op_new_link_hint")}</p>
      ${!links && !error && html`<p class="hint" role="status">${text("loading")}</p>`}
      <${Problem} error=${error} />
      ${links?.length > 0 && html`
        <ul class="card" aria-label=${text("invite_links")}>${links.map((link) => html`<${Link} key=${link.link_id} shell=${shell} link=${link} />`)}</ul>`}
      ${links && html`<div><button type="button" class="button"
        onClick=${() => shell.showDialog({ name: "new_invite_link" })}><${Icon} name="plus" size="s" />${text("op_new_link")}</button></div>`}`;
  };

  DIALOGS.end_invite_link = ({ shell, dialog: { link } }) => html`
    <${GTChat.Question} title=${text("op_revoke_question")} action=${text("op_revoke")} danger close=${back(shell)}
      run=${() => shell.actions.request("revoke_invite_link", { link_id: link.link_id })}><p class="second">${text("op_used", link)}</p><//>`;

  DIALOGS.new_invite_link = ({ shell }) => {
    const [made, setMade] = useState(null);
    const rooms = shell.state.joinedRooms.filter((room) => room !== shell.state.lobby).map(({ name }) => [name, name]);
    const make = ({ uses, days, room }) => shell.actions.request("create_invite_link",
      { uses: Number(uses), days: Number(days), room_names: room ? [room] : [] });
    return html`
      <${GTChat.Dialog} title=${text("op_new_link")} onClose=${back(shell)} size="small">
        ${made ? html`
          <div class="body"><p class="second">${text("invite_link_once")} ${until(made.expires)}</p>
            <${GTChat.SharedLink} shell=${shell} url=${GTChat.address.inviteUrl(made.invite)} label=${text("invitation_link")} /></div>
          <footer><button type="button" class="button primary" onClick=${back(shell)}>${text("close")}</button></footer>`
        : html`<${GTChat.forms.Form} submit=${text("op_make_link")} onSubmit=${make} onDone=${setMade} onCancel=${back(shell)} fields=${{
          uses: { label: "op_uses", type: "number", value: 1, min: 1, required: true, autofocus: true },
          days: { label: "op_days", type: "number", value: 7, min: 1, max: 365, required: true },
          room: { label: "invite_room", optional: true, options: [["", text("invite_no_room")], ...rooms] } }} />`}
      <//>`;
  };
})();
