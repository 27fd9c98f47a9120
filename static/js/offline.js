// The service worker (service-worker.js), which opens the page without a connection: it is registered here, and the
// page is reloaded when a new version of it is there and the user wants that.
//
// A page that a worker has opened is of the worker's version. When another worker takes over, each such page is
// reloaded: so no page is left of a version whose files are deleted.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;

  // Calls back when a worker is installed, and waits until it may take over.
  const whenInstalled = (worker, callback) => {
    const check = () => { if (worker.state === "installed") callback(); };
    worker?.addEventListener("statechange", check);
  };

  // Returns a function that has the browser look for a new version when the server tells another one than before.
  const watchVersion = (shell, registration) => {
    let known;
    return () => {
      const { version } = shell.connection?.hello ?? {};
      if (version && known && version !== known) registration.update().catch(() => {});
      known = version ?? known;
    };
  };

  // Lets the page be installed as an app. Browsers complain about a manifest of a page that is opened from disk.
  const linkManifest = () => {
    const link = document.querySelector("link[rel=manifest]");
    if (link) link.href = link.dataset.href;
  };

  // Registers the worker. workers: the browser's; undefined in a page without TLS, where everything else works.
  // reload(): reloads the page.
  GTChat.keepOffline = async (shell, workers = navigator.serviceWorker, reload = () => location.reload()) => {
    if (shell.fromDisk) return;
    linkManifest();
    if (!workers) return;
    const isKept = Boolean(workers.controller);
    if (isKept) workers.addEventListener("controllerchange", reload);
    let registration;
    try {
      registration = await workers.register(GTChat.workerAddress("service"));
    } catch { // refused by the browser, or there is no connection
      return;
    }
    const offer = () => {
      if (!isKept) return; // the first worker: the page is as new as it is
      const run = () => registration.waiting?.postMessage({ take_over: "now" });
      shell.notice(GTChat.text("new_version"), "new_version", { label: GTChat.text("reload"), run });
    };
    if (registration.waiting) {
      // Nothing is lost at the beginning; other pages, if there are any, are not reloaded without a question.
      registration.waiting.postMessage({ take_over: "alone" });
      offer();
    }
    whenInstalled(registration.installing, offer);
    registration.addEventListener("updatefound", () => whenInstalled(registration.installing, offer));
    shell.on("change", watchVersion(shell, registration));
  };
})();
