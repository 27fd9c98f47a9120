// The state of the connection, and notices.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { html, useEffect, useState } = globalThis.htmPreact;
  const { Icon, IconButton } = GTChat.parts;
  const text = (...details) => GTChat.text(...details);

  // Milliseconds that a notice is shown. Some kinds stay until the user closes them.
  const NOTICE_SHOWN = 8000;
  const PERSISTENT = new Set(["broadcast", "address_granted", "unsent", "new_version"]);
  // Milliseconds between two draws of the seconds until the next attempt.
  const COUNTDOWN_INTERVAL = 250;

  // kind: the class of the line: "banner" under a header, "note warn" in the login form. While the page is
  // connected the line is empty. Screen readers are told of the loss, not of each second.
  GTChat.ConnectionState = ({ shell, kind = "banner" }) => {
    const { connection } = shell;
    const waiting = connection?.state === "waiting";
    const [, redraw] = useState(0);
    useEffect(() => {
      if (!waiting) return undefined;
      const timer = setInterval(() => redraw((count) => count + 1), COUNTDOWN_INTERVAL);
      return () => clearInterval(timer);
    }, [waiting]);
    if (!connection || connection.state === "open" || connection.state === "closed") {
      if (navigator.onLine !== false || connection?.state === "open") return html`<div class="connection" role="status"></div>`;
      return html`<div class=${`connection lost ${kind}`} role="status"><${Icon} name="no_cloud" size="s" /><span>${text("offline_device")}</span></div>`;
    }
    if (!waiting) {
      return html`<div class=${`connection ${kind}`} role="status"><span class="spinner"></span><span>${text("connecting")}</span></div>`;
    }
    const seconds = Math.max(0, Math.ceil((connection.retryAt - performance.now()) / 1000));
    return html`
      <div class=${`connection lost ${kind}`} role="status"><${Icon} name="no_cloud" size="s" />
        <span>${text(connection.session ? "waiting" : "unreachable", { url: connection.url })} <span class="num" aria-hidden="true">${text("retry_in", { seconds })}</span></span>
        <button type="button" onClick=${() => connection.start()}>${text("reconnect_now")}</button>
      </div>`;
  };

  const Notice = ({ shell, notice }) => {
    const { kind, action } = notice;
    const dismiss = () => shell.dismiss(notice);
    useEffect(() => {
      if (PERSISTENT.has(kind)) return undefined;
      const timer = setTimeout(dismiss, NOTICE_SHOWN);
      return () => clearTimeout(timer);
    }, []);
    return html`
      <div class=${`notice toast ${kind}`}>${kind === "broadcast" && html`<${Icon} name="megaphone" />`}<span dir="auto">${notice.text}</span>
        ${action && html`<button type="button" class="action" onClick=${() => { dismiss(); action.run(); }}>${action.label}</button>`}
        <${IconButton} icon="close" size="s" label=${text("close")} onClick=${dismiss} /></div>`;
  };

  // pane: where they stand, between other things and above none: "conversation" is the middle, "list" and
  // "panel" are the other panes of a phone, which have them while they are shown; "login" is over the login page.
  GTChat.Notices = ({ shell, pane }) => {
    const shown = pane === "login" || pane === (shell.narrow ? shell.pane : "conversation");
    return html`
      <div class=${`notices at-${pane}`} role="status" aria-live="polite">
        ${shown && shell.notices.map((notice) => html`<${Notice} key=${notice.id} shell=${shell} notice=${notice} />`)}
      </div>`;
  };
})();
