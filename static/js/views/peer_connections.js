// The dialog for direct connections of other users: where this client accepts them.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { html } = globalThis.htmPreact;
  const { Form } = GTChat.forms;
  const text = (...details) => GTChat.text(...details);

  GTChat.PeerConnections = ({ shell }) => {
    const back = () => shell.showDialog({ name: "settings", section: "account" });
    return html`
      <${GTChat.Dialog} title=${text("peer_connections")} onClose=${back} size="small">
        <${Form} submit=${text("save")} onDone=${back} onCancel=${back} onSubmit=${({ port }) => shell.actions.setListenPort(Number(port))}
          fields=${{ port: { type: "number", min: 1024, max: 65535, required: true, autofocus: true, value: shell.state.listenPort || "" } }}>
          <p class="second">${text("peer_connections_hint")}</p><//>
      <//>`;
  };
})();
