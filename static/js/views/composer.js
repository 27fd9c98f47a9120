// The message box: writes a message, a reply or an edit. Enter sends, Shift Enter breaks the line (on a touch
// screen Enter does, and the button sends); arrow up in an empty box edits the last own message; names after
// an @ and emoji after a colon are suggested, Tab or Enter accepts one.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { html, useEffect, useLayoutEffect, useRef, useState } = globalThis.htmPreact;
  const { Icon, IconButton } = GTChat.parts;
  const { drafts } = GTChat.storage;
  const { Composing, Suggestions, TooLong, Typing } = GTChat.composerParts;
  const text = (...details) => GTChat.text(...details);

  // Pixels that the box grows to.
  const MAX_HEIGHT = 240;
  // Characters of a message if the server names no limit, and left when their number is shown.
  const DEFAULT_LIMIT = 4000;
  const SHOW_LEFT = 500;
  // Devices whose keyboard is on the screen: it has no Shift Enter.
  const TOUCH = "(hover: none) and (pointer: coarse)";
  // Markup put around the selection, by the key pressed with Ctrl.
  const MARKUP_KEYS = { b: "**", i: "*" };
  // What begins a message about what the user does.
  const ACTION = /^\/me\s+(?=\S)/;

  // Names to complete, best first: the conversation's members, then users online.
  const completableNames = (state, conversation) => {
    const sorted = (names) => names.sort(GTChat.inOrder);
    return [...new Set([...sorted([...conversation.members]), ...sorted([...state.online.values()])])].filter((name) => name !== state.me);
  };

  // Returns a text as it is sent: without blank lines before it and blanks after it. Indentation is kept.
  const prepared = (written) => written.replace(/\r\n?/g, "\n").replace(/^(?:[^\S\n]*\n)+/, "").trimEnd();

  // Returns the last own message of a conversation, if it can be edited.
  const editable = ({ state, actions }, conversation) => {
    const own = conversation.entries.findLast((entry) => entry.usr === state.me && GTChat.isMessage(entry) && !entry.deleted);
    return own && actions.rights(conversation, own).edit ? own : null;
  };

  GTChat.Composer = ({ shell, conversation }) => {
    const { state, actions, connection } = shell;
    const { composing } = conversation;
    const edited = composing?.kind === "edit" ? composing.entry : null;
    const [draft, setDraft] = useState(() => drafts.get(state.me, conversation));
    const [edit, setEdit] = useState(""); // the text of an edit
    const [caret, setCaret] = useState(0);
    const [chosen, setChosen] = useState(0); // index of the suggestion
    const [dismissed, setDismissed] = useState(""); // the text whose suggestions were closed
    const [refusals, setRefusals] = useState(0); // how often a text was too long to be sent
    const box = useRef(null);
    const selection = useRef(null); // what to select when the box has its new text
    const limit = connection.hello.limits?.text_chars || DEFAULT_LIMIT;
    const written = edited ? edit : draft;

    const write = (value, position = value.length) => {
      if (edited) setEdit(value);
      else setDraft(value);
      setCaret(position);
      setChosen(0);
      setRefusals(0);
      if (!edited) drafts.set(state.me, conversation, value);
      if (value) actions.typing(conversation);
    };
    // The focus once more when a dialog over the box has closed.
    const select = (...range) => {
      selection.current = range;
      requestAnimationFrame(() => box.current?.focus());
    };
    const writeAndSelect = (value, from, to = from) => {
      write(value, to);
      select(from, to);
    };
    const fitHeight = () => {
      box.current.style.height = "auto";
      box.current.style.height = `${Math.min(MAX_HEIGHT, box.current.scrollHeight + 2)}px`;
    };
    useEffect(fitHeight, [written]);
    // A window that becomes narrower or wider breaks the lines anew, in letters of another size.
    useEffect(() => {
      addEventListener("resize", fitHeight);
      return () => removeEventListener("resize", fitHeight);
    }, []);
    // On a phone the keyboard would cover the messages.
    useEffect(() => { if (!shell.narrow) box.current.focus(); }, []);
    // A reply or an edit begins or ends.
    useLayoutEffect(() => {
      const value = edited ? conversation.edits.get(edited.seq)?.msg ?? edited.msg : draft;
      if (edited) setEdit(value);
      if (composing) select(value.length, value.length);
    }, [composing]);
    // At once, not in the next frame: on a slow device keys come before it, and the caret would go before their text.
    useLayoutEffect(() => {
      if (!selection.current) return;
      box.current.focus();
      box.current.setSelectionRange(...selection.current);
      selection.current = null;
    });

    const completion = written !== dismissed
      && GTChat.completion(written, caret, () => completableNames(state, conversation));
    const items = completion ? completion.items : [];

    const message = prepared(written);
    const count = [...message].length;
    const cancel = () => {
      actions.compose(conversation, null);
      box.current.focus();
    };
    const sendNew = () => {
      const isAction = actions.can("action") && ACTION.test(message);
      const reply = composing ? { seq: composing.entry.seq, usr: composing.entry.usr } : undefined;
      write("");
      actions.compose(conversation, null);
      actions.send(conversation, isAction ? message.replace(ACTION, "") : message, { reply, style: isAction ? "action" : undefined });
    };
    const save = () => {
      if (message !== edited.msg) actions.edit(conversation, edited, message);
      cancel();
    };
    const send = () => {
      if (!message) return;
      if (count > limit) setRefusals(refusals + 1);
      else if (edited) save();
      else sendNew();
    };
    const accept = (index) => {
      const { start, end } = completion;
      writeAndSelect(written.slice(0, start) + items[index].text + written.slice(end), start + items[index].text.length);
    };
    const insert = (part) => {
      const { value, selectionStart: start, selectionEnd: end } = box.current;
      writeAndSelect(value.slice(0, start) + part + value.slice(end), start + part.length);
    };
    // Cards of users insert a mention.
    useEffect(() => {
      shell.insert = insert;
      return () => { shell.insert = null; };
    });
    const surround = (mark) => {
      const { selectionStart: start, selectionEnd: end } = box.current;
      writeAndSelect(written.slice(0, start) + mark + written.slice(start, end) + mark + written.slice(end),
        start + mark.length, end + mark.length);
    };
    const editLast = () => {
      const entry = editable(shell, conversation);
      if (entry) actions.compose(conversation, { kind: "edit", entry });
      return Boolean(entry);
    };

    // Each returns whether the key meant something.
    const keyInSuggestions = (event) => {
      if (event.key === "ArrowDown") setChosen((chosen + 1) % items.length);
      else if (event.key === "ArrowUp") setChosen((chosen + items.length - 1) % items.length);
      else if ((event.key === "Tab" || event.key === "Enter") && !event.shiftKey) accept(chosen);
      else if (event.key === "Escape") setDismissed(written);
      else return false;
      return true;
    };
    const keyInText = (event) => {
      const command = event.ctrlKey || event.metaKey;
      if (event.key === "Enter" && (command || (!event.shiftKey && !matchMedia(TOUCH).matches))) send();
      else if (event.key === "ArrowUp" && !written && !event.altKey) return editLast();
      else if (event.key === "Escape" && composing) cancel();
      else if (command && !event.shiftKey && MARKUP_KEYS[event.key]) surround(MARKUP_KEYS[event.key]);
      else return false;
      return true;
    };
    const onKeyDown = (event) => {
      if (GTChat.isComposing(event)) return;
      if ((items.length && keyInSuggestions(event)) || keyInText(event)) event.preventDefault();
    };

    const label = edited ? text("edit_message") : text("message_to", { name: conversation.name });
    const left = limit - count;
    const number = (value) => value.toLocaleString(GTChat.language());
    const popover = (name, more) => (event) => shell.showPopover({ name, anchor: event.currentTarget, ...more });
    const keepFocus = (event) => event.preventDefault();
    return html`
      <form class="composer" onSubmit=${(event) => { event.preventDefault(); send(); }}>
        ${items.length > 0 && html`<${Suggestions} items=${items} chosen=${chosen} accept=${accept} />`}
        <div class=${`box ${left < 0 ? "bad" : ""} ${edited ? "editing" : ""}`}>
          ${composing && html`<${Composing} composing=${composing} cancel=${cancel} />`}
          <textarea id="say" ref=${box} rows="1" value=${written} placeholder=${label} aria-label=${label} dir="auto"
            enterkeyhint=${matchMedia(TOUCH).matches ? "enter" : "send"} aria-autocomplete="list" aria-controls=${items.length ? "suggestions" : undefined}
            aria-activedescendant=${items.length ? `suggestion-${chosen}` : undefined} aria-invalid=${left < 0 ? "true" : undefined}
            onInput=${(event) => write(event.target.value, event.target.selectionStart)}
            onSelect=${(event) => setCaret(event.target.selectionStart)} onKeyDown=${onKeyDown}></textarea>
          <div class="row">
            <${IconButton} icon="smile" label=${text("emoji")} aria-haspopup="dialog" onClick=${popover("emoji", { onPick: insert })} />
            <${IconButton} icon="at" kind="wide" label=${text("mention")} onClick=${() => insert("@")} />
            <${IconButton} icon="format" kind="wide" label=${text("formatting")} aria-haspopup="dialog" onClick=${popover("format")} />
            <span class="grow"></span>
            ${left < 0 && html`<span class="count over">${text("characters_over", { count: number(-left), limit: number(limit) })}</span>`}
            ${left >= 0 && left < SHOW_LEFT && html`<span class="count" role="status">${text("characters_left", { count: left })}</span>`}
            ${edited ? html`
              <button type="button" class="button ghost small" onClick=${cancel}>${text("cancel")}</button>
              <button type="submit" class="button primary small" disabled=${!message || left < 0}>${text("save")}</button>` : html`
              <button type="submit" class="icon-button send" aria-label=${text("send")} data-tip=${text("send")} data-keys="Enter" disabled=${!message || left < 0}
                onPointerDown=${keepFocus}><${Icon} name="send" /></button>`}
          </div>
        </div>
        ${left < 0 && html`<${TooLong} key=${refusals} refusals=${refusals} />`}
        <div class="under">${conversation.slow > 0 && !conversation.moderates(state.me) && html`<span>${text("slow_note", { time: GTChat.duration(conversation.slow) })}</span>`}<${Typing} conversation=${conversation} />
          <span class="wide keys" aria-hidden="true">${GTChat.textParts("line_hint", { shift: html`<kbd>Shift</kbd>`, enter: html`<kbd>Enter</kbd>` })}</span></div>
      </form>`;
  };
})();
