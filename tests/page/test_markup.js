// markup.js, emoji.js and mentions.js: what a message's text is turned into, and what it never is.
"use strict";
(() => {
  // Writes a tree in one line: strong(b) and text.
  const short = (nodes) => nodes.map((node) => (typeof node === "string" ? node
    : `${node.tag}${node.href ? `<${node.href}>` : ""}(${short(node.children)})`)).join("");
  const parsed = (text) => short(GTChat.markup(text));

  const MARKUP = [
    ["**b** *i* _u_ ~~d~~ `c`", "p(strong(b) em(i) em(u) del(d) code(c))"],
    ["one\ntwo", "p(one\ntwo)"],
    ["one\n\ntwo", "p(one)p(two)"],
    ["> said\n\nyes", "blockquote(p(said))p(yes)"],
    ["```js\nif (a < b) { `x` }\n```", "pre(if (a < b) { `x` })"],
    ["- a\n- b", "ul(li(a)li(b))"],
    ["3. a\n4. b", "ol(li(a)li(b))"],
    [":tada: :+1: :nonsense: 12:30:45", "p(🎉 👍 :nonsense: 12:30:45)"],
    ["`:tada:` @ann", "p(code(:tada:) mention(@ann))"],
    ["hi @ann.", "p(hi mention(@ann).)"],
    ["see https://a.example/x_y_z.", "p(see a<https://a.example/x_y_z>(https://a.example/x_y_z).)"],
    ["[words](https://a.example/)", "p(a<https://a.example/>(words))"],
    ["snake_case_name and 2*3*4", "p(snake_case_name and 2em(3)4)"],
    ["**half", "p(**half)"],
  ];
  test("markup is parsed", () => {
    for (const [text, tree] of MARKUP) equal(parsed(text), tree);
  });

  const AS_WRITTEN = [
    "<script>alert(1)</script>", "<b>x</b>", "&lt;b&gt; &amp;", "<div>", "<!-- x -->", "# no heading", "    four spaces",
    "a\n===", "---", "a | b\n--|--\n1 | 2", "![picture](https://a.example/x.png)", "[x](javascript:alert(1))",
    "[x](data:text/html,x)", "[x](//a.example)", "[x](/path)", "[x](vbscript:x)", "[https://bank.example](https://evil.example)",
    "javascript:alert(1)", "[x][y]",
  ];
  test("markup that is not supported, and unsafe links, are shown as written", () => {
    for (const text of AS_WRITTEN) equal(parsed(text), `p(${text})`);
  });

  test("links lead to http, https and mailto only", () => {
    const found = [];
    const walk = (nodes) => nodes.forEach((node) => {
      if (node.tag === "a") found.push(new URL(node.href).protocol);
      if (node.children) walk(node.children);
    });
    walk(GTChat.markup("https://a.example www.a.example me@a.example <ftp://a.example> <file:///etc> [x](tel:1) <https://b.example>"));
    equal(found, ["https:", "http:", "mailto:", "https:"]);
  });

  // Texts that take a naive parser quadratic or exponential time.
  const LONG = [
    ">".repeat(4000), "- ".repeat(2000), "> - ".repeat(1000), "*a ".repeat(1300), "a*_".repeat(1300), "_".repeat(4000), "[".repeat(4000),
    "[a](".repeat(1000), "`".repeat(3999), "a.".repeat(1999), `${"a.".repeat(1990)}@`, "|a\n|-\n".repeat(600), "\\".repeat(4000),
    "<a ".repeat(1300), `${" ".repeat(3990)}a`, "~~a".repeat(1300), "www.".repeat(1000), "((".repeat(2000),
  ];
  test("no text takes long or fails, and no letter is lost", () => {
    const letters = (nodes) => nodes.map((node) => (typeof node === "string" ? node : letters(node.children))).join("");
    for (const text of LONG) {
      const found = letters(GTChat.markup(text)).replace(/[^a-z]/g, "");
      equal(found.length, text.replace(/[^a-z]/g, "").length);
    }
  });

  test("nesting is limited", () => {
    const depth = (nodes) => Math.max(0, ...nodes.filter((node) => node.children).map((node) => 1 + depth(node.children)));
    equal(depth(GTChat.markup(`${">".repeat(50)}x`)) < 10, true);
    equal(depth(GTChat.markup(Array.from({ length: 40 }, (_, index) => `${" ".repeat(index * 2)}- x`).join("\n"))) < 20, true);
  });

  test("a text of one to three emoji is shown large", () => {
    equal(["🎉", "👍🏽 ❤️", "🎉🎉🎉🎉", "🎉!", "1", ""].map(GTChat.isOnlyEmoji), [true, true, false, false, false, false]);
  });

  test("a message mentions a user by name, with or without an @", () => {
    equal(["@ann", "Ann!", "hi ann", "annals", "joann", "@annabel", "안ann"].map((text) => GTChat.mentions(text, "ann")),
      [true, true, true, false, false, false, false]);
  });

  test("names are completed after an @, emoji after a colon", () => {
    const names = () => ["bob", "Roberta", "bobby"];
    const completed = (text, caret = text.length) => GTChat.completion(text, caret, names)?.items.map((item) => item.label) ?? null;
    equal(completed("hi @bo"), ["bob", "bobby"]);
    equal(completed("@ROB"), ["Roberta"]);
    equal(completed("@Roberta"), null);
    equal(completed("a@bo"), null);
    equal(completed("say :tad"), [":tada:"]);
    equal(completed("12:30"), null);
    equal(completed(":)"), null);
    const { start, end, items } = GTChat.completion("hi @Rob!", 7, names);
    equal([start, end, items[0].text], [4, 7, "Roberta "]);
  });
})();
