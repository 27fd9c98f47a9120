// What the server tells before a login.
"use strict";
(() => {
  const WAYS = ["member", "register", "guest"];
  const makeSite = (fromDisk = false) => {
    const kept = new Map();
    const storage = { get: (key, fallback) => kept.get(key) ?? fallback, set: (key, value) => kept.set(key, value) };
    const shell = { fromDisk, changes: 0, change() { this.changes += 1; } };
    return { shell, storage, site: new GTChat.Site(shell, storage) };
  };
  const answering = (told) => async () => ({ ok: true, json: async () => told });

  test("the ways to log in are those that the server allows, also at the next visit", async () => {
    const { shell, storage, site } = makeSite();
    equal(site.ways(WAYS), WAYS);
    await site.load(answering({ registration: "closed", guests: false }));
    equal(site.ways(WAYS), ["member"]);
    equal(shell.changes, 1);
    equal(new GTChat.Site(shell, storage).ways(WAYS), ["member"]);
    await site.load(answering({ registration: "closed" }));
    equal(site.ways(WAYS), ["member", "guest"]);
  });

  test("without an answer what was told last holds", async () => {
    const { site } = makeSite();
    await site.load(answering({ guests: false }));
    await site.load(async () => { throw new TypeError(); });
    await site.load(async () => ({ ok: false }));
    equal(site.ways(WAYS), ["member", "register"]);
  });

  test("a page from disk asks nothing and offers everything", async () => {
    const { shell, site } = makeSite(true);
    await site.load(answering({ guests: false }));
    equal(site.ways(WAYS), WAYS);
    equal(shell.changes, 0);
  });
})();
