// The panel about a room: its notifications, what leads on from it, what its owner can do.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { html } = globalThis.htmPreact;
  const { Icon } = GTChat.parts;
  const { Segments } = GTChat.forms;
  const text = (...details) => GTChat.text(...details);

  // A line of a card that leads on. end: what stands at its end.
  const Line = ({ icon, label, end, danger, onClick }) => html`
    <button type="button" class=${`line ${danger ? "danger-text" : ""}`} onClick=${onClick}>
      ${icon && html`<${Icon} name=${icon} />`}<span class="grow">${label}</span>
      <span class="end num">${end}${!danger && html`<${Icon} name="right" size="s" />`}</span></button>`;

  const OwnerCard = ({ shell, room }) => {
    const ask = (name) => () => shell.showDialog({ name, room });
    return html`
      <section aria-labelledby="about-owner"><${GTChat.panelHeading(shell)} class="group-title" id="about-owner">${text("for_owner")}<//>
        <div class="card">
          <${Line} icon="edit" label=${text("room_settings")} onClick=${ask("edit_room")} />
          <${Line} icon="crown" label=${text("transfer")} onClick=${ask("transfer")} />
          <${Line} icon="trash" label=${text("delete_room")} danger onClick=${ask("delete_room")} />
        </div></section>`;
  };

  const About = ({ shell, room }) => {
    const { state, actions } = shell;
    const isLobby = room.name === "lobby";
    const levels = GTChat.LEVELS.map((level) => [level, text(`level_${level}`)]);
    const owner = room.owner && html` · ${GTChat.textParts("owned_by", { usr: html`<bdi>${room.owner}</bdi>` })}`;
    return html`
      <${GTChat.PanelFrame} shell=${shell} title=${text("about_room")} kind="about">
        <div class="scroll">
          <section><${GTChat.panelHeading(shell)} class="title"><${Icon} name=${room.public ? "hash" : "lock"} size="l" /><bdi>${room.name}</bdi><//>
            ${room.topic && html`<p class="second" dir="auto"><${GTChat.Topic} topic=${room.topic} /></p>`}
            <p class="small third">${text(room.public ? "public" : "private")}${owner}${room.max > 0 && html` · ${text("at_most", { count: room.max })}`}</p></section>
          ${actions.can("notify") && html`<div class="field"><span class="label" id="about-level">${text("notify_about")}</span>
            <${Segments} name="level" labelledby="about-level" value=${room.level} options=${levels}
              onChange=${(level) => shell.attempt(() => actions.setLevel(room, level))} /></div>`}
          <div class="card">
            <${Line} icon="users" label=${text("members")} end=${GTChat.memberCount(state, room)} onClick=${() => shell.showPanel("members")} />
            <${Line} icon="pin" label=${text("pinned_messages")} onClick=${() => shell.showPanel("pinned")} />
            ${!isLobby && html`<${Line} icon="user_add" label=${text("invite_people")} onClick=${() => shell.showDialog({ name: "invite", room })} />`}
          </div>
          ${actions.can("moderation") && room.moderates(state.me) && html`<div class="card"><${Line} icon="shield" label=${text("moderation")}
            onClick=${() => shell.showDialog({ name: "moderation", room })} /></div>`}
          ${room.owner === state.me && !isLobby && html`<${OwnerCard} shell=${shell} room=${room} />`}
          ${!isLobby && html`<div class="card"><${Line} icon="out" label=${text("leave_room_action")} danger
            onClick=${() => shell.showDialog({ name: "leave_room", room })} /></div>`}
        </div>
      <//>`;
  };
  About.needsRoom = true;
  GTChat.PANELS.about = About;
})();
