// The open conversation: its header, its log and the message box, or why there is none.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { html } = globalThis.htmPreact;
  const { Note } = GTChat.parts;
  const text = (...details) => GTChat.text(...details);

  GTChat.Conversation = ({ shell }) => {
    const { current } = shell.state;
    if (!current) {
      return html`<div class="conversation" role="main" aria-label=${text("messages_of_conversation")}><${GTChat.ConnectionState} shell=${shell} />
        <p class="waiting hint" role="status">${text("loading")}</p><${GTChat.Notices} shell=${shell} pane="conversation" /></div>`;
    }
    return html`
      <div class="conversation" role="main" aria-label=${current.name}>
        <${GTChat.Header} key=${`header ${current.key}`} shell=${shell} conversation=${current} />
        <${GTChat.ConnectionState} shell=${shell} />
        <${GTChat.Log} key=${`log ${current.key}`} shell=${shell} conversation=${current} />
        <${GTChat.Notices} shell=${shell} pane="conversation" />
        ${current.ended ? html`<div class="composer ended"><${Note} icon="lock">${text("account_ended", { usr: current.name })}<//></div>`
          : html`<${GTChat.Composer} key=${`composer ${current.key}`} shell=${shell} conversation=${current} />`}
      </div>`;
  };
})();
