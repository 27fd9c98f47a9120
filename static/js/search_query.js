// What is typed to search for: words, "phrases" and filters such as from:ann. The server says what they mean
// (docs/protocol.md, "Search"); here filters are found, added and taken away. Also the text of a message that was
// found, with what was looked for in it.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;

  const PART = /(?:(from|in|before|after|has):)?(?:"([^"]*)"|(\S+))/gi;
  const DAY = /^\d{4}-\d\d-\d\d$/;
  // Characters of a query at most, and parts.
  const MAX_CHARS = 500;
  const MAX_PARTS = 20;

  // Returns the parts of a query: {raw, filter: its name or "", value}.
  const parts = (query) => [...query.matchAll(PART)].map(([raw, filter = "", quoted, word]) => (
    { raw, filter: filter.toLowerCase(), value: quoted ?? word }));

  // Returns the values of a filter.
  const values = (query, filter) => parts(query).filter((part) => part.filter === filter).map(({ value }) => value);

  // Returns the query without some filters.
  const without = (query, ...filters) => parts(query).filter(({ filter }) => !filter || !filters.includes(filter)).map(({ raw }) => raw).join(" ");

  // Returns the query with one more filter.
  const add = (query, filter, value) => `${query} ${filter}:${/\s/.test(value) ? `"${value}"` : value}`.trim();

  const isDay = (value) => DAY.test(value) && !Number.isNaN(Date.parse(value));

  // Returns why the server would refuse a query, as the key of a text, or null.
  const problem = (query) => {
    if ([...query].length > MAX_CHARS) return "too_long";
    if (parts(query).length > MAX_PARTS) return "search_too_many";
    if (!["before", "after"].every((filter) => values(query, filter).every(isDay))) return "search_bad_day";
    if (values(query, "has").some((value) => value.toLowerCase() !== "link")) return "search_bad_has";
    return without(query, "in", "before", "after") ? null : "search_no_words";
  };

  // Returns the day on which the local day began that is `ago` days before that of `now`, in UTC as the server counts.
  const dayBefore = (ago, now = new Date()) => new Date(now.getFullYear(), now.getMonth(), now.getDate() - ago).toISOString().slice(0, 10);

  GTChat.searchQuery = { values, without, add, problem, dayBefore };

  // Characters that no text has: they stand around what is marked while the markup is taken away.
  const [BEGIN, END] = ["\uFDD0", "\uFDD1"];
  const MARKS = /[\uFDD0\uFDD1]/g;
  const withoutMarks = (text) => text.replace(MARKS, "");
  // Characters before the first mark, if there are more than twice as many, and in all.
  const LEAD = 50;
  const LENGTH = 200;

  // Cuts a text, so that the first mark is in it.
  const cut = (marked) => {
    const characters = [...marked];
    const first = characters.indexOf(BEGIN);
    let start = 0;
    if (first > 2 * LEAD) {
      const space = characters.indexOf(" ", first - LEAD);
      start = space >= 0 && space < first ? space + 1 : first - LEAD;
    }
    const end = start + LENGTH < characters.length ? start + LENGTH : characters.length;
    return `${start ? "…" : ""}${characters.slice(start, end).join("")}${end < characters.length ? `${END}…` : ""}`;
  };

  // Returns the text of a message in one line without its markup, cut, as a list of strings and of {marked: string}.
  // marks: ranges of it in code points, in order.
  GTChat.excerpt = (msg, marks = []) => {
    const characters = [...msg.replace(MARKS, "\uFFFD")];
    let end = 0;
    const pieces = marks.flatMap(([from, to]) => {
      const before = characters.slice(end, from);
      end = to;
      return [...before, BEGIN, ...characters.slice(from, to), END];
    });
    const marked = [...pieces, ...characters.slice(end)].join("");
    const plain = GTChat.plainText(marked);
    // The marks may change what is markup: then the text is shown as it was written.
    const isSame = withoutMarks(plain) === GTChat.plainText(characters.join(""));
    const line = isSame ? plain : marked.replace(/\s+/g, " ").trim();
    return cut(line).split(/(\uFDD0[^\uFDD1]*)/).map((piece) => (piece.startsWith(BEGIN) ? { marked: withoutMarks(piece) } : withoutMarks(piece)))
      .filter(Boolean);
  };
})();
