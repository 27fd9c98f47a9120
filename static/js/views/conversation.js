// In the middle: the head of a room or a talk, what is said in it, and the box to write in.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { html } = globalThis.htmPreact;
  const { Avatar, Icon, IconButton } = GTChat.parts;
  const text = (...details) => GTChat.text(...details);

  const Head = ({ shell, place }) => {
    const room = place instanceof GTChat.Room ? place : null;
    const { chat } = shell;
    const count = room && room.name !== "lobby" ? room.memberCount : chat.people.size;
    return html`
      <header class="bar">
        <${IconButton} icon="menu" label=${text("rooms")} class="icon-button narrow" onClick=${() => shell.turn("rooms")} />
        ${room ? html`<span class="sign" aria-hidden="true">${room.public ? "#" : html`<${Icon} name="lock" />`}</span>`
          : html`<${Avatar} name=${place.name} here=${chat.isHere(place.name)} />`}
        <div class="title"><h2 dir="auto">${place.name}</h2>
          <p class="topic" dir="auto" title=${room?.topic}>${room ? room.topic : text(chat.isHere(place.name) ? "here" : "away")}</p></div>
        ${room && html`<button type="button" class="people-button" onClick=${() => shell.turn("people")}>
            <${Icon} name="people" /><span class="hidden">${text("people")}:</span> ${count}</button>
          <${IconButton} icon="gear" label=${text("room_settings")} onClick=${() => shell.show({ name: "room", room })} />`}
        ${!room && html`<${IconButton} icon="close" label=${text("close")} onClick=${() => chat.closeTalk(place)} />`}
      </header>`;
  };

  GTChat.Conversation = ({ shell }) => {
    const { place } = shell.chat;
    if (!place) {
      return html`<section class="conversation"><p class="hint">${text("loading")}</p><${GTChat.ConnectionState} shell=${shell} /></section>`;
    }
    const key = `${place instanceof GTChat.Room ? "room" : "talk"} ${place.name}`;
    return html`
      <section class="conversation" aria-label=${place.name}>
        <${Head} shell=${shell} place=${place} />
        <${GTChat.ConnectionState} shell=${shell} />
        <${GTChat.Log} key=${key} shell=${shell} place=${place} />
        <${GTChat.Composer} key=${`to ${key}`} shell=${shell} place=${place} draft=${key} />
      </section>`;
  };
})();
