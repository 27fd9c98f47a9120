// The sidebar: rooms and direct chats with their unread counts, invitations, rooms to join, the
// user's own account.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { html, useState } = globalThis.htmPreact;
  const { Avatar, Icon, IconButton, Problem } = GTChat.parts;
  const { drafts } = GTChat.storage;
  const text = (...details) => GTChat.text(...details);

  const byName = (a, b) => GTChat.inOrder(a.name, b.name);
  // Rooms to join that are drawn, and from how many on there is a search.
  const MAX_SHOWN = 50;
  const SEARCH_FROM = 9;
  const MAX_COUNT = 999;

  const Count = ({ conversation }) => {
    const { unread, mentioned } = conversation;
    return html`
      <span class=${`count ${mentioned ? "mentioned" : ""}`}>
        <span class="hidden">, </span>${unread > MAX_COUNT ? `${MAX_COUNT}+` : unread}
        <span class="hidden"> ${mentioned ? text("mentioned") : text("unread", { count: "" })}</span>
      </span>`;
  };

  // icon: the element before the name.
  const ConversationRow = ({ shell, conversation, icon }) => {
    const { state } = shell;
    const { name, unread } = conversation;
    const current = state.current === conversation;
    const muted = shell.notifications.level(conversation) === "nothing";
    const draft = !current && drafts.get(state.me, conversation);
    return html`
      <li><button type="button" class=${`row ${unread && !muted ? "unread" : ""} ${muted ? "muted" : ""}`}
        aria-current=${current ? "true" : undefined} onClick=${() => shell.open(conversation)}>
        ${icon}<span class="name" dir="auto">${name}</span>
        ${draft && html`<span class="tag">${text("draft")}</span>`}
        ${unread > 0 && html`<${Count} conversation=${conversation} />`}
      </button></li>`;
  };

  // A question to the user. answers: [text key, function that returns a promise], the first one is
  // the main answer. Errors are shown below.
  const Question = ({ question, answers, children }) => {
    const [busy, setBusy] = useState(false);
    const [error, setError] = useState(null);
    const answer = async (action) => {
      setBusy(true);
      setError(null);
      try {
        await action();
      } catch (refused) {
        setError(refused);
        setBusy(false);
      }
    };
    return html`
      <li class="invitation"><p dir="auto">${question}</p>${children}
        ${answers.map(([key, action], index) => html`
          <button type="button" class=${index ? "" : "primary"} disabled=${busy} onClick=${() => answer(action)}>${text(key)}</button>`)}
        <${Problem} error=${error} /></li>`;
  };

  const Invitation = ({ shell, invitation }) => {
    const answer = (reply) => async () => {
      const room = await shell.actions.answerInvitation(invitation, reply);
      if (room) shell.open(room);
    };
    return html`<${Question} question=${text("invitation", invitation)}
      answers=${[["join", answer("Y")], ["decline", answer("N")], ["later", answer("L")]]} />`;
  };

  // A request for the user's address. The server knows the host; the port has to be entered.
  const AddressRequest = ({ shell, usr }) => {
    const { state, actions } = shell;
    const [port, setPort] = useState(state.listenPort || "");
    const allow = async () => {
      if (!state.listenPort || Number(port) !== state.listenPort) await actions.setListenPort(Number(port));
      await actions.answerAddressRequest(usr, "allow");
    };
    return html`
      <${Question} question=${text("address_request", { usr })}
        answers=${[["allow", allow], ["deny", () => actions.answerAddressRequest(usr, "deny")]]}>
        <label class="port">${text("port")}<input type="number" min="1024" max="65535" value=${port}
          onInput=${(event) => setPort(event.target.value)} /></label><//>`;
  };

  const JoinableRoom = ({ shell, room }) => {
    const [error, setError] = useState(null);
    const join = async () => {
      setError(null);
      try {
        shell.open(await shell.actions.joinRoom(room.name));
      } catch (refused) {
        setError(refused);
      }
    };
    return html`
      <li class="joinable-room"><span class="room-icon" aria-hidden="true">#</span>
        <span class="name"><bdi>${room.name}</bdi>${room.topic && html`<small dir="auto">${room.topic}</small>`}</span>
        <button type="button" aria-label=${`${text("join")} ${room.name}`} onClick=${join}>${text("join")}</button>
        <${Problem} error=${error} /></li>`;
  };

  const JoinableRooms = ({ shell }) => {
    const [query, setQuery] = useState("");
    const { joinableRooms } = shell.state;
    if (!joinableRooms.length) return null;
    const wanted = query.trim().toLowerCase();
    const found = joinableRooms.filter((room) => room.name.toLowerCase().includes(wanted)).sort(byName);
    return html`
      <h2 id="joinable-title">${text("other_rooms")}</h2>
      ${joinableRooms.length >= SEARCH_FROM && html`
        <input type="search" class="room-search" value=${query} placeholder=${text("search_rooms")}
          aria-label=${text("search_rooms")} onInput=${(event) => setQuery(event.target.value)} />`}
      <ul aria-labelledby="joinable-title">
        ${found.slice(0, MAX_SHOWN).map((room) => html`
          <${JoinableRoom} key=${room.name} shell=${shell} room=${room} />`)}
      </ul>`;
  };

  const Questions = ({ shell }) => {
    const { invitations, addressRequests } = shell.state;
    if (!invitations.length && !addressRequests.length) return null;
    return html`
      <ul class="invitations">${invitations.map((invitation) => html`
        <${Invitation} key=${`${invitation.room_name} ${invitation.usr}`} shell=${shell} invitation=${invitation} />`)}
        ${addressRequests.map((usr) => html`<${AddressRequest} key=${usr} shell=${shell} usr=${usr} />`)}</ul>`;
  };

  GTChat.Sidebar = ({ shell }) => {
    const { state, actions } = shell;
    const rooms = state.conversations.filter(({ kind }) => kind === "room");
    const directs = [...state.directs.values()];
    return html`
      <nav class="sidebar" aria-label=${text("rooms")}>
        <header class="bar"><img src=${GTChat.LOGO} alt="" width="26" height="26" /><p class="brand">GTChat</p>
          <${IconButton} icon="search" label=${text("switcher")} onClick=${() => shell.showDialog({ name: "switcher" })} /></header>
        <div class="scroll">
          <${Questions} shell=${shell} />
          <div class="heading"><h2 id="rooms-title">${text("rooms")}</h2>
            <${IconButton} icon="plus" label=${text("new_room")} onClick=${() => shell.showDialog({ name: "create" })} /></div>
          <ul aria-labelledby="rooms-title">${rooms.map((room) => html`
            <${ConversationRow} key=${room.name} shell=${shell} conversation=${room}
              icon=${html`<span class="room-icon" aria-hidden="true">${room.public ? "#" : html`<${Icon} name="lock" />`}</span>`} />`)}
          </ul>
          ${directs.length > 0 && html`<h2 id="directs-title">${text("direct_messages")}</h2>
            <ul aria-labelledby="directs-title">${directs.map((direct) => html`
              <${ConversationRow} key=${direct.name} shell=${shell} conversation=${direct}
                icon=${html`<${Avatar} name=${direct.name} online=${state.isOnline(direct.name)} />`} />`)}</ul>`}
          <${JoinableRooms} shell=${shell} />
        </div>
        <footer class="account"><${Avatar} name=${state.me} /><span class="name" dir="auto">${state.me}</span>
          <${IconButton} icon="gear" label=${text("settings")} onClick=${() => shell.showDialog({ name: "settings" })} />
          <${IconButton} icon="leave" label=${text("log_out")} onClick=${() => (state.hasUnsent ? shell.showDialog({ name: "logout" }) : actions.logout())} /></footer>
      </nav>`;
  };
})();
