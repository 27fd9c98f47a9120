// The scripts that run beside the page: their addresses, as the policy of Trusted Types demands them.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;

  // There are two, and they are constant. The service worker has the same name in all versions.
  const ADDRESSES = {
    service: () => "service-worker.js",
    code: () => document.querySelector("link[data-later]").dataset.later,
  };
  const rules = { createScriptURL: (name) => ADDRESSES[name]() };
  const policy = globalThis.trustedTypes?.createPolicy("gtchat-worker", rules) ?? rules;

  // Returns the address of a worker: "service" (offline.js) or "code" (code_colours.js).
  GTChat.workerAddress = (name) => policy.createScriptURL(name);
})();
