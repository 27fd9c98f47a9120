// What the server tells before a login.
"use strict";
(() => {
  const WAYS = ["member", "register", "guest"];
  const makeSite = (fromDisk = false) => {
    const kept = new Map();
    const storage = { get: (key, fallback) => kept.get(key) ?? fallback, set: (key, value) => kept.set(key, value) };
    const shell = { fromDisk, url: "ws://127.0.0.1:9/", changes: 0, on() {}, change() { this.changes += 1; } };
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

  test("an invitation is taken out of the address, and kept for a reload of the tab", () => {
    const kept = new Map();
    const tab = { get: (key, fallback) => kept.get(key) ?? fallback, set: (key, value) => kept.set(key, value) };
    const { site } = makeSite();
    history.replaceState(null, "", "#/invite/0123456789abcdefghijkl");
    equal(site.takeInvite(tab), true);
    equal(location.hash, "");
    equal(site.proof, { invite: "0123456789abcdefghijkl" });
    const { site: reloaded } = makeSite();
    equal(reloaded.takeInvite(tab), false);
    equal(reloaded.invite, "0123456789abcdefghijkl");
    reloaded.forgetInvite(tab);
    equal(reloaded.proof, {});
    equal(reloaded.takeInvite(tab), false);
    equal(reloaded.invite, null);
  });

  test("the chat is not ready before it is set up", async () => {
    const { shell, site } = makeSite(true);
    const seen = [];
    shell.logIn = async () => {};
    shell.actions = { request: async (_, { name }) => { seen.push([name, site.first.done]); return { result: { invite: "secret" } }; } };
    site.first = { secret: "s", done: false, invite: null };
    await site.setUp({ user: "ann", new_password: "p", chat_name: "Garden", registration: "invite" });
    equal(seen, [["chat-name", false], ["registration", false], ["invitations create", false]]);
    equal([site.first.done, site.first.invite], [true, "secret"]);
  });

  test("who is logged in is told that an invitation is for others", () => {
    let changed;
    const told = [];
    const shell = { fromDisk: true, url: "ws://127.0.0.1:9/", loggedIn: false, connection: { state: "connecting", hello: {} }, notice: (words) => told.push(words), on: (_, callback) => { changed = callback; } };
    const site = new GTChat.Site(shell, { get: (key, fallback) => fallback, set() {} });
    site.useInvite("0123456789abcdefghijkl");
    changed();
    equal([site.invite, told], ["0123456789abcdefghijkl", []]);
    // Whether the session that was kept is still good is not known yet.
    shell.loggedIn = true;
    changed();
    equal([site.invite, told], ["0123456789abcdefghijkl", []]);
    shell.connection.state = "open";
    changed();
    changed();
    equal([site.invite, told], [null, [GTChat.text("invited_already")]]);
  });

  test("a link that is pasted has its secret at its end", () => {
    const { site } = makeSite();
    site.useInvite(" https://chat.example/#/invite/0123456789abcdef\n");
    equal(site.proof, { invite: "0123456789abcdef" });
    site.useInvite("0123456789abcdef");
    equal(site.invite, "0123456789abcdef");
  });

  test("a page from disk asks nothing and offers everything", async () => {
    const { shell, site } = makeSite(true);
    await site.load(answering({ guests: false }));
    equal(site.ways(WAYS), WAYS);
    equal(shell.changes, 0);
  });

  test("what the server says in its greeting is newer", () => {
    let changed;
    const shell = { fromDisk: true, url: "ws://127.0.0.1:9/", on: (_, callback) => { changed = callback; }, connection: { hello: {} } };
    const site = new GTChat.Site(shell, { get: (key, fallback) => fallback, set() {} });
    changed();
    equal(site.info.name, "GTChat");
    shell.connection.hello = { version: "1", name: "The Garden", registration: "closed", guests: false };
    changed();
    equal(site.info, { name: "The Garden", registration: "closed", guests: false });
    equal(site.ways(WAYS), ["member"]);
  });

  test("a QR code that cannot be drawn is none", async () => {
    equal(await GTChat.drawQr("x", () => { throw new TypeError(); }), null);
    const worker = { ended: 0, terminate() { this.ended += 1; }, postMessage({ text }) { this.onmessage({ data: { size: text.length, path: "" } }); } };
    equal(await GTChat.drawQr("", () => worker), null);
    equal(await GTChat.drawQr("abc", () => worker), { size: 3, path: "" });
    equal(worker.ended, 2);
  });

  test("a script that is loaded later is loaded once, and again if it could not be loaded", async () => {
    const asked = [];
    const load = (...names) => GTChat.loadLater(...names).then(() => "loaded", () => "failed");
    document.head.append = (script) => asked.push(script);
    const both = [load("a", "b"), load("a")];
    equal(asked.length, 1);
    asked[0].onload();
    equal(await both[1], "loaded");
    await settle();
    equal(asked.length, 2);
    asked[1].onerror();
    equal(await both[0], "failed");
    const again = load("a", "b");
    await settle();
    equal(asked.length, 3);
    asked[2].onload();
    equal([await again, await load("b", "a"), asked.length], ["loaded", "loaded", 3]);
    delete document.head.append;
  });
})();
