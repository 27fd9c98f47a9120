// The message box: Enter sends, Shift Enter breaks the line (on a touch screen Enter does, and the button
// sends); arrow up in an empty box recalls the last message; names after an @ and emoji after a colon are suggested, Tab or Enter accepts one.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { html, useEffect, useRef, useState } = globalThis.htmPreact;
  const { Avatar, IconButton } = GTChat.parts;
  const { drafts } = GTChat.storage;
  const text = (...details) => GTChat.text(...details);

  // Pixels that the box grows to.
  const MAX_HEIGHT = 240;
  // Characters of a message if the server names no limit, and left when their number is shown.
  const DEFAULT_LIMIT = 4000;
  const SHOW_LEFT = 200;
  // Devices whose keyboard is on the screen: it has no Shift Enter.
  const TOUCH = "(hover: none) and (pointer: coarse)";
  // Markup put around the selection, by the key pressed with Ctrl.
  const MARKUP_KEYS = { b: "**", i: "*" };

  // Names to complete, best first: the conversation's members, then users online.
  const completableNames = (state, conversation) => {
    const members = conversation.members ? [...conversation.members] : [conversation.name];
    const sorted = (names) => names.sort(GTChat.inOrder);
    return [...new Set([...sorted(members), ...sorted([...state.online.values()])])].filter((name) => name !== state.me);
  };

  const Typing = ({ conversation }) => {
    const names = [...(conversation.typing ?? [])].sort();
    const shown = names.length === 0 ? ""
      : names.length === 1 ? text("typing_one", { usr: names[0] })
        : names.length === 2 ? text("typing_two", { usr: names[0], other: names[1] }) : text("typing_many");
    return html`<p class="typing" role="status" dir="auto">${shown && html`<span class="dots" aria-hidden="true"></span>${shown}`}</p>`;
  };

  // Returns a text as it is sent: without blank lines before it and blanks after it. Indentation is kept.
  const prepared = (text) => text.replace(/\r\n?/g, "\n").replace(/^(?:[^\S\n]*\n)+/, "").trimEnd();

  // Says what is possible with a text that is too long. refusals: how often the user has tried to send it.
  const TooLong = ({ count, limit, refusals }) => {
    const number = (value) => value.toLocaleString(GTChat.language());
    return html`<p class="too-long problem" role=${refusals ? "alert" : "status"}>
      ${text("message_too_long", { count: number(count), limit: number(limit) })}</p>`;
  };

  const Suggestions = ({ items, chosen, accept }) => html`
    <ul class="suggestions" id="suggestions" role="listbox" aria-label=${text("suggestions")}>
      ${items.map((item, index) => html`
        <li key=${item.label} id=${`suggestion-${index}`} role="option" aria-selected=${index === chosen ? "true" : "false"}
          onPointerDown=${(event) => { event.preventDefault(); accept(index); }}>
          ${item.user ? html`<${Avatar} name=${item.user} />` : html`<span class="emoji" aria-hidden="true">${item.emoji}</span>`}
          <bdi>${item.label}</bdi></li>`)}
    </ul>`;

  GTChat.Composer = ({ shell, conversation }) => {
    const { state, actions, connection } = shell;
    const [draft, setDraft] = useState(() => drafts.get(state.me, conversation));
    const [caret, setCaret] = useState(0);
    const [chosen, setChosen] = useState(0); // index of the suggestion
    const [dismissed, setDismissed] = useState(""); // the draft whose suggestions were closed
    const [picking, setPicking] = useState(false); // whether the emoji picker is open
    const [refusals, setRefusals] = useState(0); // how often a text was too long to be sent
    const box = useRef(null);
    const limit = connection.hello.limits?.text_chars || DEFAULT_LIMIT;

    const write = (value, position = value.length) => {
      setDraft(value);
      setCaret(position);
      setChosen(0);
      setRefusals(0);
      drafts.set(state.me, conversation, value);
      if (value) actions.typing(conversation);
    };
    // Writes and selects, as soon as the box has the new text.
    const writeAndSelect = (value, from, to = from) => {
      write(value, to);
      requestAnimationFrame(() => {
        box.current?.focus();
        box.current?.setSelectionRange(from, to);
      });
    };
    const fitHeight = () => {
      box.current.style.height = "auto";
      box.current.style.height = `${Math.min(MAX_HEIGHT, box.current.scrollHeight + 2)}px`;
    };
    useEffect(fitHeight, [draft]);
    // On a phone the keyboard would cover the messages.
    useEffect(() => { if (matchMedia("(min-width: 700px)").matches) box.current.focus(); }, []);

    const completion = draft !== dismissed
      && GTChat.completion(draft, caret, () => completableNames(state, conversation));
    const items = completion ? completion.items : [];

    const message = prepared(draft);
    const count = [...message].length;
    const send = () => {
      if (!message) return;
      if (count > limit) {
        setRefusals(refusals + 1);
        return;
      }
      write("");
      actions.send(conversation, message);
    };
    const recall = () => {
      const own = conversation.entries.filter((entry) => entry.usr === state.me && entry.msg);
      if (own.length) write(own.at(-1).msg);
    };
    const accept = (index) => {
      const { start, end } = completion;
      writeAndSelect(draft.slice(0, start) + items[index].text + draft.slice(end), start + items[index].text.length);
    };
    const insert = (emoji) => {
      const { selectionStart: start, selectionEnd: end } = box.current;
      writeAndSelect(draft.slice(0, start) + emoji + draft.slice(end), start + emoji.length);
      setPicking(false);
    };
    const surround = (mark) => {
      const { selectionStart: start, selectionEnd: end } = box.current;
      writeAndSelect(draft.slice(0, start) + mark + draft.slice(start, end) + mark + draft.slice(end),
        start + mark.length, end + mark.length);
    };

    // Each returns whether the key meant something.
    const keyInSuggestions = (event) => {
      if (event.key === "ArrowDown") setChosen((chosen + 1) % items.length);
      else if (event.key === "ArrowUp") setChosen((chosen + items.length - 1) % items.length);
      else if ((event.key === "Tab" || event.key === "Enter") && !event.shiftKey) accept(chosen);
      else if (event.key === "Escape") setDismissed(draft);
      else return false;
      return true;
    };
    const keyInText = (event) => {
      const command = event.ctrlKey || event.metaKey;
      if (event.key === "Enter" && (command || (!event.shiftKey && !matchMedia(TOUCH).matches))) send();
      else if (event.key === "ArrowUp" && !draft && !event.altKey) recall();
      else if (command && !event.shiftKey && MARKUP_KEYS[event.key]) surround(MARKUP_KEYS[event.key]);
      else return false;
      return true;
    };
    const onKeyDown = (event) => {
      if (GTChat.isComposing(event)) return;
      if ((items.length && keyInSuggestions(event)) || keyInText(event)) event.preventDefault();
    };

    const label = text("message_to", { name: conversation.name });
    const left = limit - count;
    return html`
      <form class="composer" onSubmit=${(event) => { event.preventDefault(); send(); }}>
        ${items.length > 0 && html`<${Suggestions} items=${items} chosen=${chosen} accept=${accept} />`}
        ${picking && html`<${GTChat.Picker} onPick=${insert} onClose=${() => { setPicking(false); box.current.focus(); }} />`}
        ${left < 0 && html`<${TooLong} key=${refusals} count=${count} limit=${limit} refusals=${refusals} />`}
        <div class="box">
          <textarea id="message-box" ref=${box} rows="1" value=${draft} placeholder=${label} aria-label=${label} dir="auto"
            enterkeyhint=${matchMedia(TOUCH).matches ? "enter" : "send"} aria-autocomplete="list" aria-controls=${items.length ? "suggestions" : undefined}
            aria-activedescendant=${items.length ? `suggestion-${chosen}` : undefined}
            onInput=${(event) => write(event.target.value, event.target.selectionStart)}
            onSelect=${(event) => setCaret(event.target.selectionStart)} onKeyDown=${onKeyDown}></textarea>
          ${left < SHOW_LEFT && left >= 0 && html`<span class="left" role="status" aria-label=${text("characters_left", { count: left })}>${left}</span>`}
          <${IconButton} icon="smile" label=${text("emoji")} aria-expanded=${picking ? "true" : "false"}
            onClick=${() => setPicking(!picking)} />
          <${IconButton} icon="send" label=${text("send")} class="icon-button send" onClick=${send} disabled=${!message}
            onPointerDown=${(event) => event.preventDefault()} />
        </div>
        <div class="below"><${Typing} conversation=${conversation} />
          ${draft && html`<p class="markup-hint" aria-hidden="true"><b>**${text("bold")}**</b> <i>*${text("italic")}*</i> <code>\`${text("code")}\`</code> ${"> "}${text("quote")}</p>`}</div>
      </form>`;
  };
})();
