// The dialog of a room: its notification level; for its owner its settings; leaving and deleting it.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { html } = globalThis.htmPreact;
  const { Dialog } = GTChat.parts;
  const { Form, ConfirmButton } = GTChat.forms;
  const text = (...details) => GTChat.text(...details);

  const OwnerSettings = ({ state, actions, room, close }) => {
    const candidates = [...room.members].filter((name) => name !== state.me).sort();
    return html`
      <${Form} submit="save" onDone=${close}
        fields=${{ topic: { value: room.topic, maxlength: 200 }, is_public: { type: "checkbox", value: room.public },
          member_limit: { type: "number", value: room.max, min: 0 } }}
        onSubmit=${(values) => actions.request("set_room", { room_name: room.name, topic: values.topic,
          public: values.is_public, max: Number(values.member_limit) })} />
      ${candidates.length > 0 && html`<details><summary>${text("transfer")}</summary><p class="hint">${text("transfer_hint")}</p>
        <${Form} submit="transfer" kind="danger" onDone=${close}
          fields=${{ master: { label: "user", value: candidates[0], options: candidates } }}
          onSubmit=${({ master }) => actions.request("set_room", { room_name: room.name, master })} /></details>`}`;
  };

  const NotificationLevel = ({ notifications, room }) => {
    const level = notifications.level(room);
    return html`
      <div class="field"><label for="level">${text("notify_about")}</label>
        <select id="level" name="level" value=${level} onChange=${(event) => notifications.setLevel(room, event.target.value)}>
          ${GTChat.Notifications.LEVELS.map((name) => html`<option value=${name} selected=${name === level}>${text(`level_${name}`)}</option>`)}
        </select></div>`;
  };

  GTChat.RoomDialog = ({ shell, close, dialog }) => {
    const { room } = dialog;
    const { state, actions, notifications } = shell;
    const isLobby = room.name === "lobby";
    const isOwner = room.owner === state.me && !isLobby;
    const count = isLobby ? state.online.size : room.memberCount;
    return html`
      <${Dialog} title=${`# ${room.name}`} onClose=${close}>
        <p class="hint">${count === 1 ? text("one_member") : text("members_count", { count })}
          ${room.owner && html` · ${text("owner")}: <bdi>${room.owner}</bdi>`} ${!room.public && html` · ${text("private")}`}</p>
        ${!isOwner && room.topic && html`<p dir="auto">${room.topic}</p>`}
        <${NotificationLevel} notifications=${notifications} room=${room} />
        ${isOwner && html`<${OwnerSettings} state=${state} actions=${actions} room=${room} close=${close} />`}
        ${!isLobby && html`
          <button type="button" onClick=${() => shell.showDialog({ name: "invite", room })}>${text("invite")}</button>
          <${ConfirmButton} label=${text("leave")} question=${text("confirm_leave", { room: room.name })} onDone=${close}
            action=${() => actions.leaveRoom(room.name)} />`}
        ${isOwner && html`<${ConfirmButton} label=${text("delete")} question=${text("confirm_delete", { room: room.name })} onDone=${close}
          action=${() => actions.request("delete_room", { room_name: room.name })} />`}
      <//>`;
  };
})();
