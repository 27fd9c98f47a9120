// What a message's signs mean: **bold**, *italic*, `code`, quotes, lists, links, :names: of pictures.
//
// marked finds the parts; from these a tree is made of the few tags below, of text, and of addresses
// that are web or mail. No HTML is ever written or read: what looks like it is text, pictures are not
// loaded. A node is a text, or {tag, children, ...}: p, strong, em, del, code, pre, blockquote, ul, ol
// (start), li, a (href), at (a name behind an @).
"use strict";
(() => {
  const GTChat = globalThis.GTChat;

  // Deeper than this is shown as it was written.
  const DEEPEST = 6;
  // Texts with more signs, or longer words, than people write would take long to understand.
  const MOST_SIGNS = 300;
  const LONGEST_WORD = 1000;

  const nothing = () => undefined;
  // What is not understood here: headings, rules, tables, HTML, indented code, footnotes of links.
  const parser = new globalThis.marked.Marked({
    gfm: true,
    breaks: true,
    tokenizer: {
      heading: nothing, lheading: nothing, hr: nothing, table: nothing, html: nothing, tag: nothing,
      code: nothing, def: nothing, reflink: nothing,
    },
  });

  const MARKS = { strong: "strong", em: "em", del: "del" };
  const AT = /(?<![\p{L}\p{N}_@])@([\p{L}\p{N}_.-]*[\p{L}\p{N}_-])/gu;

  // A text with its pictures and the names in it.
  const words = (text) => {
    const pieces = [];
    let end = 0;
    for (const match of text.matchAll(AT)) {
      pieces.push(GTChat.withEmoji(text.slice(end, match.index)), { tag: "at", children: [match[0]] });
      end = match.index + match[0].length;
    }
    pieces.push(GTChat.withEmoji(text.slice(end)));
    return pieces.filter((piece) => piece !== "");
  };

  const address = (href) => {
    try {
      const url = new URL(href);
      return ["http:", "https:", "mailto:"].includes(url.protocol) ? url : null;
    } catch {
      return null;
    }
  };

  const link = (token) => {
    const url = address(token.href);
    if (!url) return [token.raw];
    if (token.autolink || token.raw.startsWith("<")) return [{ tag: "a", href: url.href, children: [token.text] }];
    // Words that look like another address than the one they lead to are told in full.
    if (/^\s*(\w+:\/\/|www\.)/i.test(token.text) && address(token.text.trim())?.host !== url.host) return [token.raw];
    return [{ tag: "a", href: url.href, title: url.href, children: tree(token.tokens, 1) }];
  };

  const item = (token, depth) => {
    const children = tree(token.tokens, depth).flatMap((node) => (
      !token.loose && node.tag === "p" ? node.children : [node]
    ));
    return { tag: "li", children };
  };

  const node = (token, depth) => {
    if (depth > DEEPEST) return [token.raw];
    if (MARKS[token.type]) return [{ tag: MARKS[token.type], children: tree(token.tokens, depth + 1) }];
    switch (token.type) {
      case "space": return [];
      case "br": return ["\n"];
      case "text": return token.tokens ? tree(token.tokens, depth) : words(token.text);
      case "escape": return [token.text];
      case "paragraph": return [{ tag: "p", children: tree(token.tokens, depth) }];
      case "codespan": return [{ tag: "code", children: [token.text] }];
      case "code": return [{ tag: "pre", children: [token.text] }];
      case "blockquote": return [{ tag: "blockquote", children: tree(token.tokens, depth + 1) }];
      case "checkbox": return [token.checked ? "☑ " : "☐ "];
      case "list": return [{ tag: token.ordered ? "ol" : "ul", start: token.ordered ? token.start : undefined,
        children: token.items.map((part) => item(part, depth + 1)) }];
      case "link": return link(token);
      default: return [token.raw];
    }
  };

  const tree = (tokens, depth) => tokens.flatMap((token) => node(token, depth));

  const plain = (text) => [{ tag: "p", children: [text] }];

  const tooMuch = (text) => {
    const signs = text.replace(/```[^]*?```/g, "").match(/[*_~[\]`<]/g)?.length ?? 0;
    return signs > MOST_SIGNS || text.split(/\s/).some((word) => word.length > LONGEST_WORD);
  };

  // The tree of a message.
  GTChat.markup = (text) => {
    if (tooMuch(text)) return plain(text);
    try {
      return tree(parser.lexer(text), 0);
    } catch {
      return plain(text); // nested too deeply to be understood
    }
  };
})();
