// Dialogs about rooms and messages that every member may need; those of owners and moderators are in moderation.js.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { html } = globalThis.htmPreact;
  const { Time } = GTChat.parts;
  const { Question, DIALOGS } = GTChat;
  const text = (...details) => GTChat.text(...details);

  DIALOGS.leave_room = ({ shell, close, dialog: { room } }) => html`
    <${Question} title=${text("leave_question", { room: room.name })} action=${text("leave_room_action")} danger close=${close}
      run=${() => shell.actions.leaveRoom(room.name)}>
      <p class="second">${text(room.public ? "leave_public_hint" : "leave_private_hint")}</p><//>`;

  DIALOGS.delete_message = ({ shell, close, dialog: { room, entry } }) => html`
    <${Question} title=${text("delete_message_question")} action=${text("remove_message")} danger close=${close}
      fields=${{ reason: { optional: true, maxlength: 500 } }}
      run=${({ reason }) => shell.actions.delete(room, entry, reason.trim())}>
      <blockquote class="note block"><b><bdi>${entry.usr}</bdi></b> <${Time} at=${entry.at} /><span class="block clamped" dir="auto">${GTChat.plainText(entry.msg)}</span></blockquote>
      <p class="second">${text("delete_message_hint")}</p><//>`;
})();
