// The scripts that run beside the page, or are loaded later: their addresses, as the policy of Trusted Types demands them.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;

  // They are constant. The service worker has the same name in all versions.
  const later = (name) => [...document.querySelectorAll("link[data-later]")]
    .map((link) => link.dataset.later).find((address) => address.endsWith(name));
  const ADDRESSES = {
    service: () => "service-worker.js",
    code: () => later("code_worker.js"),
    qr: () => later("qr_worker.js"),
    first: () => later("first_start.js"),
  };
  const rules = { createScriptURL: (name) => ADDRESSES[name]() };
  const policy = globalThis.trustedTypes?.createPolicy("gtchat-worker", rules) ?? rules;

  // Returns the address of a worker: "service" (offline.js), "code" (code_colours.js) or "qr" (qr.js).
  GTChat.workerAddress = (name) => policy.createScriptURL(name);

  // Loads a script that the page needs at times only: "first" (views/first_start.js). Returns a promise.
  GTChat.loadScript = (name) => new Promise((resolve, reject) => {
    const script = document.createElement("script");
    Object.assign(script, { src: GTChat.workerAddress(name), onload: resolve, onerror: reject });
    document.head.append(script);
  });
})();
