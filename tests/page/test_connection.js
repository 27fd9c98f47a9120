// The connection: coming back, resuming, and nothing said twice.
"use strict";
(() => {
  const connected = (more = {}) => {
    const server = new FakeServer();
    const connection = new GTChat.Connection("ws://test/", { outside: server.outside, ...more });
    connection.start();
    server.accept();
    return { server, connection };
  };
  const session = { session_id: "s", epoch: "e", usr: "ann" };

  test("a reply settles its request, whatever came between", async () => {
    const { server, connection } = connected();
    const first = connection.request("ping");
    const second = connection.request("hello");
    await server.answer("hello", { epoch: "x" });
    await server.answer("ping", { at: "now" });
    equal((await first).at, "now");
    equal((await second).epoch, "x");
  });

  test("a refusal has the server's code", async () => {
    const { server, connection } = connected();
    const refused = connection.request("join_room", { room_name: "x" }).catch((error) => error);
    await server.refuseIt("join_room", "no_such_room");
    equal((await refused).code, "no_such_room");
  });

  test("a lost connection is tried again, ever later", async () => {
    const { server, connection } = connected();
    const waits = [];
    for (let time = 0; time < 8; time += 1) {
      await server.lose();
      equal(connection.state, "waiting");
      waits.push(connection.retryAt - server.time);
      await server.pass(connection.retryAt - server.time);
      equal(connection.state, "connecting");
    }
    equal(waits, [400, 800, 1600, 3200, 6400, 12800, 15000, 15000]);
  });

  test("trying now does not wait", async () => {
    const { server, connection } = connected();
    await server.lose();
    connection.start();
    equal(server.sockets.length, 2);
    equal(server.timers.size, 1);
  });

  test("a session is resumed with what was seen, before anything else is sent", async () => {
    const { server, connection } = connected({ session, seen: () => ({ lobby: 7 }) });
    const said = connection.request("speak", { room_name: "lobby", msg: "hi", txn: "t" });
    equal(server.asked("resume")[0].seen, { lobby: 7 });
    equal(server.asked("speak").length, 0);
    await server.answer("resume", { ...loginReply("ann", []), resumed: [] });
    equal(server.asked("speak").length, 1);
    await server.answer("speak", { seq: 8 });
    equal((await said).seq, 8);
  });

  test("what has a txn is sent again with the same one", async () => {
    const { server, connection } = connected({ session });
    await server.answer("resume", { ...loginReply("ann", []), resumed: [] });
    connection.request("speak", { room_name: "lobby", msg: "hi", txn: "t" });
    await server.lose();
    connection.start();
    server.accept();
    equal(server.asked("speak").length, 0);
    await server.answer("resume", { ...loginReply("ann", []), resumed: [] });
    equal(server.asked("speak").map((request) => request.txn), ["t"]);
  });

  test("what changes something and has no txn is not sent again", async () => {
    const { server, connection } = connected();
    const lost = connection.request("create_room", { room_name: "x" }).catch((error) => error.code);
    const kept = connection.request("history", { room_name: "lobby" });
    await server.lose();
    equal(await lost, "unanswered");
    connection.start();
    server.accept();
    await server.answer("history", { entries: [] });
    equal((await kept).entries, []);
  });

  test("a message that came too fast is sent again when it may", async () => {
    const { server, connection } = connected();
    connection.request("speak", { msg: "hi", txn: "t" });
    await server.refuseIt("speak", "rate_limited", { retry_after: 2 });
    equal(server.asked("speak").length, 1);
    await server.pass(2000);
    equal(server.asked("speak").map((request) => request.txn), ["t", "t"]);
  });

  test("after close codes that say so it stays away", async () => {
    for (const code of [4001, 4002, 1008]) {
      const { server, connection } = connected({ session });
      let end = null;
      connection.on("over", (why) => { end = why; });
      const asked = connection.request("ping").catch((error) => error.code);
      await server.lose(code);
      await server.pass(60_000);
      equal(end.code, code);
      equal(await asked, "unanswered");
      equal(server.sockets.length, 1);
    }
  });

  test("a session that is gone is over", async () => {
    const { server, connection } = connected({ session });
    let end = null;
    connection.on("over", (why) => { end = why; });
    await server.refuseIt("resume", "bad_session");
    equal(end.code, "bad_session");
    equal(connection.session, null);
  });

  test("a resume that the server can't do just now is tried again", async () => {
    const { server } = connected({ session });
    await server.refuseIt("resume", "rate_limited", { retry_after: 3 });
    equal(server.asked("resume").length, 1);
    await server.pass(3000);
    equal(server.asked("resume").length, 2);
  });

  test("a server that says nothing is given up", async () => {
    const { server, connection } = connected();
    await server.pass(20_000);
    equal(server.asked("ping").length, 1);
    await server.pass(10_000);
    equal(connection.state, "waiting");
    equal(server.socket.closed, true);
  });

  test("what an old socket says counts no more", async () => {
    const { server, connection } = connected();
    const old = server.socket;
    await server.lose();
    connection.start();
    let heard = 0;
    connection.on("push", () => { heard += 1; });
    old.onmessage({ data: '{"cmd":"c_broadcast"}' });
    old.onclose({ code: 4001 });
    equal([heard, connection.state], [0, "connecting"]);
  });

  test("closing tells those who wait", async () => {
    const { connection } = connected();
    const asked = connection.request("ping").catch((error) => error.code);
    connection.close();
    equal(await asked, "unanswered");
  });

  test("a socket that can't be made counts as lost", async () => {
    const server = new FakeServer();
    server.refuse = true;
    const connection = new GTChat.Connection("ws://test/", { outside: server.outside });
    connection.start();
    equal(connection.state, "waiting");
  });
})();
