// At the left: rooms and talks with what is unread, invitations, oneself.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { html, useState } = globalThis.htmPreact;
  const { Avatar, Icon, IconButton, Problem } = GTChat.parts;
  const text = (...details) => GTChat.text(...details);

  const byName = (a, b) => GTChat.inOrder(a.name, b.name);
  // Rooms that one could join are shown up to this many; the rest is found by name.
  const SHOWN = 50;

  const Place = ({ shell, place, label, picture }) => {
    const current = shell.chat.place === place;
    const muted = shell.alerts.level(place) === "nothing";
    const kind = place instanceof GTChat.Room ? "room" : "talk";
    const draft = !current && GTChat.memory.drafts.get(shell.chat.me, `${kind} ${place.name}`);
    return html`
      <li><button type="button" class=${`place ${place.unread && !muted ? "unread" : ""} ${muted ? "muted" : ""}`}
        aria-current=${current ? "true" : undefined} onClick=${() => shell.look(place)}>
        ${picture}<span class="name" dir="auto">${label}</span>
        ${draft && html`<span class="tag">${text("draft")}</span>`}
        ${place.unread > 0 && html`
          <span class=${`count ${place.mentioned ? "mentioned" : ""}`}>
            <span class="hidden">, </span>${place.unread > 999 ? "999+" : place.unread}
            <span class="hidden"> ${place.mentioned ? text("mentioned") : text("unread", { count: "" })}</span>
          </span>`}
      </button></li>`;
  };

  // Something to be answered, with what went wrong beside it. answers: [[text, act]], the best first.
  const Question = ({ words, answers, children }) => {
    const [busy, setBusy] = useState(false);
    const [error, setError] = useState(null);
    const answer = async (act) => {
      setBusy(true);
      setError(null);
      try {
        await act();
      } catch (refusal) {
        setError(refusal);
        setBusy(false);
      }
    };
    return html`
      <li class="invitation"><p dir="auto">${words}</p>${children}
        ${answers.map(([key, act], index) => html`
          <button type="button" class=${index ? "" : "primary"} disabled=${busy} onClick=${() => answer(act)}>${text(key)}</button>`)}
        <${Problem} error=${error} /></li>`;
  };

  const Invitation = ({ shell, invitation }) => {
    const answer = (reply) => async () => {
      const room = await shell.chat.answer(invitation, reply);
      if (room) shell.look(room);
    };
    return html`<${Question} words=${text("invitation", invitation)}
      answers=${[["yes", answer("Y")], ["no", answer("N")], ["later", answer("L")]]} />`;
  };

  // Somebody asks for one's address; the server knows the host, the port has to be told.
  const Request = ({ shell, usr }) => {
    const { chat } = shell;
    const [port, setPort] = useState(chat.port || "");
    const allow = async () => {
      if (!chat.port || Number(port) !== chat.port) await chat.listenAt(Number(port));
      await chat.answerRequest(usr, "allow");
    };
    return html`
      <${Question} words=${text("address_request", { usr })}
        answers=${[["allow", allow], ["deny", () => chat.answerRequest(usr, "deny")]]}>
        <label class="port">${text("port")}<input type="number" min="1024" max="65535" value=${port}
          onInput=${(event) => setPort(event.target.value)} /></label><//>`;
  };

  const OpenRoom = ({ shell, room }) => {
    const [error, setError] = useState(null);
    const join = async () => {
      setError(null);
      try {
        shell.look(await shell.chat.join(room.name));
      } catch (refusal) {
        setError(refusal);
      }
    };
    return html`
      <li class="open-room"><span class="sign" aria-hidden="true">#</span>
        <span class="name"><bdi>${room.name}</bdi>${room.topic && html`<small dir="auto">${room.topic}</small>`}</span>
        <button type="button" aria-label=${`${text("join")} ${room.name}`} onClick=${join}>${text("join")}</button>
        <${Problem} error=${error} /></li>`;
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
          <${OpenRoom} key=${room.name} shell=${shell} room=${room} />`)}
      </ul>`;
  };

  GTChat.Sidebar = ({ shell }) => {
    const { chat } = shell;
    const talks = [...chat.talks.values()];
    return html`
      <nav class="sidebar" aria-label=${text("rooms")}>
        <header class="bar"><img src="logo.svg" alt="" width="26" height="26" /><p class="brand">GTChat</p>
          <${IconButton} icon="search" label=${text("go")} onClick=${() => shell.show({ name: "go" })} /></header>
        <div class="scroll">
          ${(chat.invitations.length > 0 || chat.requests.length > 0) && html`
            <ul class="invitations">${chat.invitations.map((invitation) => html`
              <${Invitation} key=${`${invitation.room_name} ${invitation.usr}`} shell=${shell} invitation=${invitation} />`)}
              ${chat.requests.map((usr) => html`<${Request} key=${usr} shell=${shell} usr=${usr} />`)}</ul>`}
          <div class="heading"><h2 id="rooms-title">${text("rooms")}</h2>
            <${IconButton} icon="plus" label=${text("new_room")} onClick=${() => shell.show({ name: "create" })} /></div>
          <ul aria-labelledby="rooms-title">${chat.places.filter((place) => place instanceof GTChat.Room).map((room) => html`
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
