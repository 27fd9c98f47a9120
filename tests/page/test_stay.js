// shell.js: how a tab finds its session, and how a device stays logged in.
"use strict";
(() => {
  const URL = "ws://stay/";
  const { local, tab } = GTChat.storage;
  const kept = (usr = "ann") => ({ id: "this-device", token: "t", usr, hasPassword: true });
  const saved = (mode = "member") => ({ url: URL, session: { session_id: "s", epoch: "e", usr: "ann" }, mode,
    state: { hasPassword: true, current: null, rooms: [], directs: [] } });

  // Opens the page in a tab. stored: what the browser keeps of the device; session: what the tab keeps; copied:
  // whether another tab has its lock. Returns {shell, server}.
  const openTab = async ({ stored, session = null, copied = false } = {}) => {
    const server = new FakeServer();
    globalThis.WebSocket = function Socket(url) { return server.environment.open(url); };
    const { Device, TabLock } = GTChat;
    local.set("gtchat", { url: URL });
    local.set("gtchat devices", stored ? { [URL]: stored } : null);
    tab.set("gtchat", session);
    GTChat.Notifications ??= class { onMessage() {} };
    GTChat.Device = class extends Device { constructor(url) { super(url, { keeps: true }); } };
    GTChat.TabLock = class { async take(id) { return !copied || id !== "s"; } release() {} };
    const shell = new GTChat.Shell();
    cleanUp = () => {
      Object.assign(GTChat, { Device, TabLock });
      shell.connection?.close();
    };
    shell.start();
    await settle();
    if (server.sockets.length) server.accept();
    await settle();
    return { shell, server };
  };

  let cleanUp = () => {};
  const { WebSocket } = globalThis;
  const stay = (name, body) => test(name, async () => {
    try {
      await body();
    } finally {
      cleanUp();
      globalThis.WebSocket = WebSocket;
      for (const key of ["gtchat", "gtchat devices"]) local.set(key, null);
      tab.set("gtchat", null);
    }
  });

  const reply = (server) => server.reply("login", loginReply("ann", [roomInfo("lobby")], { session_id: "new" }));

  stay("a new tab logs in by the token, with a session of its own", async () => {
    const { shell, server } = await openTab({ stored: kept() });
    const [{ type, device, device_token: token }] = server.requests("login");
    equal([type, device, token, shell.entering], ["device", "this-device", "t", true]);
    await reply(server);
    equal([shell.loggedIn, shell.entering, shell.remembered, shell.state.hasPassword], [true, false, true, true]);
    equal(tab.get("gtchat", null).session.session_id, "new");
  });

  stay("a new tab without a token asks", async () => {
    const { shell, server } = await openTab({ stored: { id: "this-device" } });
    equal([server.sockets.length, shell.entering, shell.ended], [0, false, null]);
  });

  for (const code of ["bad_credentials", "not_allowed"]) {
    stay(`a token that is refused is forgotten: ${code}`, async () => {
      const { shell, server } = await openTab({ stored: kept() });
      await server.replyError("login", code);
      equal([shell.loggedIn, shell.entering, shell.device.kept], [false, false, null]);
      equal(shell.ended, GTChat.text("token_refused"));
    });
  }

  for (const code of ["locked_out", "rate_limited", "not_stored"]) {
    stay(`a token is kept when the server does not answer whether it is valid: ${code}`, async () => {
      const { shell, server } = await openTab({ stored: kept() });
      await server.replyError("login", code, { retry_after: 5 });
      equal([shell.entering, shell.device.kept.token], [false, "t"]);
      equal(shell.ended, GTChat.reason({ code, retryAfter: 5 }));
    });
  }

  stay("a link of an operator logs in, whatever user was before", async () => {
    history.replaceState(null, "", "#/login/0123456789abcdef-_");
    const { shell, server } = await openTab({ stored: kept("bob"), session: saved() });
    const [{ type, link, device, remember }] = server.requests("login");
    equal([type, link, device, remember], ["link", "0123456789abcdef-_", "this-device", true]);
    equal([server.requests("resume").length, location.hash], [0, ""]);
    await server.reply("login", loginReply("ann", [roomInfo("lobby")], { session_id: "new", device_token: "u" }));
    equal([shell.loggedIn, shell.remembered, shell.state.hasPassword], [true, true, true]);
  });

  stay("a link that is refused leaves the token of the device alone", async () => {
    history.replaceState(null, "", "#/login/0123456789abcdef");
    const { shell, server } = await openTab({ stored: kept() });
    await server.replyError("login", "bad_credentials");
    equal([shell.loggedIn, shell.ended, shell.device.kept.token], [false, GTChat.text("link_refused"), "t"]);
  });

  stay("a reload resumes the session of the tab", async () => {
    const { server } = await openTab({ stored: kept(), session: saved() });
    equal([server.requests("resume").length, server.requests("login").length], [1, 0]);
  });

  stay("a copy of a tab logs in by the token, and leaves the session alone", async () => {
    const { shell, server } = await openTab({ stored: kept(), session: saved(), copied: true });
    equal([server.requests("resume").length, server.requests("login").length], [0, 1]);
    await reply(server);
    equal([shell.loggedIn, shell.ended], [true, null]);
  });

  stay("a copy of a tab without a token asks", async () => {
    const { shell, server } = await openTab({ session: saved(), copied: true });
    equal([server.sockets.length, shell.ended, shell.mode], [0, GTChat.text("tab_copied"), "member"]);
    equal(tab.get("gtchat", null), null);
  });

  stay("a copy of a guest's tab does not become the user who stays logged in", async () => {
    const { shell, server } = await openTab({ stored: kept(), session: saved("guest"), copied: true });
    equal([server.sockets.length, shell.ended], [0, GTChat.text("tab_copied")]);
  });

  stay("a session that has expired is followed by a new one", async () => {
    const { shell, server } = await openTab({ stored: kept(), session: saved() });
    await server.replyError("resume", "bad_session");
    server.accept();
    await settle();
    equal(server.requests("login").length, 1);
    await reply(server);
    equal([shell.loggedIn, shell.ended], [true, null]);
  });

  stay("a login keeps its token only if it asked for one", async () => {
    const { shell, server } = await openTab();
    for (const remember of [false, true]) {
      const login = shell.logIn("member", "ann", "long enough", remember);
      await settle();
      if (!remember) server.accept();
      await settle();
      const request = server.requests("login").at(-1);
      equal([request.remember, request.device.length > 0, request.device_name.length > 0], [remember || undefined, true, true]);
      await server.reply("login", loginReply("ann", [roomInfo("lobby")], remember ? { device_token: "new" } : {}));
      await login;
      equal([shell.remembered, shell.device.kept?.token], [remember, remember ? "new" : undefined]);
    }
    equal(shell.notices, []);
  });

  stay("a server that keeps no devices logged in is told of", async () => {
    const { shell, server } = await openTab();
    const login = shell.logIn("member", "ann", "long enough", true);
    await settle();
    server.accept();
    await settle();
    await reply(server);
    await login;
    equal(shell.notices.map(({ text }) => text), [GTChat.text("not_kept")]);
  });

  for (const [forget, token] of [[false, "t"], [true, undefined]]) {
    stay(`a tab that was logged out stays so when it is reloaded; forget: ${forget}`, async () => {
      const { shell, server } = await openTab({ stored: kept() });
      await reply(server);
      const out = shell.logOut(forget);
      await settle();
      equal(server.requests("logout")[0].forget, forget || undefined);
      // It may also be left before the reply.
      dispatchEvent(new Event("pagehide"));
      equal(tab.get("gtchat", null), { out: true });
      await server.reply("logout");
      await out;
      equal([shell.loggedIn, shell.device.kept?.token, shell.ended], [false, token, null]);
      const session = tab.get("gtchat", null);
      cleanUp();
      equal((await openTab({ stored: kept(), session })).server.sockets.length, 0);
    });
  }

  for (const [reason, key, token] of [
    ["replaced: logged in elsewhere", "over_replaced", "t"],
    ["password_changed", "over_password", undefined],
    ["session_ended: by another session", "over_ended", "t"],
    ["another: reason", "over_4001", "t"],
  ]) {
    stay(`the page says why its session has ended: ${reason}`, async () => {
      const { shell, server } = await openTab({ stored: kept() });
      await reply(server);
      await server.drop(4001, reason);
      equal([shell.loggedIn, shell.ended, shell.device.kept?.token], [false, GTChat.text(key), token]);
    });
  }

  stay("a changed password gives the device its next token, which the end of other tabs leaves alone", async () => {
    const { shell, server } = await openTab({ stored: kept() });
    await reply(server);
    const changed = shell.changePassword({ pwd: "long enough", new_pwd: "longer still", new_pwd2: "longer still" });
    await settle();
    await server.reply("update_pwd", { device_token: "next" });
    await changed;
    equal(shell.device.kept.token, "next");
    await server.drop(4001, "password_changed");
    equal(shell.device.kept, null);
  });

  stay("a tab that ends with the password does not forget the token that another tab has got", async () => {
    const { shell, server } = await openTab({ stored: kept() });
    await reply(server);
    local.set("gtchat devices", { [URL]: { ...kept(), token: "next" } });
    await server.drop(4001, "password_changed");
    equal(shell.device.kept.token, "next");
  });
})();
