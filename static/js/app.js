// Entry point: draws the page, and draws it again after each change.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { html, render, useEffect } = globalThis.htmPreact;

  // The three panes. A phone shows one of them; it is the main part of the page then.
  const Layout = ({ shell }) => html`
    <div class="layout" data-pane=${shell.pane} data-view=${shell.view}>
      <${GTChat.Sidebar} shell=${shell} />
      ${shell.view === "browse" ? html`<${GTChat.Browse} shell=${shell} />` : html`<${GTChat.Conversation} shell=${shell} />`}
      <${GTChat.Panel} shell=${shell} />
    </div>`;

  const App = ({ shell }) => {
    const { loggedIn, notifications } = shell;
    const unread = loggedIn ? notifications.unreadCount : 0;
    const name = loggedIn ? shell.state.current?.name : "";
    useEffect(() => notifications.updateTab(unread, name), [unread, name]);
    if (!loggedIn) return html`<${GTChat.Login} shell=${shell} /><${GTChat.Notices} shell=${shell} />`;
    return html`
      <a class="skip" href="#say">${GTChat.text("skip")}</a>
      <${Layout} shell=${shell} />
      <${GTChat.Dialogs} shell=${shell} />
      <${GTChat.Popovers} shell=${shell} />
      <${GTChat.Notices} shell=${shell} />`;
  };

  const shell = new GTChat.Shell();
  const draw = () => render(html`<${App} shell=${shell} />`, document.getElementById("app"));
  shell.on("change", draw);
  shell.start();
  GTChat.listenToKeys(shell);
  GTChat.listenToSwipes(shell);
  GTChat.refuseFiles(shell);
  GTChat.showTips();
  draw();
})();
