// Markup of messages: **bold**, *italic*, ~~strikethrough~~, `code`, quotes, lists, links, :emoji:, @name.
//
// marked's lexer finds the parts; they become a tree of the tags below, of text, and of links to web
// and mail addresses. HTML is never written or parsed: it is shown as text. Images are not loaded.
// A node is a string, or {tag, children, ...}: p, strong, em, del, code, pre, blockquote, ul, ol
// (start), li, a (href, title), mention (a name after an @).
"use strict";
(() => {
  const GTChat = globalThis.GTChat;

  // What is nested deeper is shown as written.
  const MAX_DEPTH = 6;
  // The lexer takes quadratic time on texts with very many markup characters or very long words: such
  // texts are shown as written.
  const MAX_MARKUP_CHARS = 300;
  const MAX_WORD = 1000;

  const disabled = () => undefined;
  // Headings, rules, tables, HTML, indented code and link definitions are not supported.
  const parser = new globalThis.marked.Marked({
    gfm: true,
    breaks: true,
    tokenizer: {
      heading: disabled, lheading: disabled, hr: disabled, table: disabled, html: disabled, tag: disabled,
      code: disabled, def: disabled, reflink: disabled,
    },
  });

  const INLINE = { strong: "strong", em: "em", del: "del" };
  const MENTION = /(?<![\p{L}\p{N}_@])@([\p{L}\p{N}_.-]*[\p{L}\p{N}_-])/gu;

  // Splits a text at the mentions in it, and replaces the names of emoji.
  const withMentions = (text) => {
    const pieces = [];
    let end = 0;
    for (const match of text.matchAll(MENTION)) {
      pieces.push(GTChat.withEmoji(text.slice(end, match.index)), { tag: "mention", children: [match[0]] });
      end = match.index + match[0].length;
    }
    pieces.push(GTChat.withEmoji(text.slice(end)));
    return pieces.filter((piece) => piece !== "");
  };

  // Returns the URL, if it is one that a message may link to.
  const safeUrl = (href) => {
    try {
      const url = new URL(href);
      return ["http:", "https:", "mailto:"].includes(url.protocol) ? url : null;
    } catch {
      return null;
    }
  };

  const link = (token) => {
    const url = safeUrl(token.href);
    if (!url) return [token.raw];
    if (token.autolink || token.raw.startsWith("<")) return [{ tag: "a", href: url.href, children: [token.text] }];
    // A link text that looks like the address of another host is phishing: it is shown as written.
    if (/^\s*(\w+:\/\/|www\.)/i.test(token.text) && safeUrl(token.text.trim())?.host !== url.host) return [token.raw];
    return [{ tag: "a", href: url.href, title: url.href, children: tree(token.tokens, 1) }];
  };

  const item = (token, depth) => {
    const children = tree(token.tokens, depth).flatMap((node) => (
      !token.loose && node.tag === "p" ? node.children : [node]
    ));
    return { tag: "li", children };
  };

  const node = (token, depth) => {
    if (depth > MAX_DEPTH) return [token.raw];
    if (INLINE[token.type]) return [{ tag: INLINE[token.type], children: tree(token.tokens, depth + 1) }];
    switch (token.type) {
      case "space": return [];
      case "br": return ["\n"];
      case "text": return token.tokens ? tree(token.tokens, depth) : withMentions(token.text);
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

  const tooComplex = (text) => {
    const count = text.replace(/```[^]*?```/g, "").match(/[*_~[\]`<]/g)?.length ?? 0;
    return count > MAX_MARKUP_CHARS || text.split(/\s/).some((word) => word.length > MAX_WORD);
  };

  // Returns the tree of a message's text, as a list of nodes.
  GTChat.markup = (text) => {
    if (tooComplex(text)) return plain(text);
    try {
      return tree(parser.lexer(text), 0);
    } catch {
      return plain(text); // nested too deeply for the lexer
    }
  };
})();
