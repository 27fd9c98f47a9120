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
    const { server, connection } = connected({ session, seen: () => ({ seen: { lobby: 7 }, seen_directs: { 5: 3 } }) });
    const sent = connection.request("speak", { room_name: "lobby", msg: "hi", txn: "t" });
    const [{ seen, seen_directs: directs, marks_read: marks }] = server.requests("resume");
    equal([seen, directs, marks], [{ lobby: 7 }, { 5: 3 }, true]);
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

  test("a request about a room is sent again with a txn of its own, but not if it was refused", async () => {
    const { server, connection } = connected();
    const made = connection.request("create_room", { room_name: "x" });
    const refused = connection.request("join_room", { room_name: "y" }).catch(({ code }) => code);
    const txns = () => [server.requests("create_room")[0]?.txn, server.requests("join_room")[0]?.txn];
    const first = txns();
    await server.drop();
    connection.start();
    server.accept();
    equal([txns(), new Set(first).size, first[0].length], [first, 2, 36]);
    await server.reply("create_room", { seq: 1, dup: true });
    equal((await made).dup, true);
    await server.replyError("join_room", "over_quota");
    equal([await refused, server.requests("join_room").length], ["over_quota", 1]);
  });

  test("a request that is not idempotent and has no txn is not sent again", async () => {
    const { server, connection } = connected();
    const lost = connection.request("register", { usr: "x" }).catch((error) => error.code);
    const kept = connection.request("history", { room_name: "lobby" });
    await server.drop();
    equal(await lost, "unanswered");
    connection.start();
    server.accept();
    await server.reply("history", { entries: [] });
    equal((await kept).entries, []);
  });

  // The queue.

  const texts = (server) => server.requests("speak").map(({ msg }) => msg);
  const speakTo = (connection, room, msg, onDelay) => (
    connection.request("speak", { room_name: room, msg, txn: `${room} ${msg}` }, onDelay).catch((error) => error));

  test("what was written without a connection is sent in order, at the rate of the server", async () => {
    const { server, connection } = connected({ session });
    await server.drop();
    const written = Array.from({ length: 60 }, (_unused, index) => `text ${index}`);
    const replies = written.map((msg) => speakTo(connection, "lobby", msg));
    connection.start();
    server.accept();
    await server.reply("hello", { limits: { commands_burst: 20, commands_per_second: 10 } });
    await server.reply("resume", { ...loginReply("ann", []), resumed: [] });
    equal(texts(server), ["text 0"]); // the next one waits for its reply
    const start = server.time;
    const times = [];
    await server.answerAll("speak", 7000, () => {
      times.push(server.time - start);
      return { seq: times.length };
    });
    equal(texts(server), written);
    equal((await Promise.all(replies)).map(({ seq }) => seq), written.map((_unused, index) => index + 1));
    // Never more than 20 and 10 a second; and not much slower than that.
    for (const [index, time] of times.entries()) equal(index < 20 + time / 100, true);
    equal([times[11], times[59] < 6500], [0, true]);
  });

  test("a refused message is not overtaken in its room, and stops no other room", async () => {
    const { server, connection } = connected();
    for (const msg of ["one", "two", "three"]) speakTo(connection, "lobby", msg);
    speakTo(connection, "den", "aside");
    equal(texts(server), ["one", "aside"]);
    const [one] = server.requests("speak");
    await server.replyError("speak", "not_stored", { retry_after: 4, tracker: one.tracker });
    await server.advance(3900);
    equal(texts(server), ["one", "aside"]);
    await server.advance(100);
    await server.answerAll("speak", 500);
    equal(texts(server), ["one", "aside", "one", "two", "three"]);
  });

  test("a message that is refused again and again waits longer each time, and says why", async () => {
    const { server, connection } = connected();
    server.answersPings = true;
    const delays = [];
    speakTo(connection, "lobby", "one", ({ code, retryAfter }) => delays.push([code, retryAfter]));
    for (const wait of [1, 2, 4, 8, 16, 30, 30]) {
      await server.replyError("speak", "not_stored");
      await server.advance(wait * 1000 - 1);
      equal([delays.at(-1), server.requests("speak").length], [["not_stored", wait], delays.length]);
      await server.advance(1);
    }
    await server.replyError("speak", "over_quota", { retry_after: 3600 });
    equal(delays.at(-1), ["over_quota", 3600]);
  });

  test("a message that waits can be given up, and the next one follows", async () => {
    const { server, connection } = connected();
    const first = speakTo(connection, "lobby", "one");
    speakTo(connection, "lobby", "two");
    connection.cancel("lobby one"); // it is under way
    await server.replyError("speak", "over_quota", { retry_after: 3600 });
    connection.cancel("lobby one");
    equal((await first).code, "unanswered");
    equal(texts(server), ["one", "two"]);
  });

  test("a message that waits for its time does so over a lost connection too", async () => {
    const { server, connection } = connected();
    server.answersPings = true;
    speakTo(connection, "lobby", "one");
    await server.replyError("speak", "over_quota", { retry_after: 60 });
    await server.drop();
    connection.start();
    server.accept();
    await server.advance(50_000);
    equal(texts(server), []);
    await server.advance(10_000);
    equal(texts(server), ["one"]);
  });

  test("refused requests are sent again at the rate, also if all are told the same time", async () => {
    const { server, connection } = connected();
    for (let number = 0; number < 20; number += 1) connection.request("history", { number }).catch(() => {});
    const sent = server.requests("history");
    for (const request of sent) await server.replyError("history", "rate_limited", { retry_after: 0.1, tracker: request.tracker });
    const times = [];
    await server.answerAll("history", 3000, () => { times.push(server.time); return {}; });
    equal(server.requests("history").slice(sent.length).map(({ number }) => number), Array.from({ length: 20 }, (_unused, index) => index));
    for (const [index, time] of times.slice(sent.length).entries()) equal(time >= (index + 1) * 100, true);
  });

  test("a client whose rate another device has used up goes on slowly", async () => {
    const { server, connection } = connected();
    for (let number = 0; number < 4; number += 1) connection.request("history", { number }).catch(() => {});
    for (const request of server.requests("history")) {
      await server.replyError("history", "rate_limited", { retry_after: 0.1, tracker: request.tracker });
    }
    await server.advance(100);
    equal(server.requests("history").length, 4);
    await server.advance(150);
    equal(server.requests("history").length, 6);
  });

  test("the limits that hello tells are obeyed, and 0 means none", async () => {
    for (const [limits, count] of [[{ commands_burst: 5, commands_per_second: 1 }, 4], [{ commands_burst: 0, commands_per_second: 0 }, 100]]) {
      const { server, connection } = connected({ session });
      for (let number = 0; number < 100; number += 1) connection.request("history", { number }).catch(() => {});
      await server.reply("hello", { limits });
      await server.reply("resume", { ...loginReply("ann", []), resumed: [] });
      equal([server.requests("history").length <= count, server.requests("history").length > count / 4], [true, true]);
    }
  });

  test("a client that was too fast comes back after the time in the close reason", async () => {
    const { server, connection } = connected({ session });
    await server.drop(4009, "flood: wait 12.5 s");
    equal([connection.state, connection.retryAt - server.time], ["waiting", 12_500]);
    await server.advance(12_500);
    equal([connection.state, connection.session === session, connection.end], ["connecting", true, null]);
    await server.drop(4009, "");
    equal(connection.state, "waiting");
  });

  test("a resume says that this client marks what was read", async () => {
    const { server } = connected({ session });
    equal(server.requests("resume")[0].marks_read, true);
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
