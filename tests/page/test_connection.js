// connection.js: replies, reconnecting, resuming, and no message sent twice.
"use strict";
(() => {
  const connected = (more = {}) => {
    const server = new FakeServer();
    const connection = new GTChat.Connection("ws://test/", { environment: server.environment, ...more });
    connection.start();
    server.accept();
    return { server, connection };
  };
  const session = { session_id: "s", epoch: "e", usr: "ann" };

  test("a reply settles the request with its tracker, in any order", async () => {
    const { server, connection } = connected();
    const first = connection.request("ping");
    const second = connection.request("hello");
    await server.reply("hello", { epoch: "x" });
    await server.reply("ping", { at: "now" });
    equal((await first).at, "now");
    equal((await second).epoch, "x");
  });

  test("an error reply rejects with the server's code", async () => {
    const { server, connection } = connected();
    const refused = connection.request("join_room", { room_name: "x" }).catch((error) => error);
    await server.replyError("join_room", "no_such_room");
    equal((await refused).code, "no_such_room");
  });

  test("reconnecting backs off exponentially up to 15 s", async () => {
    const { server, connection } = connected();
    const waits = [];
    for (let time = 0; time < 8; time += 1) {
      await server.drop();
      equal(connection.state, "waiting");
      waits.push(connection.retryAt - server.time);
      await server.advance(connection.retryAt - server.time);
      equal(connection.state, "connecting");
    }
    equal(waits, [400, 800, 1600, 3200, 6400, 12800, 15000, 15000]);
  });

  test("start() while waiting reconnects at once", async () => {
    const { server, connection } = connected();
    await server.drop();
    connection.start();
    equal(server.sockets.length, 2);
    equal(server.timers.size, 1);
  });

  test("a session is resumed with the last seqs before any other request is sent", async () => {
    const { server, connection } = connected({ session, seen: () => ({ lobby: 7 }) });
    const sent = connection.request("speak", { room_name: "lobby", msg: "hi", txn: "t" });
    equal(server.requests("resume")[0].seen, { lobby: 7 });
    equal(server.requests("speak").length, 0);
    await server.reply("resume", { ...loginReply("ann", []), resumed: [] });
    equal(server.requests("speak").length, 1);
    await server.reply("speak", { seq: 8 });
    equal((await sent).seq, 8);
  });

  test("a request with a txn is sent again with the same txn", async () => {
    const { server, connection } = connected({ session });
    await server.reply("resume", { ...loginReply("ann", []), resumed: [] });
    connection.request("speak", { room_name: "lobby", msg: "hi", txn: "t" });
    await server.drop();
    connection.start();
    server.accept();
    equal(server.requests("speak").length, 0);
    await server.reply("resume", { ...loginReply("ann", []), resumed: [] });
    equal(server.requests("speak").map((request) => request.txn), ["t"]);
  });

  test("a request that is not idempotent and has no txn is not sent again", async () => {
    const { server, connection } = connected();
    const lost = connection.request("create_room", { room_name: "x" }).catch((error) => error.code);
    const kept = connection.request("history", { room_name: "lobby" });
    await server.drop();
    equal(await lost, "unanswered");
    connection.start();
    server.accept();
    await server.reply("history", { entries: [] });
    equal((await kept).entries, []);
  });

  test("a rate-limited message is sent again after retry_after", async () => {
    const { server, connection } = connected();
    connection.request("speak", { msg: "hi", txn: "t" });
    await server.replyError("speak", "rate_limited", { retry_after: 2 });
    equal(server.requests("speak").length, 1);
    await server.advance(2000);
    equal(server.requests("speak").map((request) => request.txn), ["t", "t"]);
  });

  test("final close codes end the session without reconnecting", async () => {
    for (const code of [4001, 4002, 1008]) {
      const { server, connection } = connected({ session });
      let end = null;
      connection.on("over", (reason) => { end = reason; });
      const rejected = connection.request("ping").catch((error) => error.code);
      await server.drop(code);
      await server.advance(60_000);
      equal(end.code, code);
      equal(await rejected, "unanswered");
      equal(server.sockets.length, 1);
    }
  });

  test("a resume refused with bad_session ends the session", async () => {
    const { server, connection } = connected({ session });
    let end = null;
    connection.on("over", (reason) => { end = reason; });
    await server.replyError("resume", "bad_session");
    equal(end.code, "bad_session");
    equal(connection.session, null);
  });

  test("a resume that fails with a transient error is tried again", async () => {
    const { server } = connected({ session });
    await server.replyError("resume", "rate_limited", { retry_after: 3 });
    equal(server.requests("resume").length, 1);
    await server.advance(3000);
    equal(server.requests("resume").length, 2);
  });

  test("a server that does not answer a ping is abandoned", async () => {
    const { server, connection } = connected();
    await server.advance(20_000);
    equal(server.requests("ping").length, 1);
    await server.advance(10_000);
    equal(connection.state, "waiting");
    equal(server.socket.closed, true);
  });

  test("events of an abandoned socket are ignored", async () => {
    const { server, connection } = connected();
    const old = server.socket;
    await server.drop();
    connection.start();
    let pushes = 0;
    connection.on("push", () => { pushes += 1; });
    old.onmessage({ data: '{"cmd":"c_broadcast"}' });
    old.onclose({ code: 4001 });
    equal([pushes, connection.state], [0, "connecting"]);
  });

  test("close() rejects requests without a reply", async () => {
    const { connection } = connected();
    const rejected = connection.request("ping").catch((error) => error.code);
    connection.close();
    equal(await rejected, "unanswered");
  });

  test("a socket that cannot be opened counts as a lost connection", async () => {
    const server = new FakeServer();
    server.unavailable = true;
    const connection = new GTChat.Connection("ws://test/", { environment: server.environment });
    connection.start();
    equal(connection.state, "waiting");
  });
})();
