// Entry point: draws the page, and draws it again after each change.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { html, render, useEffect } = globalThis.htmPreact;

  // The three panes. A phone shows one of them; it is the main part of the page then.
  const Layout = ({ shell }) => html`
    <div class="layout" data-pane=${shell.pane} data-view=${shell.view}>
      <${GTChat.Sidebar} shell=${shell} />
      ${shell.view === "browse" ? html`<${GTChat.Browse} key=${shell.browseQuery} shell=${shell} />` : html`<${GTChat.Conversation} shell=${shell} />`}
      <${GTChat.Panel} shell=${shell} />
    </div>`;

  // The fragment of the URL belongs to the addresses of conversations.
  const skip = (event) => {
    event.preventDefault();
    document.getElementById("say")?.focus();
  };

  const App = ({ shell }) => {
    const { loggedIn, notifications } = shell;
    const unread = loggedIn ? notifications.unreadCount : 0;
    const name = loggedIn ? shell.state.current?.name : "";
    const chat = shell.site.info.name;
    useEffect(() => notifications.updateTab(unread, name, chat), [unread, name, chat]);
    if (shell.site.first) return html`<${GTChat.FirstStart ?? GTChat.Entering} shell=${shell} />`;
    if (shell.entering && !loggedIn) return html`<${GTChat.Entering} shell=${shell} />`;
    if (!loggedIn) return html`<${GTChat.Login} shell=${shell} /><${GTChat.Notices} shell=${shell} pane="login" />`;
    return html`
      ${shell.view === "conversation" && html`<a class="skip" href="#say" onClick=${skip}>${GTChat.text("skip")}</a>`}
      <${Layout} shell=${shell} />
      <${GTChat.Dialogs} shell=${shell} />
      <${GTChat.Popovers} shell=${shell} />`;
  };

  const shell = new GTChat.Shell();
  const draw = () => render(html`<${App} shell=${shell} />`, document.getElementById("app"));
  shell.on("change", draw);
  GTChat.keepHistory(shell);
  shell.start();
  GTChat.listenToKeys(shell);
  // A slow device takes the next keys before the next frame: they go to what this one has opened. Not after clicks: a
  // box that is drawn while it is clicked does not change.
  document.addEventListener("keydown", () => shell.draw());
  GTChat.listenToSwipes(shell);
  GTChat.refuseFiles(shell);
  GTChat.keepOffline(shell);
  GTChat.showTips();
  draw();
})();
