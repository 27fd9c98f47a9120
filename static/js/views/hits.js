// Messages in the list of a panel: those that are pinned, those that were found.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { html } = globalThis.htmPreact;
  const { Avatar, clockTime, dayName, dayOf } = GTChat.parts;

  const DAY = 86_400_000;

  // Returns when something was said, in few letters: by the time today, the day of the week within a week, else the day.
  const shortTime = (at, now = Date.now()) => {
    if (dayOf(at) === dayOf(now)) return clockTime(at);
    if (dayOf(at) === dayOf(now - DAY)) return `${dayName(at)} ${clockTime(at)}`;
    const date = new Date(at);
    const inDays = (fields) => date.toLocaleDateString(GTChat.locale(), fields);
    if (now - date < 6 * DAY) return `${inDays({ weekday: "short" })} ${clockTime(at)}`;
    const year = date.getFullYear() === new Date(now).getFullYear() ? undefined : "numeric";
    return inDays({ day: "numeric", month: "short", year });
  };

  // One message; a click calls onOpen. room: in which the colours of authors differ; origin: where it was written, if
  // that is shown; opened: whether it was opened last. The children are its text.
  GTChat.Hit = ({ room, entry, origin, opened, onOpen, children }) => html`
    <li><button type="button" class=${`hit ${opened ? "opened" : ""}`} onClick=${onOpen}>
      <span class="source"><${Avatar} name=${entry.usr} room=${room} size="xs" /><b class="cut"><bdi>${entry.usr}</bdi></b>
        ${origin && html`<span class="origin cut">${origin}</span>`}<time class="end" dateTime=${entry.at}>${shortTime(entry.at)}</time></span>
      <span class="words" dir="auto">${children}</span></button></li>`;
})();
