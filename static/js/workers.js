// The scripts that run beside the page: their addresses, as the policy of Trusted Types demands them.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;

  // There are three, and they are constant. The service worker has the same name in all versions.
  const later = (name) => [...document.querySelectorAll("link[data-later]")]
    .map((link) => link.dataset.later).find((address) => address.endsWith(name));
  const ADDRESSES = {
    service: () => "service-worker.js",
    code: () => later("code_worker.js"),
    qr: () => later("qr_worker.js"),
  };
  const rules = { createScriptURL: (name) => ADDRESSES[name]() };
  const policy = globalThis.trustedTypes?.createPolicy("gtchat-worker", rules) ?? rules;

  // Returns the address of a worker: "service" (offline.js), "code" (code_colours.js) or "qr" (qr.js).
  GTChat.workerAddress = (name) => policy.createScriptURL(name);
})();
