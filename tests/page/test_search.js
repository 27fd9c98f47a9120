// The search: queries and their filters, the marks in a text, pages, refusals, and changes of what was found.
"use strict";
(() => {
  const { searchQuery, excerpt } = GTChat;
  const found = ({ search }) => search.found.map(({ msg }) => msg);
  const shown = ({ search }) => [search.loading, search.problem?.code ?? null, search.found.length, search.next, search.incomplete];
  const ROOMS = [roomInfo("lobby"), roomInfo("garden")];

  // Logs in and searches for a word in the lobby or everywhere.
  const searching = async ({ query = "tea", place = "lobby", rooms = ROOMS, ...more } = {}) => {
    const page = await logIn(rooms, more);
    const { actions, state, server } = page;
    const { search } = actions;
    search.begin(place && state.rooms.get(place));
    search.query = query;
    search.start();
    await settle();
    return { ...page, search, sent: () => server.requests("search") };
  };
  const hit = (room, seq, msg, marks) => ({ ...speak(room, seq, "bob", msg), marks });
  const answer = ({ server }, entries, fields = {}) => server.reply("search", { entries, more: false, ...fields });
  const edited = (room, seq, of, msg) => event("edited", { room_name: room, seq, of, usr: "bob", msg });
  const deleted = (place, seq, of) => event("deleted", { ...place, seq, of, usr: "bob", by: "bob", reason: "" });

  test("filters are found in a query, added and taken away", () => {
    equal(searchQuery.values("tea FROM:ann from:\"li na\" in:garden", "from"), ["ann", "li na"]);
    equal(searchQuery.without("tea from:ann  \"green  tea\" has:link", "from", "has"), "tea \"green  tea\"");
    equal(searchQuery.add("tea", "in", "Tea room"), "tea in:\"Tea room\"");
    equal(searchQuery.add("", "from", "ann"), "from:ann");
    equal(searchQuery.dayBefore(7, new Date(2026, 0, 3, 15)), new Date(2025, 11, 27).toISOString().slice(0, 10));
  });

  test("a query that the server would refuse is told why", () => {
    for (const [query, problem] of [
      ["tea", null], ["from:ann", null], ["has:LINK after:2026-01-31", null], ["in:garden", "search_no_words"],
      ["after:2026-01-31", "search_no_words"], ["tea before:yesterday", "search_bad_day"], ["tea after:2026-13-01", "search_bad_day"],
      ["tea has:file", "search_bad_has"], ["🍵".repeat(500), null], ["🍵".repeat(501), "too_long"],
      ["a ".repeat(20), null], ["a ".repeat(21), "search_too_many"],
    ]) equal([query.slice(0, 30), searchQuery.problem(query)], [query.slice(0, 30), problem]);
  });

  test("marks are ranges of code points of the text as it was written", () => {
    for (const [msg, marks, expected] of [
      ["green tea", [[6, 9]], ["green ", { marked: "tea" }]],
      ["🍵🍵 tea, 茶", [[3, 6], [8, 9]], ["🍵🍵 ", { marked: "tea" }, ", ", { marked: "茶" }]],
      ["**green** `tea`\nnow", [[2, 7], [11, 14]], [{ marked: "green" }, " ", { marked: "tea" }, " now"]],
      ["2*3* x", [[0, 1]], [{ marked: "2" }, "*3* x"]],
      ["https://tea.example/x", [[8, 11]], ["https://", { marked: "tea" }, ".example/x"]],
      ["no marks", undefined, ["no marks"]],
      ["\uFDD0tea\uFDD1", [[1, 4]], ["\uFFFD", { marked: "tea" }, "\uFFFD"]],
    ]) equal(excerpt(msg, marks), expected);
  });

  test("of a long text the part with the first mark is shown", () => {
    const msg = `${"word ".repeat(100)}tea ${"more ".repeat(100)}`;
    const pieces = excerpt(msg, [[500, 503]]);
    equal(pieces[1], { marked: "tea" });
    equal([pieces[0].startsWith("…word"), pieces[0].length < 60, pieces[2].endsWith("…"), pieces[2].length < 200], [true, true, true, true]);
    equal(excerpt("x".repeat(600), [[0, 600]])[0].marked.length, 199);
  });

  test("the pages of a search follow each other", async () => {
    const page = await searching({ query: " tea " });
    equal(page.sent().map(({ room_name, q, before, limit }) => [room_name, q, before, limit]), [["lobby", "tea", undefined, 30]]);
    equal(shown(page), ["first", null, 0, null, false]);
    await answer(page, [hit("lobby", 9, "tea", [[0, 3]])], { more: true, next: "m9", incomplete: true });
    equal([shown(page), page.search.found[0].marks], [["", null, 1, "m9", true], [[0, 3]]]);
    page.search.loadMore();
    page.search.loadMore();
    await settle();
    equal(page.sent().map(({ before }) => before), [undefined, "m9"]);
    equal(shown(page)[0], "more");
    await answer(page, [hit("lobby", 5, "more tea")]);
    equal([found(page), shown(page)], [["tea", "more tea"], ["", null, 2, null, false]]);
  });

  test("a search names its conversation, unless it is of everywhere or the query names a room", async () => {
    const direct = await searching({ place: null, directs: [directInfo(7, "bob", { last_seq: 1 })] });
    direct.search.refine("tea", direct.state.directById(7));
    await answer(direct, []);
    equal(direct.sent().map(({ room_name, direct: id }) => [room_name, id]), [[undefined, undefined], [undefined, 7]]);
    const named = await searching({ query: "tea in:garden" });
    equal([named.sent()[0].room_name, named.search.searched.scope], [undefined, null]);
  });

  test("a new search waits for the one before, whose reply is ignored", async () => {
    const page = await searching();
    page.search.refine("green tea");
    page.search.refine("black tea");
    await settle();
    equal(page.sent().length, 1);
    await answer(page, [hit("lobby", 9, "old tea")], { more: true, next: "m9" });
    equal([page.sent().map(({ q }) => q), found(page)], [["tea", "black tea"], []]);
    await answer(page, [hit("lobby", 3, "black tea")]);
    equal([found(page), page.search.next], [["black tea"], null]);
    page.search.start();
    await settle();
    page.search.write("");
    await answer(page, [hit("lobby", 3, "black tea")]);
    equal([page.search.searched, found(page), page.search.loading], [null, [], ""]);
    page.search.refine("tea");
    await settle();
    equal(page.sent().length, 4);
  });

  test("a search that is refused for a time goes on by itself, unless another one is made", async () => {
    const page = await searching();
    await page.server.replyError("search", "rate_limited", { retry_after: 12 });
    equal(shown(page), ["", "rate_limited", 0, null, false]);
    await page.server.advance(11_000);
    equal(page.sent().length, 1);
    await page.server.advance(1500);
    equal(page.sent().length, 2);
    await page.server.replyError("search", "rate_limited", { retry_after: 12 });
    page.search.write("");
    await page.server.advance(15_000);
    equal([page.sent().length, page.search.problem, page.search.loading], [2, null, ""]);
  });

  test("other errors are shown, and those of the query are not asked of the server", async () => {
    const page = await searching({ query: "after:2026-01-01" });
    equal([shown(page)[1], page.sent().length], ["search_no_words", 0]);
    page.search.refine("tea");
    await settle();
    await page.server.replyError("search", "not_in_room");
    equal(shown(page)[1], "not_in_room");
    page.search.write("tea before:");
    equal([page.search.query, shown(page)[1]], ["tea before:", "not_in_room"]);
    page.search.refine("in:garden");
    equal([page.search.searched, page.search.problem], [null, null]);
  });

  test("a deleted message is no longer found, an edited one has its new text without marks", async () => {
    const page = await searching({ place: null });
    await answer(page, [hit("garden", 4, "tea", [[0, 3]]), hit("lobby", 4, "green tea"), hit("lobby", 2, "tea?", [[0, 3]])]);
    await page.server.push(deleted({ room_name: "lobby" }, 9, 4));
    equal(found(page), ["tea", "tea?"]);
    await page.server.push(edited("lobby", 10, 2, "coffee"));
    equal([found(page), page.search.found[1].marks ?? null], [["tea", "coffee"], null]);
    await page.server.push(event("reacted", { room_name: "garden", seq: 11, of: 4, usr: "bob", emoji: "🎉", on: true }));
    equal(page.search.found[0].marks, [[0, 3]]);
  });

  test("changes that come before the reply apply to it, unless it has them", async () => {
    const page = await searching();
    await page.server.push(deleted({ room_name: "lobby" }, 9, 4));
    await page.server.push(edited("lobby", 10, 2, "coffee"));
    await answer(page, [hit("lobby", 4, "tea"), { ...hit("lobby", 2, "new tea", [[4, 7]]), changed: 11 }]);
    equal([found(page), page.search.found[0].marks], [["new tea"], [[4, 7]]]);
  });

  test("changes are kept only while a page is loading", async () => {
    const page = await searching();
    for (let seq = 20; seq < 220; seq += 1) await page.server.push(edited("lobby", seq, 3, "coffee"));
    await answer(page, []);
    page.search.start();
    await settle();
    await page.server.push(deleted({ room_name: "lobby" }, 300, 4));
    await answer(page, [hit("lobby", 4, "tea")]);
    equal(found(page), []);
  });

  test("messages of direct conversations are told by the other user", async () => {
    const directs = [directInfo(7, "Bob"), directInfo(8, "bob", { ended: true })];
    const page = await searching({ place: null, directs });
    await answer(page, [
      whisper(4, "Bob", "tea", { to: "ann", direct: 7 }), whisper(4, "bob", "the other bob's tea", { to: "ann", direct: 8 }),
      whisper(4, "carol", "her tea", { to: "ann", direct: 9 }), whisper(3, "ann", "my tea", { to: "Bob", direct: 7 })]);
    const { server, state } = page;
    await server.push(deleted({ target_user: "bob" }, 5, 3));
    await server.push(deleted({ target_user: "bob" }, 6, 4));
    equal([found(page), state.directs.length], [["the other bob's tea", "her tea"], 2]);
    await server.push(deleted({ target_user: "Carol" }, 5, 4));
    equal(found(page), ["the other bob's tea"]);
  });

  test("messages of rooms that were left are not shown", async () => {
    const page = await searching({ place: null });
    await answer(page, [hit("garden", 4, "tea"), hit("lobby", 4, "green tea")]);
    await page.server.push(event("kicked", { room_name: "garden", seq: 9, usr: "ann", by: "bob" }));
    equal(found(page), ["green tea"]);
  });

  test("after a lost connection a search without a reply is made again, and missed changes are followed", async () => {
    const page = await searching();
    const { server } = page;
    const reconnect = async (resumed) => {
      await server.drop();
      await server.advance(400);
      server.accept();
      await server.reply("hello", {});
      await server.reply("resume", resumeReply(ROOMS, resumed));
    };
    const missed = (name, entries, state = "resumed") => ({ room_name: name, state, entries, last_seq: 20 });
    await reconnect([missed("lobby", []), missed("garden", [])]);
    equal(page.sent().length, 1);
    await answer(page, [hit("lobby", 4, "tea"), hit("lobby", 2, "green tea")]);
    await reconnect([missed("lobby", [deleted({ room_name: "lobby" }, 9, 4)]), missed("garden", [])]);
    equal([found(page), page.sent().length], [["green tea"], 0]);
    await reconnect([missed("lobby", [], "reset"), missed("garden", [])]);
    await server.advance(1000);
    equal([page.sent().map(({ q, room_name }) => [q, room_name]), shown(page)[0]], [[["tea", "lobby"]], "first"]);
  });

  test("what was found stays when the search is opened again, unless it is of another conversation", async () => {
    const page = await searching();
    const { search, state } = page;
    await answer(page, [hit("lobby", 4, "tea")]);
    search.begin(state.rooms.get("lobby"));
    equal([found(page), search.query], [["tea"], "tea"]);
    search.begin(state.rooms.get("garden"));
    equal([found(page), search.query, search.scope.name, search.searched], [[], "tea", "garden", null]);
    search.refine("tea", null);
    await answer(page, [hit("lobby", 4, "tea")]);
    search.begin(state.rooms.get("garden"));
    equal([found(page), search.scope], [["tea"], null]);
  });
})();
