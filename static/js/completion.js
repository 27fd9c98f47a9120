// What could stand where somebody writes: names behind an @, pictures behind a colon.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const MOST = 8;

  // {start, end, items: [{label, picture, text}]} to put in place of words.slice(start, end), or null.
  // people(): names, in the order of preference; asked for only if a name is begun.
  GTChat.completion = (words, caret, people) => {
    const before = words.slice(0, caret);
    const name = /(?:^|[\s(])@([^\s@]*)$/u.exec(before);
    if (name) {
      const begun = name[1].toLowerCase();
      const found = people().filter((person) => person.toLowerCase().startsWith(begun)).slice(0, MOST);
      if (!found.length || (found.length === 1 && found[0] === name[1])) return null;
      return { start: caret - name[1].length, end: caret,
        items: found.map((person) => ({ label: person, person, text: `${person} ` })) };
    }
    const picture = /(?:^|[\s(]):([a-z0-9_+-]{2,})$/.exec(before);
    if (!picture) return null;
    const found = GTChat.findEmoji(picture[1], MOST);
    return found.length ? { start: caret - picture[1].length - 1, end: caret,
      items: found.map(([label, image]) => ({ label: `:${label}:`, picture: image, text: `${image} ` })) } : null;
  };
})();
