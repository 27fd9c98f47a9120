// Names and emoji in a text that is written: whether a message mentions the user, and what can complete the word before the
// caret.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;

  // Suggestions shown at a time.
  const LIMIT = 8;
  // After an "@", what mentions all members of a room; only its owner and moderators can, and the operator.
  const ROOM = "room";
  const OPERATOR = "host";

  // An "@" with the letters that can be a name, and where a name can end: as docs/protocol.md says.
  const BEGUN = /(?<![\p{L}\p{M}\p{N}_])@([\p{L}\p{M}\p{Nd}_.-]{1,32})/gu;
  const WORD = /[\p{L}\p{M}\p{N}_]/u;
  const MARK = /\p{M}/u;
  const SPACELESS = /[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Hangul}\p{sc=Thai}\p{sc=Lao}\p{sc=Khmer}]/u;

  const fold = (name) => name.toLowerCase();

  // Returns the text of a markup tree, with a line break in place of code.
  const withoutCode = (nodes) => nodes.map((node) => {
    if (typeof node === "string") return node;
    if (node.tag === "code" || node.tag === "pre") return "\n";
    return node.tag === "mention" ? node.children[0] : `\n${withoutCode(node.children)}\n`;
  }).join("");

  const endsName = (letter, following) => !following || !WORD.test(following) || SPACELESS.test(following)
    || (SPACELESS.test(letter) && !MARK.test(following));

  // Returns, for each "@" of a text, the names that it can mean, folded, the longest first.
  const mentionedNames = (msg) => {
    const text = withoutCode(GTChat.markup(msg));
    return [...text.matchAll(BEGUN)].map(({ 0: { length }, 1: begun, index }) => {
      const letters = [...begun, ...[...text.slice(index + length, index + length + 2)].slice(0, 1)];
      const count = [...begun].length;
      const ends = Array.from({ length: count }, (_unused, at) => count - at).filter((end) => endsName(letters[end - 1], letters[end]));
      return ends.map((end) => fold(letters.slice(0, end).join("")));
    });
  };

  const mayMentionAll = (room, usr) => room.kind === "room" && (fold(usr) === OPERATOR || room.moderates(usr));

  // Returns whether a message of another user mentions the user, by the rules of the server. Of a name that is
  // longer than the user's it is known only if it is that of a member.
  GTChat.mentionsUser = (state, conversation, { usr, msg }) => {
    if (!msg.includes("@") || usr === state.me) return false;
    const me = fold(state.me);
    const isLobby = conversation === state.lobby;
    const isMember = (name) => (isLobby && state.isOnline(name)) || [...conversation.members].some((member) => fold(member) === name);
    const meansAll = (name) => name === ROOM && mayMentionAll(conversation, usr);
    return mentionedNames(msg).some((names) => {
      if (!names.includes(me) && !names.includes(ROOM)) return false;
      const meant = names.find((name) => name === me || meansAll(name) || isMember(name));
      return meant === me || (meant !== undefined && meansAll(meant));
    });
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
