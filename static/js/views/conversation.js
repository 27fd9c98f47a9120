// The open conversation: its header, its log and the message box, or why there is none.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { html, useEffect } = globalThis.htmPreact;
  const { Note } = GTChat.parts;
  const text = (...details) => GTChat.text(...details);

  // Most milliseconds of a timer.
  const MAX_DELAY = 2 ** 31 - 1;

  // Says in place of the message box why the user cannot speak, until that ends.
  const Silent = ({ shell, room, reason }) => {
    const { mutedUntil } = room;
    useEffect(() => {
      if (!mutedUntil) return undefined;
      const timer = setTimeout(() => shell.change(), Math.min(new Date(mutedUntil) - Date.now() + 1000, MAX_DELAY));
      return () => clearTimeout(timer);
    }, [mutedUntil]);
    const time = mutedUntil && new Date(mutedUntil).toLocaleString(GTChat.locale(), { dateStyle: "medium", timeStyle: "short" });
    return html`<div id="say" class="composer ended" role="status" tabindex="-1"><${Note} icon="lock">${
      text(reason === "muted" && time ? "silent_until" : `silent_${reason}`, { time })}<//></div>`;
  };

  GTChat.Conversation = ({ shell }) => {
    const { current } = shell.state;
    if (!current) {
      return html`<div class="conversation" role="main" aria-label=${text("messages_of_conversation")}><${GTChat.ConnectionState} shell=${shell} />
        <p class="waiting hint" role="status">${text("loading")}</p><${GTChat.Notices} shell=${shell} pane="conversation" /></div>`;
    }
    const silence = current.silence(shell.state.me);
    return html`
      <div class="conversation" role="main" aria-label=${current.name}>
        <${GTChat.Header} key=${`header ${current.key}`} shell=${shell} conversation=${current} />
        <${GTChat.ConnectionState} shell=${shell} />
        <${GTChat.Log} key=${`log ${current.key}`} shell=${shell} conversation=${current} />
        <${GTChat.Notices} shell=${shell} pane="conversation" />
        ${current.ended ? html`<div class="composer ended"><${Note} icon="lock">${text("account_ended", { usr: current.name })}<//></div>`
          : silence ? html`<${Silent} shell=${shell} room=${current} reason=${silence} />`
            : html`<${GTChat.Composer} key=${`composer ${current.key}`} shell=${shell} conversation=${current} />`}
      </div>`;
  };
})();
