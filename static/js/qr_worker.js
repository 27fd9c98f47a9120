// Runs in a worker, which qr_code.js starts: draws a text as a QR code (ISO/IEC 18004), by a library that no one else needs.
//
// Gets {text} and answers {size, path}: modules on a side, and the dark ones as a path of SVG, one unit each; or {size: 0}
// for a text that is too long.
"use strict";
(() => {
  const LIBRARY = "../vendor/qrcode-generator-2.0.4.js";
  const rules = { createScriptURL: () => LIBRARY };
  const policy = globalThis.trustedTypes?.createPolicy("gtchat-worker", rules) ?? rules;
  importScripts(policy.createScriptURL(""));

  const draw = (text) => {
    const code = globalThis.qrcode(0, "M"); // the smallest that the text fits in
    code.addData(text);
    code.make();
    const size = code.getModuleCount();
    let path = "";
    for (let y = 0; y < size; y += 1) {
      for (let x = 0; x < size; x += 1) {
        const start = x;
        while (x < size && code.isDark(y, x)) x += 1;
        if (x > start) path += `M${start} ${y}h${x - start}v1h${start - x}z`;
      }
    }
    return { size, path };
  };

  addEventListener("message", ({ data: { text } }) => {
    try {
      postMessage(draw(text));
    } catch {
      postMessage({ size: 0, path: "" });
    }
  });
})();
