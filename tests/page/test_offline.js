// offline.js: the service worker is registered, and a new version of the page is offered.
"use strict";
(() => {
  const fakeTarget = (fields) => Object.assign(new EventTarget(), fields);

  // A worker that is in a state; `messages` are those that it was sent.
  const fakeWorker = (state) => {
    const messages = [];
    return fakeTarget({ state, messages, postMessage: (message) => messages.push(message) });
  };

  const moveTo = (worker, state) => {
    worker.state = state;
    worker.dispatchEvent(new Event("statechange"));
  };

  // Opens the page. kept: whether a worker has opened it; waiting: a worker of a new version. Returns what the page
  // did: notices, reloads, updates, the address that it registered.
  const openPage = async ({ kept = false, waiting = null, refused = false, fromDisk = false } = {}) => {
    const done = { notices: [], reloads: 0, updates: 0, addresses: [] };
    const shell = Object.assign(new GTChat.Emitter(), {
      fromDisk, connection: null, notice: (text, kind, action) => done.notices.push({ text, kind, action }) });
    const registration = fakeTarget({ waiting, installing: null, update: async () => { done.updates += 1; } });
    const workers = fakeTarget({ controller: kept ? fakeWorker("activated") : null, register: async (address) => {
      done.addresses.push(String(address));
      if (refused) throw new TypeError("refused");
      return registration;
    } });
    await GTChat.keepOffline(shell, workers, () => { done.reloads += 1; });
    return { ...done, done, shell, registration, workers };
  };

  const findUpdate = (registration) => {
    registration.installing = fakeWorker("installing");
    registration.dispatchEvent(new Event("updatefound"));
    return registration.installing;
  };

  test("the page registers the one worker, and none where there can be none", async () => {
    equal((await openPage()).addresses, ["service-worker.js"]);
    equal((await openPage({ refused: true })).addresses, ["service-worker.js"]);
    equal((await openPage({ fromDisk: true })).addresses, []);
    await GTChat.keepOffline(Object.assign(new GTChat.Emitter(), { fromDisk: false }), null);
  });

  test("the first worker is no new version", async () => {
    const { done, registration, workers } = await openPage();
    const worker = findUpdate(registration);
    moveTo(worker, "installed");
    workers.dispatchEvent(new Event("controllerchange"));
    equal([done.notices, done.reloads], [[], 0]);
  });

  test("a new version is offered when all of it is there, and the page reloads when it takes over", async () => {
    const { done, registration, workers } = await openPage({ kept: true });
    const worker = findUpdate(registration);
    equal(done.notices.length, 0);
    moveTo(worker, "installed");
    registration.waiting = worker;
    equal(done.notices.map(({ text, kind }) => [text, kind]), [[GTChat.text("new_version"), "new_version"]]);
    equal(worker.messages, []);
    done.notices[0].action.run();
    equal([worker.messages, done.reloads], [[{ take_over: "now" }], 0]);
    workers.dispatchEvent(new Event("controllerchange"));
    equal(done.reloads, 1);
  });

  test("a new version that could not be loaded is not offered", async () => {
    const { done, registration } = await openPage({ kept: true });
    moveTo(findUpdate(registration), "redundant");
    equal(done.notices, []);
  });

  test("a version that waits takes over when the page is opened, if no other page is open", async () => {
    const waiting = fakeWorker("installed");
    const { done } = await openPage({ kept: true, waiting });
    equal([waiting.messages, done.notices.length], [[{ take_over: "alone" }], 1]);
  });

  test("another version of the server has the browser look for a new page", async () => {
    const { done, shell } = await openPage({ kept: true });
    for (const [version, updates] of [["1", 0], ["1", 0], [undefined, 0], ["2", 1], ["2", 1]]) {
      shell.connection = version && { hello: { version } };
      shell.emit("change");
      equal(done.updates, updates);
    }
  });

  test("the offer of a new version stays over a login", () => {
    const view = new GTChat.ViewState();
    view.settings = { panel: null };
    view.notice("a", "new_version");
    view.notice("b");
    view.resetViews();
    equal(view.notices.map(({ text }) => text), ["a"]);
  });
})();
