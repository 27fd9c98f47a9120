// markup.js, emoji.js and mentions.js: what a message's text is turned into, and what it never is.
"use strict";
(() => {
  // Writes a tree in one line: strong(b) and text.
  const short = (nodes) => nodes.map((node) => (typeof node === "string" ? node
    : `${node.tag}${node.value ?? ""}${node.href ? `<${node.href}>` : ""}(${short(node.children)})`)).join("");
  const parsed = (text) => short(GTChat.markup(text));

  const MARKUP = [
    ["**b** *i* ~~d~~ `c`", "p(strong(b) em(i) del(d) code(c))"],
    ["***b*** **a *b* c** (*i*), **x:** \"*y*\"", "p(strong(em(b)) strong(a em(b) c) (em(i)), strong(x:) \"em(y)\")"],
    ["这是**粗体**和*斜体*文字", "p(这是strong(粗体)和em(斜体)文字)"],
    ["**https://a.example/** *a_b*", "p(strong(a<https://a.example/>(https://a.example/)) em(a_b))"],
    ["`*a*` `` a`b `` `C:\\`", "p(code(*a*) code( a`b ) code(C:\\))"],
    ["C:\\`a` \\[b](https://a.example/)", "p(C:\\code(a) \\a<https://a.example/>(b))"],
    ["one\ntwo", "p(one\ntwo)"],
    ["one\n\ntwo", "p(one)p(two)"],
    ["> said\n\nyes", "blockquote(p(said))p(yes)"],
    ["```js\nif (a < b) { `x` }\n```", "pre(if (a < b) { `x` })"],
    ["- a\n- b", "ul(li(a)li(b))"],
    ["> said\nmine", "blockquote(p(said))p(mine)"],
    ["> a\n> > b", "blockquote(p(a)blockquote(p(b)))"],
    ["3. a\n4. b", "ol(li3(a)li4(b))"],
    ["1. one\n3. three\n2. two", "ol(li1(one)li3(three)li2(two))"],
    ["- a\n  - b\n- [ ] c", "ul(li(aul(li(b)))li([ ] c))"],
    [":tada: :+1: :nonsense: 12:30:45", "p(🎉 👍 :nonsense: 12:30:45)"],
    ["`:tada:` @ann", "p(code(:tada:) mention(@ann))"],
    ["hi @ann.", "p(hi mention(@ann).)"],
    ["see https://a.example/x_y_z.", "p(see a<https://a.example/x_y_z>(https://a.example/x_y_z).)"],
    ["[words](https://a.example/)", "p(a<https://a.example/>(words))"],
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
    // No markup.
    "    return 1", "def f(x):\n    if x:\n\treturn 1", "C:\\new\\*.txt C:\\*a*\\", "\\*not\\* \\[x\\]", "__init__ _u_ a_b_c", "2*3*4 2**3**4 x*y*z",
    "*args, **kwargs", "5 * 3 * 2", "**bold*", "**half", "***", "~5 to ~10", "&#65; &lt; &amp;", "1) one", "01. one", "-", "1.", "+ one",
    // Links that show another address than they open.
    "[bank.example](https://evil.example)", "[www.bank.example](https://evil.example)", "[ＷＷＷ.bank.example](https://evil.example)",
    "[ａ.example](https://evil.example)", "[bank．example](https://evil.example)", "[bank。example](https://evil.example)", "[b\u200bank.example](https://evil.example)",
    "[see bank.example/login](https://evil.example)", "[me@bank.example](https://evil.example)", "[банк.рф](https://evil.example)",
    "[https://www.аррӏе.com/](https://www.аррӏе.com/)", "https://bank.example@evil.example/", "https://user:pw@evil.example",
    "[x](https://bank.example@evil.example/)",
  ];
  test("markup that is not supported, and unsafe links, are shown as written", () => {
    for (const text of AS_WRITTEN) equal(parsed(text), `p(${text})`);
  });

  // [text, href, shown text].
  const LINKS = [
    ["https://www.аррӏе.com/", "https://www.xn--80ak6aa92e.com/", "https://www.xn--80ak6aa92e.com/"],
    ["http://accounts.googlе.com/x", "http://accounts.xn--googl-3we.com/x", "http://accounts.xn--googl-3we.com/x"],
    ["https://例え.テスト:8443/パス", "https://xn--r8jz45g.xn--zckzah:8443/%E3%83%91%E3%82%B9", "https://xn--r8jz45g.xn--zckzah:8443/パス"],
    ["https://[2001:db8::1]:8080/x", "https://[2001:db8::1]:8080/x", "https://[2001:db8::1]:8080/x"],
    ["https://evil.example/\u202egro.knab", "https://evil.example/%E2%80%AEgro.knab", "https://evil.example/%E2%80%AEgro.knab"],
    ["https://0x7f.1/", "https://127.0.0.1/", "https://127.0.0.1/"],
    ["HTTPS://A.EXAMPLE:443/B", "https://a.example/B", "HTTPS://A.EXAMPLE:443/B"],
    ["https://a.example/b_", "https://a.example/b_", "https://a.example/b_"],
    ["https://a.example/x_(y)", "https://a.example/x_(y)", "https://a.example/x_(y)"],
    ["www.a.example", "http://www.a.example/", "www.a.example"],
    ["me@a.example", "mailto:me@a.example", "me@a.example"],
    ["[a.example/x](https://a.example/y)", "https://a.example/y", "a.example/x"],
    ["[Node.js](https://nodejs.example)", "https://nodejs.example/", "Node.js"],
    ["[文字](https://a.example/(x))", "https://a.example/(x)", "文字"],
  ];
  test("a link shows the host that it opens", () => {
    for (const [text, href, shown] of LINKS) equal(parsed(text), `p(a<${href}>(${shown}))`);
  });

  // Topics of rooms: one line, in which only links are markup.
  const TOPICS = [
    ["API, imports", "API, imports"],
    ["API · https://a.example/b.", "API · a<https://a.example/b>(https://a.example/b)."],
    ["*a* `b` [run*book*](https://a.example/) **https://b.example/**", "*a* `b` a<https://a.example/>(run*book*) **a<https://b.example/>(https://b.example/)**"],
    ["- a www.a.example", "- a a<http://www.a.example/>(www.a.example)"],
    ["> a ```me@a.example``` :tada: @ann", "> a ```a<mailto:me@a.example>(me@a.example)``` :tada: @ann"],
    ["[bank.example](https://evil.example) javascript://x @", "[bank.example](https://evil.example) javascript://x @"],
    ["https://user:pw@evil.example <b>www.</b>", "https://user:pw@evil.example <b>www.</b>"],
  ];
  test("of a topic only the links are markup", () => {
    for (const [text, nodes] of TOPICS) equal(short(GTChat.links(text)), nodes);
  });

  test("punctuation around a URL is no part of it", () => {
    const url = "a<https://a.example/b>(https://a.example/b)";
    for (const [before, after] of [["(", ")."], ["<", ">"], ["", "。次"], ["[", "]!"], ["\"", "\""], ["", "\\@bank.example"]]) {
      equal(parsed(`${before}https://a.example/b${after}`).replace("mention(@bank.example)", "@bank.example"), `p(${before}${url}${after})`);
    }
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
    ">".repeat(4000), "- ".repeat(2000), "> - ".repeat(1000), "*a ".repeat(1300), "a*_".repeat(1300), "_".repeat(4000), "[".repeat(4000), "> ".repeat(2000), "*a* ".repeat(900), "a.b ".repeat(1000), "[a.b] ".repeat(140), "https://a.b/(((((".repeat(50), `https://a.example/${")".repeat(900)}`,
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
