// This browser as a device of the user: its name, the token that keeps it logged in, the sessions of the
// account, and the lock that tells the copy of a tab. Nothing here draws.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;

  // Where devices are stored, by the URL of their server: {id, token, usr, hasPassword}; the last three only
  // while the device is kept logged in.
  const KEY = "gtchat devices";
  // Names of browsers and systems in the `User-Agent`, in the order in which they are looked for: most
  // browsers name others too.
  const BROWSERS = [
    [/\bEdgA?\//, "Edge"], [/\bOPR\//, "Opera"], [/\bSamsungBrowser\//, "Samsung Internet"], [/\b(?:Firefox|FxiOS)\//, "Firefox"],
    [/\b(?:Headless)?(?:Chrome|CriOS)\//, "Chrome"], [/\bSafari\//, "Safari"],
  ];
  const SYSTEMS = [
    [/\bAndroid\b/, "Android"], [/\biPhone\b/, "iPhone"], [/\biPad\b/, "iPad"], [/\bCrOS\b/, "ChromeOS"],
    [/\bWindows\b/, "Windows"], [/\bMac OS X\b/, "macOS"], [/\bLinux\b/, "Linux"],
  ];
  // Milliseconds that a page waits for the lock of its session: the page before a reload still has it for
  // a moment, the tab that it is a copy of does not give it away.
  const LOCK_WAIT = 2000;
  // Errors after which a token is of no use any more.
  const REFUSED = new Set(["bad_credentials", "not_allowed"]);

  // Returns a name for a browser that its user knows, such as "Firefox on Linux".
  const nameOf = (userAgent) => {
    const find = (table) => table.find(([pattern]) => pattern.test(userAgent))?.[1];
    const [browser = "Browser", system] = [find(BROWSERS), find(SYSTEMS)];
    return system ? `${browser} on ${system}` : browser;
  };

  // This browser as a device for one server. The token is one of an account; it replaces that of another.
  //
  // url: of the server; keeps: whether a token may be kept. All pages from disk share what they store, so
  // they keep none.
  GTChat.Device = class {
    #id = null; // if the browser stores nothing, it holds as long as the page

    constructor(url, { keeps = location.protocol !== "file:", storage = GTChat.storage.local } = {}) {
      this.url = url;
      this.keeps = keeps;
      this.storage = storage;
    }

    get #stored() { return this.storage.get(KEY, {})[this.url] ?? null; }

    #store(device) { this.storage.set(KEY, { ...this.storage.get(KEY, {}), [this.url]: device }); }

    // What keeps this device logged in, {token, usr, hasPassword}, or null.
    get kept() { return this.keeps && this.#stored?.token ? this.#stored : null; }

    get #name() {
      if (!this.#stored) this.#store({ id: (this.#id ??= GTChat.randomKey()) });
      return { device: this.#stored?.id ?? this.#id, device_name: nameOf(navigator.userAgent) };
    }

    // Returns the fields of a `login` that names this device. remember: whether it is to stay logged in.
    login(remember) { return { ...this.#name, ...(remember && this.keeps ? { remember: true } : {}) }; }

    // Returns the fields of a `login` by the token, or null if there is none.
    loginByToken() { return this.kept && { type: "device", ...this.#name, device_token: this.kept.token }; }

    // Keeps the token of a reply, if it has one, for the user `usr`. A token of another user is replaced only
    // if `device`, the id that the login named, is given.
    keep({ device_token: token }, usr, { device, hasPassword = true } = {}) {
      if (!token || !this.keeps || (!device && this.kept && this.kept.usr !== usr)) return;
      this.#store({ id: device ?? this.#stored?.id ?? this.#id, token, usr, hasPassword });
    }

    // Forgets the token. token: only if it is this one; another tab may have got the next one meanwhile.
    forget(token = this.kept?.token) {
      if (token && this.kept?.token === token) this.#store({ id: this.#stored.id });
    }

    // Whether a login by the token that failed with this code will always fail.
    static refuses(code) { return REFUSED.has(code); }
  };

  // The Web Lock of the session of a tab. A copy of the tab has the same session stored, but not the lock.
  // Without locks (pages without TLS) every tab counts as the only one.
  GTChat.TabLock = class {
    #release = () => {};

    constructor(locks = navigator.locks, wait = LOCK_WAIT) {
      this.locks = locks;
      this.wait = wait;
    }

    // Takes the lock of a session, and gives up the one before. Returns a promise: false if another tab has it.
    take(sessionId) {
      this.release();
      if (!this.locks) return Promise.resolve(true);
      return new Promise((resolve) => {
        const released = new Promise((release) => { this.#release = release; });
        const hold = () => {
          resolve(true);
          return released;
        };
        this.locks.request(`gtchat session ${sessionId}`, { signal: AbortSignal.timeout(this.wait) }, hold)
          .catch(({ name }) => resolve(name !== "TimeoutError" && name !== "AbortError"));
      });
    }

    release() { this.#release(); }
  };

  // Returns the devices of an account, this one first, then those that were seen last. sessions: of the reply to
  // `get_sessions`. A session without a device is one of its own.
  const list = (sessions) => {
    const devices = new Map();
    for (const { id, device, device_name: name = "", protocol, address, began, last_seen: lastSeen, online, current } of sessions) {
      const key = device ? `device ${device}` : `session ${id}`;
      const known = devices.get(key) ?? { key, ids: [], online: 0, current: false, name, protocol, began, lastSeen: "" };
      // What is told of a device is that of its newest session, or of the one that asks.
      const newest = current || (!known.current && lastSeen > known.lastSeen) ? { protocol, address, lastSeen } : {};
      devices.set(key, {
        ...known, ...newest, ids: [...known.ids, id], online: known.online + (online ? 1 : 0),
        current: known.current || Boolean(current), began: began < known.began ? began : known.began,
      });
    }
    return [...devices.values()].sort((a, b) => b.current - a.current || (a.lastSeen < b.lastSeen ? 1 : -1));
  };

  GTChat.devices = { nameOf, list };
})();
