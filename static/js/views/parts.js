// Small components that many views use.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { html } = globalThis.htmPreact;
  const { Icon } = GTChat;
  const text = (...details) => GTChat.text(...details);

  // A user's letters on their colour. Screen readers skip it: the name is always beside it.
  // online: whether to show the user as here or away; undefined: neither. size: "xs", "m", "l" or "xl".
  // room: where the colour is to differ from those of other members.
  const Avatar = ({ name, online, size = "", room, hue = GTChat.avatar.hue(name, room) }) => html`
    <span class=${`avatar ${size}`} style=${{ "--h": String(hue) }} aria-hidden="true">
      ${GTChat.avatar.initials(name)}
      ${online !== undefined && html`<span class=${`dot ${online ? "here" : "away"}`}></span>`}
    </span>`;

  // A button with an icon only; the label is its accessible name and its tip (views/tip.js). keys: those
  // that do the same, shown in the tip. kind: further classes. Further attributes go to the button.
  const IconButton = ({ icon, label, keys, size, kind = "", children, ...rest }) => html`
    <button type="button" class=${`icon-button ${kind}`} aria-label=${label} data-tip=${label} data-keys=${keys}
      ...${rest}><${Icon} name=${icon} size=${size} />${children}</button>`;

  // The button that leads back to the pane before, on a phone.
  const BackButton = ({ onClick }) => html`
    <${IconButton} icon="left" size="l" kind="narrow" label=${text("back")} onClick=${onClick} />`;

  // The number of unread messages. wanted: whether they mention the user, or are for them alone.
  const MAX_COUNT = 999;
  const Badge = ({ count, wanted, label }) => html`
    <span class=${`badge ${wanted ? "wanted" : ""}`}>${count > MAX_COUNT ? `${MAX_COUNT}+` : count}
      ${label && html`<span class="visually-hidden"> ${label}</span>`}</span>`;

  // role: "owner" or "mod"; without one it is a plain tag.
  const Role = ({ role = "", icon, children }) => html`
    <span class=${`role ${role}`}>${icon && html`<${Icon} name=${icon} />`}${children}</span>`;

  // The badge of a user's role in a room, if there is one.
  const RoleIn = ({ room, name }) => {
    if (room.owner && room.owner === name) return html`<${Role} role="owner" icon="crown">${text("role_owner")}<//>`;
    const role = room.roles.get(name);
    return role && html`<${Role} role=${role === "moderator" ? "mod" : ""} icon=${role === "moderator" ? "shield" : "megaphone"}>${text(`role_${role}`)}<//>`;
  };

  // What a list, a panel or a page says while it has nothing to show. actions: buttons.
  const Empty = ({ icon, title, heading = "h2", children, actions }) => html`
    <div class="empty"><span class="picture"><${Icon} name=${icon} size="l" /></span>
      <${heading} class="head-text">${title}<//><p>${children}</p>
      ${actions && html`<div class="row">${actions}</div>`}</div>`;

  // A remark in a form or a list. kind: "warn", "danger" or "".
  const Note = ({ icon = "info", kind = "", role, children }) => html`
    <div class=${`note ${kind}`} role=${role}><${Icon} name=${icon} size="s" /><span class="grow">${children}</span></div>`;

  // Times. at: milliseconds, or RFC 3339.
  const clockTime = (at) => new Date(at).toLocaleTimeString(GTChat.locale(), { timeStyle: "short" });
  const fullTime = (at) => new Date(at).toLocaleString(GTChat.locale(), { dateStyle: "full", timeStyle: "medium" });
  const dayOf = (at) => new Date(at).toDateString();

  const dayName = (at, now = Date.now()) => {
    if (dayOf(at) === dayOf(now)) return text("today");
    if (dayOf(at) === dayOf(now - 86_400_000)) return text("yesterday");
    return new Date(at).toLocaleDateString(GTChat.locale(), { dateStyle: "full" });
  };

  const Time = ({ at, kind }) => html`<time class=${kind} dateTime=${at} title=${fullTime(at)}>${clockTime(at)}</time>`;

  // A text in which the values are bold. of: the text key; values: by the names in braces.
  const Rich = ({ of, values }) => text(of).split(/\{(\w+)\}/).map((part, index) => (
    index % 2 ? html`<b><bdi>${values[part]}</bdi></b>` : part));

  // An error message; screen readers read it out at once.
  const Problem = ({ id, error }) => html`
    <p class="problem" id=${id} role="alert">${error
      ? html`<${Icon} name="info" size="s" /><span>${GTChat.reason(error)}</span>` : ""}</p>`;

  GTChat.parts = { Avatar, Icon, IconButton, BackButton, Badge, Role, RoleIn, Empty, Note, Time, Rich, Problem, clockTime, dayName, dayOf };
})();
