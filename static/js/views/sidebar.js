// At the left: rooms and talks with what is unread, invitations, oneself.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { html, useState } = globalThis.htmPreact;
  const { Avatar, Icon, IconButton } = GTChat.parts;
  const text = (...details) => GTChat.text(...details);

  const byName = (a, b) => (a.name === "lobby" ? -1 : b.name === "lobby" ? 1 : a.name.localeCompare(b.name));
  // Rooms that one could join are shown up to this many; the rest is found by name.
  const SHOWN = 50;

  const Place = ({ shell, place, label, picture }) => {
    const current = shell.chat.place === place;
    return html`
      <li><button type="button" class=${`place ${place.unread ? "unread" : ""}`}
        aria-current=${current ? "true" : undefined} onClick=${() => shell.look(place)}>
        ${picture}<span class="name" dir="auto">${label}</span>
        ${place.unread > 0 && html`
          <span class=${`count ${place.mentioned ? "mentioned" : ""}`}>
            <span class="hidden">, </span>${place.unread > 999 ? "999+" : place.unread}
            <span class="hidden"> ${place.mentioned ? text("mentioned") : text("unread", { count: "" })}</span>
          </span>`}
      </button></li>`;
  };

  const Invitation = ({ shell, invitation }) => {
    const [busy, setBusy] = useState(false);
    const answer = (reply) => async () => {
      setBusy(true);
      try {
        const room = await shell.chat.answer(invitation, reply);
        if (room) shell.look(room);
      } catch (error) {
        shell.notify(GTChat.reason(error));
        setBusy(false);
      }
    };
    return html`
      <li class="invitation"><p>${text("invitation", invitation)}</p>
        <button type="button" class="primary" disabled=${busy} onClick=${answer("Y")}>${text("yes")}</button>
        <button type="button" disabled=${busy} onClick=${answer("N")}>${text("no")}</button>
        <button type="button" disabled=${busy} onClick=${answer("L")}>${text("later")}</button></li>`;
  };

  const Request = ({ shell, usr }) => {
    const answer = (cmd) => async () => {
      const chat = shell.chat;
      chat.requests = chat.requests.filter((name) => name !== usr);
      await shell.attempt(() => chat.order(cmd, { user: usr }));
    };
    return html`
      <li class="invitation"><p>${text("address_request", { usr })}</p>
        <button type="button" class="primary" onClick=${answer("allow")}>${text("allow")}</button>
        <button type="button" onClick=${answer("deny")}>${text("deny")}</button></li>`;
  };

  const OtherRooms = ({ shell }) => {
    const [wanted, setWanted] = useState("");
    const rooms = shell.chat.open
      .filter((room) => room.name.toLowerCase().includes(wanted.trim().toLowerCase())).sort(byName);
    if (!shell.chat.open.length) return null;
    return html`
      <h2 id="open-title">${text("other_rooms")}</h2>
      ${shell.chat.open.length > 8 && html`
        <input type="search" class="find" value=${wanted} placeholder=${text("find_room")}
          aria-label=${text("find_room")} onInput=${(event) => setWanted(event.target.value)} />`}
      <ul aria-labelledby="open-title">
        ${rooms.slice(0, SHOWN).map((room) => html`
          <li key=${room.name} class="open-room"><span class="name" dir="auto" title=${room.topic}># ${room.name}</span>
            <button type="button" aria-label=${`${text("join")} ${room.name}`}
              onClick=${() => shell.attempt(async () => shell.look(await shell.chat.join(room.name)))}>
              ${text("join")}</button></li>`)}
      </ul>`;
  };

  GTChat.Sidebar = ({ shell }) => {
    const { chat } = shell;
    const talks = [...chat.talks.values()];
    return html`
      <nav class="sidebar" aria-label=${text("rooms")}>
        <header class="bar"><img src="logo.svg" alt="" width="26" height="26" /><h1>GTChat</h1></header>
        <div class="scroll">
          ${(chat.invitations.length > 0 || chat.requests.length > 0) && html`
            <ul class="invitations">${chat.invitations.map((invitation) => html`
              <${Invitation} key=${`${invitation.room_name} ${invitation.usr}`} shell=${shell} invitation=${invitation} />`)}
              ${chat.requests.map((usr) => html`<${Request} key=${usr} shell=${shell} usr=${usr} />`)}</ul>`}
          <div class="heading"><h2 id="rooms-title">${text("rooms")}</h2>
            <${IconButton} icon="plus" label=${text("new_room")} onClick=${() => shell.show({ name: "create" })} /></div>
          <ul aria-labelledby="rooms-title">${chat.joined.sort(byName).map((room) => html`
            <${Place} key=${room.name} shell=${shell} place=${room} label=${room.name}
              picture=${html`<span class="sign" aria-hidden="true">${room.public ? "#" : html`<${Icon} name="lock" />`}</span>`} />`)}
          </ul>
          ${talks.length > 0 && html`<h2 id="talks-title">${text("whispers")}</h2>
            <ul aria-labelledby="talks-title">${talks.map((talk) => html`
              <${Place} key=${talk.name} shell=${shell} place=${talk} label=${talk.name}
                picture=${html`<${Avatar} name=${talk.name} here=${chat.isHere(talk.name)} />`} />`)}</ul>`}
          <${OtherRooms} shell=${shell} />
        </div>
        <footer class="self"><${Avatar} name=${chat.me} /><span class="name" dir="auto">${chat.me}</span>
          <${IconButton} icon="gear" label=${text("settings")} onClick=${() => shell.show({ name: "settings" })} />
          <${IconButton} icon="leave" label=${text("log_out")} onClick=${() => chat.logout()} /></footer>
      </nav>`;
  };
})();
