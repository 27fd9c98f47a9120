// Writing: Enter sends, Shift-Enter breaks the line, arrow up in an empty box recalls, Tab completes
// the name of a person behind an @.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { html, useEffect, useRef, useState } = globalThis.htmPreact;
  const { IconButton } = GTChat.parts;
  const text = (...details) => GTChat.text(...details);
  // Pixels that the box may grow to.
  const TALLEST = 200;

  GTChat.Composer = ({ shell, place, draft }) => {
    const [words, setWords] = useState(() => GTChat.drafts.get(draft));
    const box = useRef(null);
    const most = shell.chat.connection.hello.limits?.text_chars || 4000;

    const write = (value) => {
      setWords(value);
      GTChat.drafts.set(draft, value);
    };
    const grow = () => {
      box.current.style.height = "auto";
      box.current.style.height = `${Math.min(TALLEST, box.current.scrollHeight + 2)}px`;
    };
    useEffect(grow, [words]);
    // On a phone the keyboard would cover what is to be read.
    useEffect(() => { if (matchMedia("(min-width: 700px)").matches) box.current.focus(); }, []);

    const send = () => {
      const said = words.replace(/\r\n?/g, "\n").trim();
      if (!said) return;
      write("");
      shell.chat.say(place, said);
    };
    const recall = () => {
      const mine = place.entries.filter((entry) => entry.usr === shell.chat.me && entry.msg);
      if (mine.length) write(mine.at(-1).msg);
    };
    const complete = () => {
      const caret = box.current.selectionStart;
      const begun = /(?:^|\s)@([^\s@]*)$/u.exec(words.slice(0, caret));
      const found = begun && [...shell.chat.people.values()].sort().find((name) => (
        name !== shell.chat.me && name.toLowerCase().startsWith(begun[1].toLowerCase())
      ));
      if (!found) return false;
      const before = `${words.slice(0, caret - begun[1].length)}${found} `;
      write(before + words.slice(caret));
      requestAnimationFrame(() => box.current?.setSelectionRange(before.length, before.length));
      return true;
    };
    const press = (event) => {
      if (event.isComposing) return;
      if (event.key === "Tab" && !event.shiftKey && complete()) {
        event.preventDefault();
        return;
      }
      if (event.key === "Enter" && !event.shiftKey) {
        event.preventDefault();
        send();
      } else if (event.key === "ArrowUp" && !words) {
        event.preventDefault();
        recall();
      }
    };
    const label = text("say", { place: place.name });
    const left = most - [...words].length;
    return html`
      <form class="composer" onSubmit=${(event) => { event.preventDefault(); send(); }}>
        <textarea id="say" ref=${box} rows="1" value=${words} placeholder=${label} aria-label=${label} dir="auto"
          onInput=${(event) => write(event.target.value)} onKeyDown=${press}></textarea>
        ${left < 200 && html`<span class=${`left ${left < 0 ? "problem" : ""}`} role="status">${left}</span>`}
        <${IconButton} icon="send" label=${text("send")} class="icon-button send" onClick=${send}
          disabled=${!words.trim() || left < 0} />
      </form>`;
  };
})();
