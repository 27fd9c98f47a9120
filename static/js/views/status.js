// The state of the connection, notices, and the settings of language and theme.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { html, useEffect, useState } = globalThis.htmPreact;
  const { IconButton } = GTChat.parts;
  const text = (...details) => GTChat.text(...details);

  // Milliseconds that a notice is shown. Some kinds stay until the user closes them.
  const NOTICE_SHOWN = 8000;
  const PERSISTENT = new Set(["broadcast", "address_granted"]);
  // Milliseconds between two draws of the seconds until the next attempt.
  const COUNTDOWN_INTERVAL = 250;

  GTChat.ConnectionState = ({ shell }) => {
    const { connection } = shell;
    const waiting = connection?.state === "waiting";
    const [, redraw] = useState(0);
    useEffect(() => {
      if (!waiting) return undefined;
      const timer = setInterval(() => redraw((count) => count + 1), COUNTDOWN_INTERVAL);
      return () => clearInterval(timer);
    }, [waiting]);
    if (!connection || connection.state === "open" || connection.state === "closed") {
      return html`<p class="connection" role="status"></p>`;
    }
    if (!waiting) return html`<p class="connection" role="status">${text("connecting")}</p>`;
    const seconds = Math.max(0, Math.ceil((connection.retryAt - performance.now()) / 1000));
    const key = connection.session ? "waiting" : "unreachable";
    return html`
      <p class="connection lost" role="status">
        <span>${text(key, { url: connection.url, seconds })}</span>
        <button type="button" onClick=${() => connection.start()}>${text("reconnect_now")}</button>
      </p>`;
  };

  const Notice = ({ shell, notice }) => {
    useEffect(() => {
      if (PERSISTENT.has(notice.kind)) return undefined;
      const timer = setTimeout(() => shell.dismiss(notice), NOTICE_SHOWN);
      return () => clearTimeout(timer);
    }, []);
    return html`
      <div class=${`notice ${notice.kind}`}><span dir="auto">${notice.text}</span>
        <${IconButton} icon="close" label=${text("close")} onClick=${() => shell.dismiss(notice)} /></div>`;
  };

  GTChat.Notices = ({ shell }) => html`
    <div class="notices" role="status" aria-live="polite">
      ${shell.notices.map((notice) => html`<${Notice} key=${notice.id} shell=${shell} notice=${notice} />`)}
    </div>`;

  GTChat.Appearance = ({ shell }) => html`
    <div class="appearance">
      <label>${text("language")}
        <select value=${GTChat.language()} onChange=${(event) => shell.set({ language: event.target.value })}>
          ${Object.entries(GTChat.LANGUAGES).map(([key, name]) => html`
            <option value=${key} selected=${key === GTChat.language()} lang=${key}>${name}</option>`)}
        </select></label>
      <label>${text("theme")}
        <select value=${shell.settings.theme} onChange=${(event) => shell.set({ theme: event.target.value })}>
          ${["system", "light", "dark"].map((name) => html`
            <option value=${name} selected=${name === shell.settings.theme}>${text(`theme_${name}`)}</option>`)}
        </select></label>
    </div>`;
})();
