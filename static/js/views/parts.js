// Small components that many views use.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { html, useEffect, useRef } = globalThis.htmPreact;
  const text = (...details) => GTChat.text(...details);

  // Returns a hue in degrees, always the same for a name.
  const hue = (name) => {
    let sum = 0;
    for (const letter of name.toLowerCase()) sum = (sum * 33 + letter.codePointAt(0)) % 65_521;
    return (sum * 47) % 360;
  };

  const initials = (name) => {
    const words = name.split(/[\s._-]+/).filter(Boolean);
    const letters = words.length > 1 ? [...words[0]][0] + [...words[1]][0] : [...name].slice(0, 2).join("");
    return letters.toUpperCase();
  };

  // A user's initials. Screen readers skip it: the name is always beside it. online: undefined for
  // no presence dot.
  const Avatar = ({ name, online }) => html`
    <span class="avatar" style=${{ "--hue": String(hue(name)) }} aria-hidden="true">
      ${initials(name)}
      ${online !== undefined && html`<span class=${`dot ${online ? "online" : ""}`}></span>`}
    </span>`;

  // Icons, as paths in a square of 24 units.
  const ICONS = {
    menu: "M4 6h16M4 12h16M4 18h16",
    members: "M16 19a4 4 0 0 0-8 0M12 12a3 3 0 1 0 0-6 3 3 0 0 0 0 6M20 18a4 4 0 0 0-3-4M4 18a4 4 0 0 1 3-4",
    plus: "M12 5v14M5 12h14",
    gear: "M12 15a3 3 0 1 0 0-6 3 3 0 0 0 0 6M12 2v3M12 19v3M2 12h3M19 12h3M5 5l2 2M17 17l2 2M19 5l-2 2M7 17l-2 2",
    send: "M4 12l16-8-6 16-3-7z",
    close: "M6 6l12 12M18 6L6 18",
    down: "M6 9l6 6 6-6",
    up: "M6 15l6-6 6 6",
    smile: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18M8.5 14.5a4.5 4.5 0 0 0 7 0M9 9.5h.01M15 9.5h.01",
    search: "M10.5 17a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13M15.5 15.5L20 20",
    lock: "M7 11V8a5 5 0 0 1 10 0v3M6 11h12v9H6z",
    leave: "M14 4h5v16h-5M4 12h11M8 8l-4 4 4 4",
  };
  const Icon = ({ name }) => html`
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true"><path d=${ICONS[name]} /></svg>`;

  // A button with an icon only; the label is its tooltip and accessible name.
  const IconButton = ({ icon, label, onClick, ...rest }) => html`
    <button type="button" class="icon-button" title=${label} aria-label=${label} onClick=${onClick}
      ...${rest}><${Icon} name=${icon} /></button>`;

  // Times. at: milliseconds, or RFC 3339.
  const clockTime = (at) => new Date(at).toLocaleTimeString(GTChat.language(), { hour: "2-digit", minute: "2-digit" });
  const fullTime = (at) => new Date(at).toLocaleString(GTChat.language(), { dateStyle: "full", timeStyle: "medium" });
  const dayOf = (at) => new Date(at).toDateString();

  const dayName = (at, now = Date.now()) => {
    if (dayOf(at) === dayOf(now)) return text("today");
    if (dayOf(at) === dayOf(now - 86_400_000)) return text("yesterday");
    return new Date(at).toLocaleDateString(GTChat.language(), { dateStyle: "full" });
  };

  const Time = ({ at }) => html`<time dateTime=${at} title=${fullTime(at)}>${clockTime(at)}</time>`;

  // An error message; screen readers read it out at once.
  const Problem = ({ id, error }) => html`
    <p class="problem" id=${id} role="alert">${error ? GTChat.reason(error) : ""}</p>`;

  // A native modal dialog: it traps the focus and closes with Escape.
  const Dialog = ({ title, onClose, children }) => {
    const dialog = useRef(null);
    useEffect(() => { if (!dialog.current.open) dialog.current.showModal(); }, []);
    return html`
      <dialog ref=${dialog} aria-labelledby="dialog-title" onClose=${onClose}
        onClick=${(event) => { if (event.target === dialog.current) onClose(); }}>
        <div class="dialog-body">
          <header><h2 id="dialog-title">${title}</h2>
            <${IconButton} icon="close" label=${text("close")} onClick=${onClose} /></header>
          ${children}
        </div>
      </dialog>`;
  };

  GTChat.parts = { Avatar, Icon, IconButton, Time, Dialog, Problem, clockTime, dayName, dayOf };
})();
