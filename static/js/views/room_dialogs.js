// Dialogs about rooms, their members and messages.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { html } = globalThis.htmPreact;
  const { Rich, Time } = GTChat.parts;
  const { Form } = GTChat.forms;
  const { Question, DIALOGS } = GTChat;
  const text = (...details) => GTChat.text(...details);

  DIALOGS.edit_room = ({ shell, close, dialog: { room } }) => html`
    <${GTChat.Dialog} title=${text("edit_room", { room: room.name })} onClose=${close}>
      <${Form} submit=${text("save")} onDone=${close} onCancel=${close}
        fields=${{
          topic: { value: room.topic, maxlength: 200, optional: true, placeholder: text("topic_placeholder"), autofocus: true },
          access: { label: "who_can_join", value: room.public ? "public" : "private", choices: [
            { value: "public", icon: "globe", label: "public", hint: "public_hint" },
            { value: "private", icon: "lock", label: "private", hint: "private_hint" }] },
          preview: { type: "switch", value: room.preview, hint: "preview_hint" },
          member_limit: { type: "number", value: room.max, min: 0, hint: "member_limit_hint" } }}
        onSubmit=${(values) => shell.actions.request("set_room", { room_name: room.name, topic: values.topic,
          public: values.access === "public", preview: values.preview, max: Number(values.member_limit) })} />
    <//>`;

  DIALOGS.transfer = ({ shell, close, dialog: { room } }) => {
    const candidates = [...room.members].filter((name) => name !== shell.state.me).sort(GTChat.inOrder);
    if (!candidates.length) {
      return html`
        <${GTChat.Dialog} title=${text("transfer_question", { room: room.name })} onClose=${close} size="small">
          <div class="body"><p class="second">${text("transfer_to_none")}</p></div>
          <footer><button type="button" class="button" onClick=${close}>${text("close")}</button></footer><//>`;
    }
    return html`
      <${Question} title=${text("transfer_question", { room: room.name })} action=${text("transfer")} danger close=${close}
        fields=${{ master: { label: "new_owner", value: candidates[0], options: candidates.map((name) => [name, name]) } }}
        run=${({ master }) => shell.actions.request("set_room", { room_name: room.name, master })}>
        <p class="second">${text("transfer_hint")}</p><//>`;
  };

  DIALOGS.delete_room = ({ shell, close, dialog: { room } }) => html`
    <${Question} title=${text("delete_room_question", { room: room.name })} action=${text("delete_room")} danger close=${close}
      run=${() => shell.actions.request("delete_room", { room_name: room.name })}>
      <p class="second">${text("delete_room_hint")}</p><//>`;

  DIALOGS.leave_room = ({ shell, close, dialog: { room } }) => html`
    <${Question} title=${text("leave_question", { room: room.name })} action=${text("leave_room_action")} danger close=${close}
      run=${() => shell.actions.leaveRoom(room.name)}>
      <p class="second">${text(room.public ? "leave_public_hint" : "leave_private_hint")}</p><//>`;

  // Ends the membership of another user.
  DIALOGS.remove_user = ({ shell, close, dialog: { room, usr } }) => html`
    <${Question} title=${text("remove_question", { usr, room: room.name })} action=${text("remove")} danger close=${close}
      run=${() => shell.actions.request("kick", { room_name: room.name, user: usr })}>
      <p class="second"><${Rich} of=${room.public ? "remove_public_hint" : "remove_private_hint"} values=${{ usr, room: room.name }} /></p><//>`;

  DIALOGS.delete_message = ({ shell, close, dialog: { room, entry } }) => html`
    <${Question} title=${text("delete_message_question")} action=${text("remove_message")} danger close=${close}
      fields=${{ reason: { optional: true, maxlength: 500 } }}
      run=${({ reason }) => shell.actions.delete(room, entry, reason.trim())}>
      <blockquote class="note block"><b><bdi>${entry.usr}</bdi></b> <${Time} at=${entry.at} /><span class="block clamped" dir="auto">${GTChat.plainText(entry.msg)}</span></blockquote>
      <p class="second">${text("delete_message_hint")}</p><//>`;
})();
