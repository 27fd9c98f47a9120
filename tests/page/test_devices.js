// devices.js: the name and the token of this browser, the lock of a tab, the list of devices.
"use strict";
(() => {
  const URL = "ws://test/";

  // Storage that ends with the test; `refuses`: the browser stores nothing.
  const memory = (refuses = false) => {
    const stored = {};
    return { stored, get: (key, fallback) => stored[key] ?? fallback, set: (key, value) => { if (!refuses) stored[key] = value; } };
  };
  const device = (more = {}) => new GTChat.Device(URL, { keeps: true, storage: memory(), ...more });

  test("a browser has a name that its user knows", () => {
    for (const [userAgent, name] of [
      ["Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"],
      ["Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/142.0.0.0 Safari/537.36", "Chrome on Linux"],
      ["Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36", "Chrome on Android"],
      ["Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0", "Edge on Windows"],
      ["Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/605.1.15", "Safari on macOS"],
      ["Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) FxiOS/140.0 Mobile/15E148 Safari/605.1.15", "Firefox on iPhone"],
      ["Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36", "Chrome on ChromeOS"],
      ["curl/8", "Browser"],
    ]) {
      equal(GTChat.devices.nameOf(userAgent), name);
    }
  });

  test("a device keeps its name for a server, and has another one for another server", () => {
    const storage = memory();
    const { device: id } = device({ storage }).login(false);
    equal(/^[\x21-\x7e]{16,64}$/.test(id), true);
    equal(device({ storage }).login(false).device, id);
    equal(new GTChat.Device("ws://other/", { keeps: true, storage }).login(false).device === id, false);
    const unstored = device({ storage: memory(true) });
    equal(unstored.login(false).device, unstored.login(true).device);
  });

  test("a token is kept by server, and names its user", () => {
    const storage = memory();
    const { device: id } = device({ storage }).login(true);
    equal(device({ storage }).loginByToken(), null);
    device({ storage }).keep({ device_token: "t" }, "ann", { device: id });
    equal(device({ storage }).kept, { id, token: "t", usr: "ann", hasPassword: true });
    const { device: named, device_token: token, type } = device({ storage }).loginByToken();
    equal([named, token, type], [id, "t", "device"]);
    equal(new GTChat.Device("ws://other/", { keeps: true, storage }).kept, null);
  });

  test("a page from disk asks for no token and keeps none", () => {
    const storage = memory();
    const fromDisk = device({ storage, keeps: false });
    const login = fromDisk.login(true);
    equal([login.remember, login.device.length > 0], [undefined, true]);
    fromDisk.keep({ device_token: "t" }, "ann", { device: login.device });
    equal([JSON.stringify(storage.stored).includes("token"), fromDisk.kept], [false, null]);
    // Nor does it use one that is there.
    device({ storage }).keep({ device_token: "t" }, "ann", { device: login.device });
    equal(fromDisk.loginByToken(), null);
  });

  test("only a login replaces the token of another user", () => {
    const own = device();
    const { device: id } = own.login(true);
    own.keep({ device_token: "of ann" }, "ann", { device: id });
    own.keep({ device_token: "of bob" }, "bob");
    equal(own.kept.usr, "ann");
    own.keep({}, "bob", { device: id });
    equal(own.kept.usr, "ann");
    own.keep({ device_token: "next" }, "ann");
    equal(own.kept.token, "next");
    own.keep({ device_token: "of bob" }, "bob", { device: id, hasPassword: false });
    equal([own.kept.usr, own.kept.hasPassword], ["bob", false]);
  });

  test("a token is forgotten, but not one that another tab has got meanwhile", () => {
    const own = device();
    const { device: id } = own.login(true);
    own.keep({ device_token: "new" }, "ann", { device: id });
    own.forget("old");
    equal(own.kept.token, "new");
    own.forget(null);
    equal(own.kept.token, "new");
    own.forget("new");
    equal([own.kept, own.login(false).device], [null, id]);
  });

  // A LockManager.
  const fakeLocks = () => {
    const held = new Set();
    return {
      held,
      request(name, { signal }, hold) {
        if (!held.has(name)) {
          held.add(name);
          return hold().then(() => held.delete(name));
        }
        return new Promise((_resolve, reject) => { signal.addEventListener("abort", () => reject(signal.reason)); });
      },
    };
  };

  test("a second tab does not get the lock of a session, until the first gives it up", async () => {
    const locks = fakeLocks();
    const [first, second] = [new GTChat.TabLock(locks, 0), new GTChat.TabLock(locks, 0)];
    equal(await first.take("s"), true);
    equal(await second.take("s"), false);
    equal(await second.take("other"), true);
    equal(await first.take("next"), true);
    await settle();
    equal([...locks.held], ["gtchat session other", "gtchat session next"]);
    first.release();
    await settle();
    equal(await second.take("next"), true);
  });

  test("without locks each tab counts as the only one", async () => {
    equal(await new GTChat.TabLock(null).take("s"), true);
    const refused = { request: () => Promise.reject(new DOMException("", "SecurityError")) };
    equal(await new GTChat.TabLock(refused).take("s"), true);
  });

  test("sessions are listed by device: this one, then what was seen last", () => {
    const session = (id, more) => ({ id, protocol: "gtchat", address: `192.0.2.${id}`, began: `2026-01-0${id}`, last_seen: `2026-02-0${id}`, ...more });
    const listed = GTChat.devices.list([
      session("1", { device: "phone", device_name: "Chrome on Android", online: true }),
      session("2", { device: "own", device_name: "Firefox on Linux", online: true, current: true }),
      session("3", { protocol: "pa1" }),
      session("4", { device: "own", device_name: "Firefox on Linux", online: true, last_seen: "2026-03-01" }),
      session("5", { device: "phone", device_name: "Chrome on Android" }),
      { id: "6", device: "kept", device_name: "gtchat client", began: "2025-01-01", last_seen: "2025-02-01", remembered: true },
      session("7", { protocol: "pa1", last_seen: "2026-01-30" }),
    ]);
    equal(listed.map(({ name, protocol, ids, online, current, began, address }) => [name, protocol, ids, online, current, began, address]), [
      ["Firefox on Linux", "gtchat", ["2", "4"], 2, true, "2026-01-02", "192.0.2.2"],
      ["Chrome on Android", "gtchat", ["1", "5"], 1, false, "2026-01-01", "192.0.2.5"],
      ["", "pa1", ["3"], 0, false, "2026-01-03", "192.0.2.3"],
      ["", "pa1", ["7"], 0, false, "2026-01-07", "192.0.2.7"],
      ["gtchat client", undefined, ["6"], 0, false, "2025-01-01", undefined],
    ]);
  });
})();
