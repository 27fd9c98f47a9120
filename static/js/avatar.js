// What stands for a user without a picture: a colour and one or two letters, both made of the name.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;

  // Hues in degrees, far enough from each other to be told apart.
  const HUES = [0, 20, 45, 80, 115, 150, 170, 195, 225, 255, 285, 315, 340];
  // Scripts of which one letter is enough: Han, Kana, Hangul.
  const WIDE = /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]/u;

  // Returns the index of a name's own hue, always the same for a name.
  const slot = (name) => {
    let sum = 0;
    for (const letter of name.toLowerCase()) sum = (sum * 33 + letter.codePointAt(0)) % 65_521;
    return sum % HUES.length;
  };

  // Room -> {count, hues}: the hues of its members, as long as their number stays the same.
  const cache = new WeakMap();

  // Gives each of the first members another hue: of two with the same, the later one takes the next that is
  // free. When all are taken, the others keep their own.
  const huesOf = (members) => {
    const hues = new Map();
    const taken = new Set();
    for (const name of members) {
      if (taken.size === HUES.length) break;
      let index = slot(name);
      while (taken.has(index)) index = (index + 1) % HUES.length;
      taken.add(index);
      hues.set(name, HUES[index]);
    }
    return hues;
  };

  // Returns the hue of a user in degrees. room: in whose list of members it is to differ, or none.
  const hue = (name, room) => {
    if (room?.kind !== "room") return HUES[slot(name)];
    let known = cache.get(room);
    if (known?.count !== room.members.size) cache.set(room, known = { count: room.members.size, hues: huesOf(room.members) });
    return known.hues.get(name) ?? HUES[slot(name)];
  };

  // Returns one or two letters of a name.
  const initials = (name) => {
    const letters = [...new Intl.Segmenter(undefined, { granularity: "grapheme" }).segment(name)].map(({ segment }) => segment);
    if (WIDE.test(name)) return letters[0];
    const words = name.split(/[\s._-]+/).filter(Boolean);
    const chosen = words.length > 1 ? [[...words[0]][0], [...words[1]][0]] : letters.slice(0, 2);
    return chosen.join("").toUpperCase();
  };

  GTChat.avatar = { hue, initials };
})();
