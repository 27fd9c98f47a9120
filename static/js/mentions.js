// Names and emoji in a text that is written: whether a text mentions a user, and what can complete
// the word before the caret.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;

  // Suggestions shown at a time.
  const LIMIT = 8;

  // Returns whether a text mentions a user: @name, or the bare name as a word.
  GTChat.mentions = (text, name) => {
    if (!name) return false;
    const quoted = name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
    return new RegExp(`(^|[^\\p{L}\\p{N}_])@?${quoted}(?![\\p{L}\\p{N}_])`, "iu").test(text);
  };

  const completeName = (begun, caret, names) => {
    const prefix = begun.toLowerCase();
    const found = names().filter((name) => name.toLowerCase().startsWith(prefix)).slice(0, LIMIT);
    if (!found.length || (found.length === 1 && found[0] === begun)) return null;
    return { start: caret - begun.length, end: caret,
      items: found.map((name) => ({ label: name, user: name, text: `${name} ` })) };
  };

  const completeEmoji = (begun, caret) => {
    const found = GTChat.findEmoji(begun, LIMIT);
    if (!found.length) return null;
    return { start: caret - begun.length - 1, end: caret,
      items: found.map(([name, emoji]) => ({ label: `:${name}:`, emoji, text: `${emoji} ` })) };
  };

  // Returns {start, end, items: [{label, user or emoji, text}]}, where the text of the chosen item
  // replaces text.slice(start, end), or null. A name follows an @, an emoji name of two or more
  // letters a colon. names(): user names, best first; called only if a name is begun.
  GTChat.completion = (text, caret, names) => {
    const before = text.slice(0, caret);
    const name = /(?:^|[\s(])@([^\s@]*)$/u.exec(before);
    if (name) return completeName(name[1], caret, names);
    const emoji = /(?:^|[\s(]):([a-z0-9_+-]{2,})$/.exec(before);
    return emoji ? completeEmoji(emoji[1], caret) : null;
  };
})();
