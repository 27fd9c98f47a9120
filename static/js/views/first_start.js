// The page of the first operator: an account, the name of the chat, who can register, and then a link for others.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { html, useState } = globalThis.htmPreact;
  const { Note } = GTChat.parts;
  const text = (...details) => GTChat.text(...details);

  const WAYS = [
    { value: "invite", icon: "user_add", label: "way_invite", hint: "way_invite_hint" },
    { value: "open", icon: "globe", label: "way_open", hint: "way_open_hint" },
    { value: "closed", icon: "lock", label: "way_closed", hint: "way_closed_hint" },
  ];

  const Frame = ({ shell, title, children }) => html`
    <main class="login first-start"><div class="middle"><div class="login-box">
      <div class="login-head"><img class="logo" src=${GTChat.LOGO} alt="" width="48" height="48" />
        <h1 class="title">${title}</h1></div>
      ${children}</div></div></main>
    <${GTChat.Notices} shell=${shell} pane="login" />`;

  const Done = ({ shell, invite }) => html`
    <${Frame} shell=${shell} title=${text("first_done")}>
      <div class="form-box">
        ${invite ? html`<p>${text("first_invite")}</p>
          <${GTChat.SharedLink} shell=${shell} url=${GTChat.address.inviteUrl(invite)} label=${text("invitation_link")} />
          <p class="hint">${text("first_invite_hint")}</p>`
          : html`<${Note} kind="warn">${text("first_incomplete")}<//>`}
        <button type="button" class="button primary full" onClick=${() => shell.site.leaveFirst()}>${text("open_chat")}</button></div>
    <//>`;

  GTChat.FirstStart = ({ shell }) => {
    const { site } = shell;
    const [used, setUsed] = useState(false);
    if (site.first.done) return html`<${Done} shell=${shell} invite=${site.first.invite} />`;
    const fields = {
      user: { label: "name", required: true, maxlength: 64, autocomplete: "username", spellcheck: false, autofocus: true, hint: "name_hint" },
      new_password: { type: "password", label: "password", required: true, autocomplete: "new-password", hint: "password_hint" },
      chat_name: { label: "chat_name", value: site.info.name, required: true, maxlength: 64, hint: "chat_name_hint" },
      registration: { choices: WAYS, value: "invite", label: "who_can_register" },
    };
    const setUp = async (values) => {
      try {
        await site.setUp(values);
      } catch (refused) {
        setUsed(refused.code === "bad_invite");
        throw refused;
      }
    };
    return html`
      <${Frame} shell=${shell} title=${text("first_start")}>
        <div class="form-box"><p class="second">${text("first_hint")}</p>
          <${GTChat.ConnectionState} shell=${shell} kind="note warn" />
          <${GTChat.forms.Form} fields=${fields} submit=${text("set_up")} onSubmit=${setUp}>
            ${used && html`<button type="button" class="button full" onClick=${() => site.leaveFirst()}>${text("member")}</button>`}<//></div>
      <//>`;
  };
})();
