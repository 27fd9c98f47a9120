// Markup of messages: **bold**, *italic*, ~~strikethrough~~, `code`, quotes, lists, links, :emoji:, @name.
//
// marked's lexer walks the text; the tokenizers below say what is markup. Everything else is text and
// is shown as it was written: there are no escapes, entities, headings, tables, images or HTML.
// A node is a string, or {tag, children, ...}: p, strong, em, del, code, pre, blockquote, ul, ol, li
// (value: its number), a (href, title), mention (a name after an @).
"use strict";
(() => {
  const GTChat = globalThis.GTChat;

  // What is nested deeper is shown as written.
  const MAX_DEPTH = 6;
  const MAX_QUOTES = 20;
  // The lexer takes quadratic time on texts with very many markup characters or very long words: such
  // texts are shown as written.
  const MAX_MARKUP_CHARS = 300;
  const MAX_WORD = 1000;

  // Tokenizers. Each returns a token for the start of `src`, undefined for none, or false for marked's own.

  const disabled = () => undefined;
  const asText = (raw) => ({ type: "text", raw, text: raw });

  // A letter or digit of a script that separates words by spaces: next to one, * and ** are no markup.
  // A backslash before them does the same.
  const SPACELESS = "\\p{Script=Han}\\p{Script=Hiragana}\\p{Script=Katakana}\\p{Script=Hangul}\\p{Script=Thai}\\p{Script=Lao}\\p{Script=Khmer}";
  const WORD = new RegExp(`(?![${SPACELESS}])[\\p{L}\\p{N}_\\\\]`, "u");
  const EMPHASIS = /^(\*{1,3})(?![\s*])([^]*?[^\s*])\1(?!\*)/;
  const EMPHASIS_TYPES = ["em", "strong"];

  // maskedSrc: the whole text, with code and links made unrecognizable.
  function emphasis(src, maskedSrc, before = "") {
    const found = EMPHASIS.exec(maskedSrc.slice(-src.length));
    if (!found || before === "*" || WORD.test(before)) return undefined;
    const [{ length }, { length: marks }] = found;
    if (WORD.test([...src.slice(length, length + 2)][0] ?? "")) return undefined;
    const raw = src.slice(0, length);
    // *** is both.
    const inner = marks === 3 ? src.slice(2, length - 2) : src.slice(marks, length - marks);
    return { type: EMPHASIS_TYPES[marks === 1 ? 0 : 1], raw, text: inner, tokens: this.lexer.inlineTokens(inner) };
  }

  function strikethrough(src) {
    const [raw, text] = /^~~(?![\s~])([^]*?[^\s~])~~(?!~)/.exec(src) ?? [];
    return raw && { type: "del", raw, text, tokens: this.lexer.inlineTokens(text) };
  }

  function codespan(src) {
    const [raw, , text] = /^(`+)([^`]|[^`][^]*?[^`])\1(?!`)/.exec(src) ?? [];
    return raw && { type: "codespan", raw, text: text.replace(/^ (`[^]*`) $/, "$1") };
  }

  // Only lines that begin with > belong to a quote.
  function blockquote(src) {
    const [raw] = /^(?: {0,3}>[^\n]*(?:\n|$))+/.exec(src) ?? [];
    if (!raw) return undefined;
    const text = raw.replace(/^ {0,3}> ?/gm, "");
    return { type: "blockquote", raw, text, tokens: this.lexer.blockTokens(text, []) };
  }

  // Items begin with "- ", "* " or a number and a dot; the numbers are kept.
  const LIST = /^ {0,3}(?:[-*]|(?:0|[1-9]\d{0,8})\.)[ \t]+\S/;
  const list = (src) => (LIST.test(src) ? false : undefined);

  // Links.

  // Invisible characters, and those that change the direction of text.
  const INVISIBLE = /[\p{Cf}\p{Cc}\p{Zl}\p{Zp}]/gu;
  const WEB = /^(?:https?:\/\/|www\.[^\s/.]+\.[^\s/.])[^\s<>"\\`。，、；：！？（）「」『』【】《》“”]+/iu;
  const MAIL = /^[a-z0-9._+-]+@(?:[a-z0-9-]+\.)+[a-z]{2,}(?![\w@-])/i;
  const TEXT_LINK = /^(!?)\[([^[\]\n]+)\]\(((?:https?:\/\/|mailto:)(?:[^\s()<>"\\]|\([^\s()<>"\\]*\))+)\)/iu;

  const parseUrl = (href) => {
    try {
      return new URL(href);
    } catch {
      return null;
    }
  };

  // Returns the URL of a link, or null if a message must not link to it. What stands before an @ looks
  // like a host.
  const safeUrl = (href) => {
    const url = parseUrl(href);
    if (!url || url.protocol === "mailto:") return url;
    return /^https?:$/.test(url.protocol) && !url.username && !url.password ? url : null;
  };

  // Cuts the punctuation of the sentence off the end of a URL.
  const withoutPunctuation = (text) => {
    let url = text;
    for (;;) {
      const last = url.at(-1);
      const opening = { ")": "(", "]": "[" }[last];
      const unbalanced = opening && url.split(opening).length < url.split(last).length;
      if (!/[.,:;!?'*~]/.test(last) && !unbalanced) return url;
      url = url.slice(0, -1);
    }
  };

  // Returns how a URL is shown: the host in ASCII, unless it was written in letters that cannot be
  // taken for others, and invisible characters percent-encoded.
  const shownUrl = (written, url) => {
    const [, scheme, authority, rest] = /^(https?:\/\/)?([^/?#]*)([^]*)$/i.exec(written);
    const host = authority.replace(/:\d*$/, "").toLowerCase();
    const shown = host === url.hostname ? authority : url.host;
    return (scheme ?? "") + shown + rest.replace(INVISIBLE, encodeURIComponent);
  };

  function address(src) {
    const mail = MAIL.exec(src)?.[0];
    if (mail) return { type: "link", raw: mail, href: `mailto:${mail}`, shown: mail };
    const raw = withoutPunctuation(WEB.exec(src)?.[0] ?? " ");
    if (raw === " ") return undefined;
    const url = safeUrl(/^www\./i.test(raw) ? `http://${raw}` : raw);
    return url ? { type: "link", raw, href: url.href, shown: shownUrl(raw, url) } : asText(raw);
  }

  // Endings that look like a domain and are none: the names of files and programs.
  const FILE = /\.(?:js|ts|jsx|tsx|json|txt|html?|css|ya?ml|toml|xml|csv|pdf|png|jpe?g|gif|svg|cpp|php|exe|tar|gz|bak|log|ini|conf)$/i;
  const HOST = /(?:[\p{L}\p{N}\p{M}_-]+\.)+[\p{L}\p{M}][\p{L}\p{N}\p{M}-]+/gu;

  // Returns the host names that a text seems to name, in ASCII.
  const hostsIn = (text) => {
    const plain = text.normalize("NFKC").replace(INVISIBLE, "").replace(/[。․]/g, ".");
    const hosts = (plain.match(HOST) ?? []).filter((host) => !FILE.test(host));
    const schemes = plain.match(/\w+:\/\/[^\s/?#]*/g) ?? [];
    return [...schemes, ...hosts.map((host) => `http://${host}`)]
      .map((href) => parseUrl(href)?.hostname ?? href);
  };

  // A link with a text. If the text names another host than the link leads to, or no host can be seen
  // in it because it is written in other letters, it is shown as written.
  function textLink(src) {
    const [raw, image, text, href] = TEXT_LINK.exec(src) ?? [];
    if (!raw) return undefined;
    const url = safeUrl(href);
    const hosts = hostsIn(text);
    const honest = hosts.every((host) => host === url?.hostname) && !(hosts.length && /[^ -~]/.test(text));
    if (image || !url || !honest) return asText(raw);
    const { state } = this.lexer;
    state.inLink = true;
    const tokens = this.lexer.inlineTokens(text);
    state.inLink = false;
    return { type: "link", raw, href: url.href, title: url.href, tokens };
  }

  const DISABLED = {
    heading: disabled, lheading: disabled, hr: disabled, table: disabled, html: disabled, tag: disabled,
    code: disabled, def: disabled, reflink: disabled, escape: disabled, autolink: disabled,
  };
  const LINKS = { link: textLink, url: address };
  const parser = new globalThis.marked.Marked({
    gfm: true,
    breaks: true,
    tokenizer: { ...DISABLED, ...LINKS, emStrong: emphasis, del: strikethrough, codespan, blockquote, list },
  });
  // Of a text in one line, as the topic of a room, only links are markup.
  const linkParser = new globalThis.marked.Marked({
    gfm: true,
    tokenizer: { ...DISABLED, ...LINKS, fences: disabled, br: disabled, emStrong: disabled, del: disabled, codespan: disabled,
      blockquote: disabled, list: disabled },
  });

  // The tree.

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

  const item = (token, depth) => {
    const children = tree(token.tokens, depth).flatMap((node) => (
      !token.loose && node.tag === "p" ? node.children : [node]
    ));
    const number = /^ *(\d+)\./.exec(token.raw)?.[1];
    return { tag: "li", value: number && Number(number), children };
  };

  const node = (token, depth) => {
    if (depth > MAX_DEPTH) return [token.raw];
    if (INLINE[token.type]) return [{ tag: INLINE[token.type], children: tree(token.tokens, depth + 1) }];
    switch (token.type) {
      case "space": return [];
      case "text": return token.tokens ? tree(token.tokens, depth) : withMentions(token.raw);
      case "paragraph": return [{ tag: "p", children: tree(token.tokens, depth) }];
      case "codespan": return [{ tag: "code", children: [token.text] }];
      case "code": return [{ tag: "pre", lang: token.lang || undefined, children: [token.text] }];
      case "blockquote": return [{ tag: "blockquote", children: tree(token.tokens, depth + 1) }];
      case "list": return [{ tag: token.ordered ? "ol" : "ul", children: token.items.map((part) => item(part, depth + 1)) }];
      case "link": return [{ tag: "a", href: token.href, title: token.title,
        children: token.tokens ? tree(token.tokens, 1) : [token.shown] }];
      default: return [token.raw]; // among them line breaks, with the spaces that begin the next line
    }
  };

  const tree = (tokens, depth) => tokens.flatMap((token) => node(token, depth));

  const plain = (text) => [{ tag: "p", children: [text] }];

  const tooComplex = (text) => {
    const count = text.replace(/```[^]*?```/g, "").match(/[*~[\]`<]/g)?.length ?? 0;
    return count > MAX_MARKUP_CHARS || text.split(/\s/).some((word) => word.length > MAX_WORD)
      || new RegExp(`^(?: *>){${MAX_QUOTES}}`, "m").test(text);
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

  const rawOf = (tokens) => tokens.map(({ raw }) => raw).join("");

  // Returns a text as a list of nodes: strings, and "a".
  GTChat.links = (text) => {
    if (!/:\/\/|www\.|@/i.test(text) || tooComplex(text)) return [text];
    const tokens = linkParser.lexer(text).flatMap((token) => token.tokens ?? [token]);
    return tokens.map((token) => (token.type !== "link" ? token.raw
      : { tag: "a", href: token.href, title: token.title, children: [token.shown ?? rawOf(token.tokens)] }));
  };

  // Returns a text without markup, in one line, as a quote or in a list.
  const flatten = (nodes) => nodes.map((part) => (typeof part === "string" ? part : flatten(part.children)
    + (["p", "li", "pre", "blockquote"].includes(part.tag) ? " " : ""))).join("");
  GTChat.plainText = (msg) => flatten(GTChat.markup(msg)).replace(/\s+/g, " ").trim();
})();
