// Parts of the operator's view: requests, lists that are read page by page, and the way back from a dialog.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { html, useEffect, useRef, useState } = globalThis.htmPreact;
  const { Problem } = GTChat.parts;
  const { Find } = GTChat.forms;
  const text = (...details) => GTChat.text(...details);

  // Milliseconds without a key after which a list is read for what was typed, and items of its pages.
  const TYPING_PAUSE = 250;
  const PAGE = 50;

  // Runs an administrative command; returns a promise of its result. It fails with `password_again` if the server wants
  // the operator's password.
  const run = async (shell, name, args = {}, pwd = undefined) => {
    const { result } = await shell.actions.request("admin", { name, args, pwd });
    return result;
  };

  // Returns a function that leads back to a section of the view.
  const back = (shell, section) => () => shell.showDialog({ name: "operator", section });

  // A list of a command. of: the field of the result; find: the label of the list and of its search field; field: the argument
  // that gets what is typed, null for no such field; needed: what is said until it is given, if it has to be; args: further ones; onError(error): returns whether the error is dealt with; row(item, reload): draws an item; note(result): a text below the list.
  const Listing = ({ shell, command, of, find, field = "search", needed = "", args = {}, onError, row, actions, note }) => {
    const [query, setQuery] = useState("");
    const [found, setFound] = useState(null); // {items, next, warning, note, typed}
    const [error, setError] = useState(null);
    const asked = useRef(0);
    const load = async (next) => {
      const number = ++asked.current;
      const typed = query.trim();
      if (needed && !typed) {
        setFound(null);
        return;
      }
      const following = next === undefined ? {} : { [typeof next === "number" ? "before" : "after"]: next };
      try {
        const result = await run(shell, command, { ...args, ...(typed && { [field]: typed }), ...following, limit: PAGE });
        if (number !== asked.current) return;
        setFound({ items: [...(next === undefined ? [] : found.items), ...result[of]], next: result.next, warning: result.warning, note: note?.(result), typed });
        setError(null);
      } catch (refused) {
        if (number === asked.current && !onError(refused)) setError(refused);
      }
    };
    useEffect(() => {
      const timer = setTimeout(() => load(), found ? TYPING_PAUSE : 0);
      return () => clearTimeout(timer);
    }, [query]);
    return html`
      <div class="find-row">${field && html`<div class="grow"><${Find} label=${find} value=${query} onChange=${setQuery} /></div>`}${actions}</div>
      <${Problem} error=${error} />
      ${needed && !query.trim() && html`<p class="hint">${needed}</p>`}
      ${!found && !error && !(needed && !query.trim()) && html`<p class="hint" role="status">${text("loading")}</p>`}
      ${found && (found.items.length === 0 ? html`<p class="hint" role="status">${text(found.typed ? "op_none" : "op_empty")}</p>`
        : html`<ul class="card" aria-label=${find}>${found.items.map((item) => row(item))}</ul>`)}
      ${found?.note && html`<p class="hint">${found.note}</p>`}
      ${found?.warning && html`<p class="hint" lang="en">${found.warning}</p>`}
      ${found?.next !== undefined && html`<div><button type="button" class="button" onClick=${() => load(found.next)}>${text("op_more")}</button></div>`}`;
  };

  // Returns a time as a text, "" for none.
  const when = (at) => (at ? new Date(at).toLocaleString(GTChat.locale(), { dateStyle: "medium", timeStyle: "short" }) : "");
  const day = (at) => new Date(at).toLocaleDateString(GTChat.locale(), { dateStyle: "medium" });

  GTChat.operator = { run, back, Listing, when, day };
})();
