// avatar.js: the colour and the letters of a user.
"use strict";
(() => {
  const { hue, initials } = GTChat.avatar;

  test("initials are two letters, one of scripts whose letters are wide", () => {
    for (const [name, letters] of [
      ["ann", "AN"], ["ann lee", "AL"], ["j.r-smith", "JR"], ["x", "X"], ["李娜", "李"], ["さくら", "さ"], ["김민준", "김"],
      ["سارة", "سا"], ["Wei小明", "WE"], ["e\u0301va", "E\u0301V"],
    ]) {
      equal(initials(name), letters);
    }
  });

  test("a name has the same hue everywhere, whatever its case", () => {
    equal(hue("ann"), hue("Ann"));
    equal(hue("ann", { kind: "direct", name: "ann" }), hue("ann"));
  });

  test("the hues of the first 13 members of a room differ, the others have their own", () => {
    const room = new GTChat.Room("den");
    const names = Array.from({ length: 20 }, (_, number) => `user${number}`);
    for (const name of names) room.members.add(name);
    equal(new Set(names.slice(0, 13).map((name) => hue(name, room))).size, 13);
    for (const name of names.slice(13)) equal(hue(name, room), hue(name));
  });

  test("a later member does not change the hue of an earlier one", () => {
    const room = new GTChat.Room("den");
    room.members.add("zoe");
    const before = hue("zoe", room);
    for (let number = 0; number < 12; number += 1) room.members.add(`user${number}`);
    equal(hue("zoe", room), before);
  });
})();
