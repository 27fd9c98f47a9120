// Draws the page, again whenever something changed.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { html, render, useEffect } = globalThis.htmPreact;

  const App = ({ shell }) => {
    const inside = shell.inside;
    const waiting = inside ? shell.alerts.count : 0;
    const place = inside ? shell.chat.place?.name : "";
    useEffect(() => shell.alerts.show(waiting, place), [waiting, place]);
    if (!inside) return html`<${GTChat.Login} shell=${shell} /><${GTChat.Notices} shell=${shell} />`;
    return html`
      <a class="skip" href="#say">${GTChat.text("skip")}</a>
      <main class="house" data-pane=${shell.pane}>
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
  draw();
})();
