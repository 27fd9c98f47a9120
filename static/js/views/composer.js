// Writing: Enter sends, Shift-Enter breaks the line, arrow up in an empty box recalls; names behind an @
// and pictures behind a colon are offered, Tab or Enter takes one.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { html, useEffect, useRef, useState } = globalThis.htmPreact;
  const { Avatar, IconButton } = GTChat.parts;
  const { drafts } = GTChat.memory;
  const text = (...details) => GTChat.text(...details);

  // Pixels that the box may grow to.
  const TALLEST = 240;
  // Letters that are left when their number is told.
  const FEW = 200;
  // Signs to put around what is selected.
  const MARKS = { b: "**", i: "*" };

  // Those who could be meant, the nearest first: the room's own people, then whoever is here.
  const people = (chat, place) => {
    const members = place.members ? [...place.members] : [place.name];
    const sorted = (names) => names.sort(GTChat.inOrder);
    return [...new Set([...sorted(members), ...sorted([...chat.people.values()])])].filter((name) => name !== chat.me);
  };

  const Typing = ({ place }) => {
    const names = [...(place.typing?.keys() ?? [])].sort();
    const words = names.length === 0 ? ""
      : names.length === 1 ? text("typing_one", { usr: names[0] })
        : names.length === 2 ? text("typing_two", { usr: names[0], other: names[1] }) : text("typing_many");
    return html`<p class="typing" role="status" dir="auto">${words && html`<span class="dots" aria-hidden="true"></span>${words}`}</p>`;
  };

  const Offers = ({ offers, chosen, take }) => html`
    <ul class="offers" id="offers" role="listbox" aria-label=${text("offers")}>
      ${offers.map((offer, index) => html`
        <li key=${offer.label} id=${`offer-${index}`} role="option" aria-selected=${index === chosen ? "true" : "false"}
          onPointerDown=${(event) => { event.preventDefault(); take(index); }}>
          ${offer.person ? html`<${Avatar} name=${offer.person} />` : html`<span class="picture" aria-hidden="true">${offer.picture}</span>`}
          <bdi>${offer.label}</bdi></li>`)}
    </ul>`;

  GTChat.Composer = ({ shell, place, draft }) => {
    const { chat } = shell;
    const [words, setWords] = useState(() => drafts.get(chat.me, draft));
    const [caret, setCaret] = useState(0);
    const [chosen, setChosen] = useState(0);
    const [refused, setRefused] = useState(""); // words whose offers were put away
    const [picking, setPicking] = useState(false);
    const box = useRef(null);
    const most = chat.connection.hello.limits?.text_chars || 4000;

    const write = (value, at = value.length) => {
      setWords(value);
      setCaret(at);
      setChosen(0);
      drafts.set(chat.me, draft, value);
      if (value) chat.typing(place);
    };
    // Writes, and puts the caret where it belongs once the box has the words.
    const put = (value, from, to = from) => {
      write(value, to);
      requestAnimationFrame(() => {
        box.current?.focus();
        box.current?.setSelectionRange(from, to);
      });
    };
    const grow = () => {
      box.current.style.height = "auto";
      box.current.style.height = `${Math.min(TALLEST, box.current.scrollHeight + 2)}px`;
    };
    useEffect(grow, [words]);
    // On a phone the keyboard would cover what is to be read.
    useEffect(() => { if (matchMedia("(min-width: 700px)").matches) box.current.focus(); }, []);

    const found = words !== refused && GTChat.completion(words, caret, () => people(chat, place));
    const offers = found ? found.items : [];

    const send = () => {
      const said = words.replace(/\r\n?/g, "\n").trim();
      if (!said || [...said].length > most) return;
      write("");
      chat.say(place, said);
    };
    const recall = () => {
      const mine = place.entries.filter((entry) => entry.usr === chat.me && entry.msg);
      if (mine.length) write(mine.at(-1).msg);
    };
    const take = (index) => {
      const offer = offers[index].text;
      put(words.slice(0, found.start) + offer + words.slice(found.end), found.start + offer.length);
    };
    const insert = (picture) => {
      const { selectionStart, selectionEnd } = box.current;
      put(words.slice(0, selectionStart) + picture + words.slice(selectionEnd), selectionStart + picture.length);
      setPicking(false);
    };
    const mark = (sign) => {
      const { selectionStart: start, selectionEnd: end } = box.current;
      put(words.slice(0, start) + sign + words.slice(start, end) + sign + words.slice(end), start + sign.length, end + sign.length);
    };

    const offered = (event) => {
      if (event.key === "ArrowDown") setChosen((chosen + 1) % offers.length);
      else if (event.key === "ArrowUp") setChosen((chosen + offers.length - 1) % offers.length);
      else if ((event.key === "Tab" || event.key === "Enter") && !event.shiftKey) take(chosen);
      else if (event.key === "Escape") setRefused(words);
      else return false;
      return true;
    };
    const written = (event) => {
      if (event.key === "Enter" && !event.shiftKey) send();
      else if (event.key === "ArrowUp" && !words && !event.altKey) recall();
      else if ((event.ctrlKey || event.metaKey) && !event.shiftKey && MARKS[event.key]) mark(MARKS[event.key]);
      else return false;
      return true;
    };
    const press = (event) => {
      if (event.isComposing) return;
      if ((offers.length && offered(event)) || written(event)) event.preventDefault();
    };

    const label = text("say", { place: place.name });
    const left = most - [...words].length;
    return html`
      <form class="composer" onSubmit=${(event) => { event.preventDefault(); send(); }}>
        ${offers.length > 0 && html`<${Offers} offers=${offers} chosen=${chosen} take=${take} />`}
        ${picking && html`<${GTChat.Picker} pick=${insert} close=${() => { setPicking(false); box.current.focus(); }} />`}
        <div class="box">
          <textarea id="say" ref=${box} rows="1" value=${words} placeholder=${label} aria-label=${label} dir="auto"
            aria-autocomplete="list" aria-controls=${offers.length ? "offers" : undefined}
            aria-activedescendant=${offers.length ? `offer-${chosen}` : undefined}
            onInput=${(event) => write(event.target.value, event.target.selectionStart)}
            onSelect=${(event) => setCaret(event.target.selectionStart)} onKeyDown=${press}></textarea>
          ${left < FEW && html`<span class=${`left ${left < 0 ? "problem" : ""}`} role="status">${left}</span>`}
          <${IconButton} icon="smile" label=${text("pictures")} aria-expanded=${picking ? "true" : "false"}
            onClick=${() => setPicking(!picking)} />
          <${IconButton} icon="send" label=${text("send")} class="icon-button send" onClick=${send}
            disabled=${!words.trim() || left < 0} />
        </div>
        <div class="below"><${Typing} place=${place} />
          ${words && html`<p class="signs" aria-hidden="true"><b>**${text("bold")}**</b> <i>*${text("italic")}*</i> <code>\`${text("code")}\`</code> ${"> "}${text("quote")}</p>`}</div>
      </form>`;
  };
})();
