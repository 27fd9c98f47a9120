// Entry point: draws the page, and draws it again after each change.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { html, render, useEffect } = globalThis.htmPreact;

  const App = ({ shell }) => {
    const { loggedIn, notifications } = shell;
    const unread = loggedIn ? notifications.unreadCount : 0;
    const name = loggedIn ? shell.state.current?.name : "";
    useEffect(() => notifications.updateTab(unread, name), [unread, name]);
    if (!loggedIn) return html`<${GTChat.Login} shell=${shell} /><${GTChat.Notices} shell=${shell} />`;
    return html`
      <a class="skip" href="#message-box">${GTChat.text("skip")}</a>
      <main class="layout" data-pane=${shell.pane}>
        <h1 class="hidden">GTChat</h1>
        <${GTChat.Sidebar} shell=${shell} />
        <${GTChat.Conversation} shell=${shell} />
        <${GTChat.Members} shell=${shell} />
      </main>
      <${GTChat.Dialogs} shell=${shell} />
      <${GTChat.Notices} shell=${shell} />`;
  };

  const shell = new GTChat.Shell();
  const draw = () => render(html`<${App} shell=${shell} />`, document.getElementById("app"));
  shell.on("change", draw);
  shell.start();
  GTChat.listenToKeys(shell);
  GTChat.listenToSwipes(shell);
  GTChat.refuseFiles(shell);
  draw();
})();
