// The open conversation: its header, its log and the message box.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { html } = globalThis.htmPreact;
  const { Avatar, Icon, IconButton } = GTChat.parts;
  const text = (...details) => GTChat.text(...details);

  const Header = ({ shell, conversation }) => {
    const { state, actions } = shell;
    const { name } = conversation;
    const room = conversation.kind === "room" ? conversation : null;
    const online = state.isOnline(name);
    const count = room && name !== "lobby" ? room.memberCount : state.online.size;
    return html`
      <header class="bar">
        <${IconButton} icon="menu" label=${text("rooms")} class="icon-button narrow" onClick=${() => shell.showPane("rooms")} />
        ${room ? html`<span class="room-icon" aria-hidden="true">${room.public ? "#" : html`<${Icon} name="lock" />`}</span>`
          : html`<${Avatar} name=${name} online=${online} />`}
        <div class="title"><h2 dir="auto">${name}</h2>
          <p class="topic" dir="auto" title=${room?.topic}>${room ? room.topic : text(online ? "online" : "offline")}</p></div>
        ${room && html`<button type="button" class="members-button" onClick=${() => shell.showPane("members")}>
            <${Icon} name="members" /><span class="hidden">${text("members")}:</span> ${count}</button>
          <${IconButton} icon="gear" label=${text("room_settings")} onClick=${() => shell.showDialog({ name: "room", room })} />`}
        ${!room && html`<${IconButton} icon="close" label=${text("close")} onClick=${() => actions.closeDirect(conversation)} />`}
      </header>`;
  };

  GTChat.Conversation = ({ shell }) => {
    const { current } = shell.state;
    if (!current) {
      return html`<section class="conversation"><p class="hint">${text("loading")}</p><${GTChat.ConnectionState} shell=${shell} /></section>`;
    }
    const key = `${current.kind} ${current.name}`;
    return html`
      <section class="conversation" aria-label=${current.name}>
        <${Header} shell=${shell} conversation=${current} />
        <${GTChat.ConnectionState} shell=${shell} />
        <${GTChat.Log} key=${`log ${key}`} shell=${shell} conversation=${current} />
        <${GTChat.Composer} key=${`composer ${key}`} shell=${shell} conversation=${current} />
      </section>`;
  };
})();
