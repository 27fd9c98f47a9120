// A broadcast, which needs a key of the server, from any account.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { html } = globalThis.htmPreact;
  const { Form } = GTChat.forms;
  const text = (...details) => GTChat.text(...details);

  GTChat.Broadcast = ({ shell }) => {
    const back = () => shell.showDialog({ name: "settings", section: "account" });
    const broadcast = async (values) => {
      const { recipients } = await shell.actions.request("broadcast", { msg: values.message, broadcast_key: values.broadcast_key });
      shell.notice(text("broadcast_sent", { count: recipients }));
    };
    return html`
      <${GTChat.Dialog} title=${text("broadcast_to_all")} onClose=${back}>
        <${Form} submit=${text("send_broadcast")} onSubmit=${broadcast} onDone=${back} onCancel=${back}
          fields=${{ message: { type: "multiline", required: true, autofocus: true }, broadcast_key: { type: "password", required: true, autocomplete: "off" } }} />
      <//>`;
  };
})();
