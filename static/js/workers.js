// Scripts that are loaded later: those that run beside the page, and those of a part that few users have. Their
// addresses are those that the policy of Trusted Types allows.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;

  // What the page names as `data-later`. The service worker has the same name in all versions.
  const later = (name) => [...document.querySelectorAll("link[data-later]")].map(({ dataset }) => dataset.later)
    .find((address) => address.endsWith(`js/${name}.js`));
  const ADDRESSES = { service: () => "service-worker.js", code: () => later("code_worker"), qr: () => later("qr_worker") };
  const rules = { createScriptURL: (name) => ADDRESSES[name]?.() ?? later(name) };
  const policy = globalThis.trustedTypes?.createPolicy("gtchat-worker", rules) ?? rules;

  // Returns the address of a worker: "service" (offline.js), "code" (code_colours.js) or "qr" (qr_code.js).
  GTChat.workerAddress = (name) => policy.createScriptURL(name);

  const loads = new Map(); // name of a script -> promise

  const load = (name) => new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = policy.createScriptURL(name);
    script.onload = resolve;
    script.onerror = () => {
      loads.delete(name);
      reject(new GTChat.NoReplyError());
    };
    document.head.append(script);
  });

  // Loads scripts by their names in js/, one after the other, each once. Returns a promise.
  GTChat.loadLater = async (...names) => {
    for (const name of names) {
      if (!loads.has(name)) loads.set(name, load(name));
      await loads.get(name);
    }
  };
})();
