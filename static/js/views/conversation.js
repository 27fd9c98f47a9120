// The open conversation: its header, its log and the message box.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { html } = globalThis.htmPreact;
  const text = (...details) => GTChat.text(...details);

  GTChat.Conversation = ({ shell }) => {
    const { current } = shell.state;
    if (!current) {
      return html`<div class="conversation" role="main" aria-label=${text("messages_of_conversation")}><${GTChat.ConnectionState} shell=${shell} />
        <p class="waiting hint" role="status">${text("loading")}</p></div>`;
    }
    const key = `${current.kind} ${current.name}`;
    return html`
      <div class="conversation" role="main" aria-label=${current.name}>
        <${GTChat.Header} key=${`header ${key}`} shell=${shell} conversation=${current} />
        <${GTChat.ConnectionState} shell=${shell} />
        <${GTChat.Log} key=${`log ${key}`} shell=${shell} conversation=${current} />
        <${GTChat.Composer} key=${`composer ${key}`} shell=${shell} conversation=${current} />
      </div>`;
  };
})();
