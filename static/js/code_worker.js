// Runs in a worker, which code_colours.js starts: finds the parts of code that have a colour, by Prism's tokenizer.
//
// Gets {language, code}, where the language is a name of Prism's, and answers {pieces}: a list of [kind, text] whose
// texts are the code when joined. A kind is that of a colour in tokens.css: "key", "str", "num", "rem" or "" for none.
// Without an answer for the code, `pieces` is null. {ready: true} is said once, when it can be asked.
"use strict";
(() => {
  const PRISM = "../vendor/prism-1.30.0.js";
  // Each piece is an element: what follows this many has no colour.
  const MAX_PIECES = 1000;

  // Types of Prism's tokens by kind. Parts of a token with none of these types have the kind of the token.
  const TYPES = {
    key: ["keyword", "atrule", "rule", "tag", "important", "directive", "directive-hash", "property"],
    str: ["string", "string-interpolation", "template-string", "interpolation-string", "char", "character", "attr-value", "regex", "url", "symbol", "inserted"],
    num: ["number", "boolean", "null", "nil", "deleted"],
    rem: ["comment", "shebang", "hashbang", "prolog", "doctype", "cdata", "coord"],
    "": ["attr-name", "selector", "macro", "attribute", "lifetime-annotation"],
  };
  const KINDS = new Map(Object.entries(TYPES).flatMap(([kind, types]) => types.map((type) => [type, kind])));

  // Returns the kind of a token, undefined for none of its own. The type comes before the aliases.
  const kindOf = ({ type, alias }) => {
    for (const name of [type, alias ?? []].flat()) if (KINDS.has(name)) return KINDS.get(name);
    return undefined;
  };

  const piecesOf = (tokens) => {
    const pieces = [];
    const add = (kind, text) => {
      const shown = pieces.length < MAX_PIECES ? kind : "";
      const last = pieces.at(-1);
      if (last?.[0] === shown) last[1] += text;
      else pieces.push([shown, text]);
    };
    const walk = (token, kind) => {
      if (typeof token === "string") add(kind, token);
      else if (Array.isArray(token)) for (const part of token) walk(part, kind);
      else walk(token.content, kindOf(token) ?? kind);
    };
    walk(tokens, "");
    return pieces;
  };

  const rules = { createScriptURL: () => PRISM };
  const policy = globalThis.trustedTypes?.createPolicy("gtchat-worker", rules) ?? rules;
  // Without this Prism would take our messages for its own.
  globalThis.Prism = { disableWorkerMessageHandler: true };
  importScripts(policy.createScriptURL(""));
  const { languages, tokenize } = globalThis.Prism;

  addEventListener("message", ({ data: { language, code } }) => {
    let pieces = null;
    try {
      pieces = piecesOf(tokenize(code, languages[language]));
    } catch {
      // nested too deeply for the tokenizer
    }
    postMessage({ pieces });
  });
  postMessage({ ready: true });
})();
