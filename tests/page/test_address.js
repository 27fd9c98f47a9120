// address.js: what a fragment stands for, and back.
"use strict";
(() => {
  const { parse, format, urlOf } = GTChat.address;

  test("addresses stand for rooms, messages, direct conversations and the rooms to browse", () => {
    for (const [fragment, address] of [
      ["#/room/lobby", { kind: "room", name: "lobby", seq: null }],
      ["#/room/lobby/123", { kind: "room", name: "lobby", seq: 123 }],
      ["#/room/reading%20group%2Fb/7", { kind: "room", name: "reading group/b", seq: 7 }],
      ["#/room/%E7%BF%BB%E8%AF%91", { kind: "room", name: "翻译", seq: null }],
      ["#/direct/12", { kind: "direct", id: 12 }],
      ["#/user/bob", { kind: "user", name: "bob", seq: null }],
      ["#/user/12", { kind: "user", name: "12", seq: null }],
      ["#/browse", { kind: "browse" }],
    ]) {
      equal(parse(fragment), address);
      equal(format(address), fragment);
    }
  });

  test("any other fragment is no address", () => {
    for (const fragment of ["", "#", "#/", "#say", "#/room", "#/room/", "#/room/a/b", "#/room/a/1/2", "#/room/%", "#/direct/bob", "#/direct/1/2", "#/direct/1234567890123456", "#/user/bob/1",
      "#/rooms/a", "/room/a", "#/room/a/-1", "#/room/a/1234567890123456"]) {
      equal([fragment, parse(fragment)], [fragment, null]);
    }
  });

  test("a link has the page's own URL without its fragment", () => {
    const page = location.href.split("#")[0];
    equal(urlOf({ kind: "room", name: "a b" }, 5), `${page}#/room/a%20b/5`);
    equal(urlOf({ kind: "direct", name: "bob", id: 12 }), `${page}#/direct/12`);
    equal(urlOf({ kind: "direct", name: "bob", id: null }), `${page}#/user/bob`);
  });
})();
