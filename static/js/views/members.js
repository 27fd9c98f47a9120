// The panel of a room's members: its owner, those who are online, those who are not.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { html, useState } = globalThis.htmPreact;
  const { Avatar, Icon, IconButton, RoleIn } = GTChat.parts;
  const { Find } = GTChat.forms;
  const text = (...details) => GTChat.text(...details);

  // Names drawn in each list.
  const MAX_SHOWN = 300;

  const Person = ({ shell, room, name }) => {
    const { state } = shell;
    const online = state.isOnline(name);
    const { popover } = shell;
    const open = popover?.name === "person" && popover.usr === name;
    return html`
      <li><button type="button" class=${`person ${online ? "" : "away"} ${open ? "chosen" : ""}`} aria-haspopup="dialog" aria-expanded=${open ? "true" : "false"}
        onClick=${(event) => shell.showPopover({ name: "person", anchor: event.currentTarget, usr: name, room, side: "beside" })}>
        <${Avatar} name=${name} online=${online} room=${room} />
        <span class="grow cut name"><bdi>${name}</bdi>${name === state.me && html` <span class="third">(${text("you")})</span>`}
          ${state.isBlocked(name) && html`<span class="state block">${text("blocked_user")}</span>`}</span>
        <${RoleIn} room=${room} name=${name} />
        ${state.isBlocked(name) && html`<${Icon} name="user_blocked" size="s" kind="third" />`}</button></li>`;
  };

  const People = ({ shell, room, title, count, names }) => names.length > 0 && html`
    <${GTChat.panelHeading(shell)} class="group-title people-title" id=${`members-${title}`}><span>${text(title)}</span>${count && html`<span class="num">${names.length}</span>`}<//>
    <ul aria-labelledby=${`members-${title}`}>
      ${names.slice(0, MAX_SHOWN).map((name) => html`<${Person} key=${name} shell=${shell} room=${room} name=${name} />`)}
      ${names.length > MAX_SHOWN && html`<li class="hint">${text("others", { count: names.length - MAX_SHOWN })}</li>`}
    </ul>`;

  const Members = ({ shell, room }) => {
    const { state } = shell;
    const [query, setQuery] = useState("");
    const part = query.trim().toLowerCase();
    const isLobby = room.name === "lobby"; // all users online are in it
    const names = (isLobby ? [...state.online.values()] : [...room.members]).filter((name) => name.toLowerCase().includes(part)).sort(GTChat.inOrder);
    const others = names.filter((name) => name !== room.owner);
    const list = (title, listed, count = true) => html`
      <${People} shell=${shell} room=${room} title=${title} count=${count} names=${listed} />`;
    return html`
      <${GTChat.PanelFrame} shell=${shell} title=${text("members")} count=${GTChat.memberCount(state, room)} kind="members"
        tools=${!isLobby && html`<${IconButton} icon="user_add" label=${text("invite_people")} onClick=${() => shell.showDialog({ name: "invite", room })} />`}>
        <div class="find"><${Find} label=${text("find_member")} value=${query} onChange=${setQuery} /></div>
        <div class="scroll" tabindex="-1">
          ${list("owner_title", names.filter((name) => name === room.owner), false)}
          ${list("online", others.filter((name) => state.isOnline(name)))}
          ${list("offline", others.filter((name) => !state.isOnline(name)))}
          ${names.length === 0 && html`<p class="hint nothing" role="status">${text("no_results")}</p>`}
        </div>
      <//>`;
  };
  Members.needsRoom = true;
  GTChat.PANELS.members = Members;
})();
