// The page of the first operator: an account, the name of the chat, who can register, and then a link for others. It is
// loaded when it is needed, and has its texts with it; each in English and in Chinese.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { html, useEffect, useRef, useState } = globalThis.htmPreact;
  const { Note } = GTChat.parts;
  const text = (...details) => GTChat.text(...details);

  GTChat.addTexts({
    first_start: ["Set up your chat", "设置你的聊天"],
    first_hint: ["You are the first here. This account can run the chat.", "你是第一位用户，此账号可以管理聊天。"],
    chat_name: ["Name of the chat", "聊天名称"],
    chat_name_hint: ["Everyone sees it, also before they log in.", "所有人都能看到，登录前也能看到。"],
    who_can_register: ["Who can register", "谁可以注册"],
    way_invite: ["People with an invitation can register", "受邀的人可以注册"],
    way_invite_hint: ["You get a link to send them", "你会得到一个可发送的链接"],
    way_open: ["Everyone can register", "所有人都可以注册"],
    way_open_hint: ["All who can open this page", "能打开此页面的任何人"],
    way_closed: ["No one else can register", "其他人不能注册"],
    way_closed_hint: ["You create all accounts yourself", "所有账号由你创建"],
    set_up: ["Set up the chat", "完成设置"],
    first_done: ["Your chat is ready", "聊天已就绪"],
    first_invite: ["Send this link to those who are to come, or let them scan the code.", "将此链接发送给受邀者，或让他们扫描二维码。"],
    first_invite_hint: ["25 people can register with it, within 7 days.", "7 天内可供 25 人注册。"],
    first_closed: ["No one else can register. You create accounts in the settings, under Account and Administration.", "其他人不能注册。你可以在设置的“账号”与“管理”中创建账号。"],
    first_incomplete: ["Your account is there. What could not be set is set with gtchat admin.", "账号已创建，其余设置可用 gtchat admin 完成。"],
    open_chat: ["Open the chat", "打开聊天"],
  });

  const WAYS = [
    { value: "invite", icon: "user_add", label: "way_invite", hint: "way_invite_hint" },
    { value: "open", icon: "globe", label: "way_open", hint: "way_open_hint" },
    { value: "closed", icon: "lock", label: "way_closed", hint: "way_closed_hint" },
  ];

  // heading: gets the element of the title.
  const Frame = ({ shell, title, heading, children }) => html`
    <main class="login first-start"><div class="middle"><div class="login-box">
      <div class="login-head"><img class="logo" src=${GTChat.LOGO} alt="" width="48" height="48" />
        <h1 class="title" tabindex="-1" ref=${heading}>${title}</h1></div>
      ${children}</div></div></main>
    <${GTChat.Notices} shell=${shell} pane="login" />`;

  // The chosen way is told by the server: it is not closed if it could not be set.
  const Done = ({ shell, invite }) => {
    const heading = useRef(null);
    useEffect(() => heading.current.focus(), []); // the button that had the focus is gone
    return html`
      <${Frame} shell=${shell} title=${text("first_done")} heading=${heading}>
        <div class="form-box">
          ${invite ? html`<p>${text("first_invite")}</p>
            <${GTChat.SharedLink} shell=${shell} url=${GTChat.address.inviteUrl(invite)} label=${text("invitation_link")} />
            <p class="hint">${text("first_invite_hint")}</p>`
            : shell.site.info.registration === "closed" ? html`<p>${text("first_closed")}</p>`
            : html`<${Note} kind="warn">${text("first_incomplete")}<//>`}
          <button type="button" class="button primary full" onClick=${() => shell.site.leaveFirst()}>${text("open_chat")}</button></div>
      <//>`;
  };

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
