// The text of a message: its markup as elements.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { h, html, Component, useEffect, useMemo, useReducer, useState } = globalThis.htmPreact;
  const { Icon } = GTChat.parts;
  const text = (...details) => GTChat.text(...details);

  // Milliseconds for which a button says that something was copied.
  const COPIED_SHOWN = 2000;
  // Letters of a code block's language that are shown.
  const MAX_LANGUAGE = 20;

  // Copies a text. Without TLS pages have no clipboard: a selection is copied instead.
  const copy = async (copied) => {
    try {
      await navigator.clipboard.writeText(copied);
    } catch {
      const before = document.activeElement;
      const field = Object.assign(document.createElement("textarea"), { value: copied });
      document.body.append(field);
      field.select();
      document.execCommand("copy");
      field.remove();
      before?.focus();
    }
  };

  const colours = new GTChat.CodeColours();

  // Returns code as children of an element: as a text, and with its colours when they are known.
  const useColours = (code, language) => {
    const [draws, redraw] = useReducer((count) => count + 1, 0);
    useEffect(() => colours.request(language, code, redraw), [language, code]);
    return useMemo(() => colours.pieces(language, code)?.map(([kind, part]) => (
      kind ? h("span", { class: `code-${kind}` }, part) : part)) ?? code, [language, code, draws]);
  };

  const CodeBlock = ({ code, language }) => {
    const shown = useColours(code, language);
    const [copied, setCopied] = useState(false);
    useEffect(() => {
      if (!copied) return undefined;
      const timer = setTimeout(() => setCopied(false), COPIED_SHOWN);
      return () => clearTimeout(timer);
    }, [copied]);
    const onClick = async () => {
      await copy(code);
      setCopied(true);
    };
    return html`
      <figure class="code" dir="ltr"><figcaption><bdi>${language?.slice(0, MAX_LANGUAGE)}</bdi>
        <button type="button" class="icon-button labelled" onClick=${onClick}><${Icon} name=${copied ? "check" : "copy"} size="s" />
          <span role="status">${text(copied ? "copied" : "copy")}</span></button></figcaption><pre tabindex="0">${shown}</pre></figure>`;
  };

  // Attributes by tag. Each block has its own text direction; inline parts are isolated (conversation.css).
  const ATTRIBUTES = {
    p: () => ({ dir: "auto" }),
    li: ({ value }) => ({ dir: "auto", value }),
    blockquote: () => ({ dir: "auto" }),
    a: ({ href, title }) => ({ href, title, target: "_blank", rel: "noopener noreferrer" }),
  };

  const mention = (name, kind) => {
    if (!kind) return name;
    return h("button", { type: "button", class: `user-mention ${kind}`, "data-person": name.slice(1) }, name);
  };

  // Returns the elements of a markup tree. userClass(name): "me", "known", or "" for no user.
  const elements = (nodes, userClass) => nodes.map((node) => {
    if (typeof node === "string") return node;
    if (node.tag === "mention") return mention(node.children[0], userClass(node.children[0].slice(1)));
    if (node.tag === "pre") return h(CodeBlock, { code: node.children[0], language: node.lang });
    return h(node.tag, ATTRIBUTES[node.tag]?.(node), elements(node.children, userClass));
  });

  const userClassIn = (state) => (name) => {
    if (name.toLowerCase() === state.me.toLowerCase()) return "me";
    return state.isOnline(name) || state.current?.members?.has(name) ? "known" : "";
  };

  // Parsing is expensive: the text is parsed again only if it changes.
  GTChat.MessageText = class extends Component {
    shouldComponentUpdate(next) { return next.msg !== this.props.msg || next.state.me !== this.props.state.me; }

    render({ msg, state }) {
      return html`<div class=${`text ${GTChat.isOnlyEmoji(GTChat.withEmoji(msg)) ? "only-emoji" : ""}`}>
        ${elements(GTChat.markup(msg), userClassIn(state))}</div>`;
    }
  };

  // The topic of a room, with its links.
  GTChat.Topic = ({ topic }) => useMemo(() => elements(GTChat.links(topic), () => ""), [topic]);

  GTChat.copy = copy;
})();
