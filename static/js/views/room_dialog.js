// A room's dialog: what one wants to hear of it; for its owner its settings; leaving, deleting.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { html } = globalThis.htmPreact;
  const { Dialog } = GTChat.parts;
  const { Form, Careful } = GTChat.forms;
  const text = (...details) => GTChat.text(...details);

  const Owner = ({ chat, room, close }) => {
    const heirs = [...room.members].filter((name) => name !== chat.me).sort();
    return html`
      <${Form} submit="save" done=${close}
        fields=${{ topic: { value: room.topic, maxlength: 200 }, is_public: { type: "checkbox", value: room.public },
          room_size: { type: "number", value: room.max, min: 0 } }}
        act=${(values) => chat.order("set_room", { room_name: room.name, topic: values.topic,
          public: values.is_public, max: Number(values.room_size) })} />
      ${heirs.length > 0 && html`<details><summary>${text("hand_over")}</summary><p class="hint">${text("hand_over_hint")}</p>
        <${Form} submit="hand_over" kind="danger" done=${close}
          fields=${{ master: { label: "whom", value: heirs[0], options: heirs } }}
          act=${({ master }) => chat.order("set_room", { room_name: room.name, master })} /></details>`}`;
  };

  GTChat.RoomDialog = ({ shell, close, dialog }) => {
    const { room } = dialog;
    const { chat, alerts } = shell;
    const lobby = room.name === "lobby";
    const owner = room.owner === chat.me && !lobby;
    const count = lobby ? chat.people.size : room.memberCount;
    const level = alerts.level(room);
    return html`
      <${Dialog} title=${`# ${room.name}`} onClose=${close}>
        <p class="hint">${count === 1 ? text("one_member") : text("members_count", { count })}
          ${room.owner && html` · ${text("owner")}: <bdi>${room.owner}</bdi>`} ${!room.public && html` · ${text("is_private")}`}</p>
        ${!owner && room.topic && html`<p dir="auto">${room.topic}</p>`}
        <div class="field"><label for="level">${text("tell_me")}</label>
          <select id="level" name="level" value=${level} onChange=${(event) => alerts.want(room, event.target.value)}>
            ${GTChat.Alerts.LEVELS.map((name) => html`<option value=${name} selected=${name === level}>${text(`level_${name}`)}</option>`)}
          </select></div>
        ${owner && html`<${Owner} chat=${chat} room=${room} close=${close} />`}
        ${!lobby && html`
          <button type="button" onClick=${() => shell.show({ name: "invite", room })}>${text("invite")}</button>
          <${Careful} label=${text("leave")} sure=${text("leave_sure", { room: room.name })} done=${close}
            act=${() => chat.leave(room.name)} />`}
        ${owner && html`<${Careful} label=${text("delete")} sure=${text("delete_sure", { room: room.name })} done=${close}
          act=${() => chat.order("delete_room", { room_name: room.name })} />`}
      <//>`;
  };
})();
