// A link that is shared: as a text to copy, and as a QR code for a phone.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { html, useEffect, useState } = globalThis.htmPreact;
  const { Icon } = GTChat.parts;
  const text = (...details) => GTChat.text(...details);

  // Modules of white around a code, as readers need them (ISO/IEC 18004, section 6.3.8).
  const MARGIN = 4;

  // A QR code, black on white in both themes; nothing if there is none. label: what it leads to.
  const QrCode = ({ value, label }) => {
    const [drawn, setDrawn] = useState(null);
    useEffect(() => {
      let isWanted = true;
      GTChat.drawQr(value).then((code) => { if (isWanted) setDrawn(code); });
      return () => { isWanted = false; };
    }, [value]);
    if (!drawn) return html`<div class="qr"></div>`;
    const side = drawn.size + 2 * MARGIN;
    return html`
      <div class="qr drawn"><svg role="img" aria-label=${label} viewBox=${`${-MARGIN} ${-MARGIN} ${side} ${side}`} shape-rendering="crispEdges">
        <path d=${drawn.path} /></svg></div>`;
  };

  GTChat.SharedLink = ({ shell, url, label }) => {
    const copy = async () => {
      await GTChat.copy(url);
      shell.notice(text("copied_notice"));
    };
    return html`
      <div class="shared-link"><${QrCode} value=${url} label=${label} />
        <div class="row"><input class="input grow" name="shared_link" readonly value=${url} aria-label=${label} onFocus=${(event) => event.target.select()} />
          <button type="button" class="button copy" onClick=${copy}><${Icon} name="copy" size="s" />${text("copy_link")}</button></div></div>`;
  };
})();
