// The public rooms: to find one and to join it.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { html, useState } = globalThis.htmPreact;
  const { BackButton, Empty, Icon, IconButton, Problem } = GTChat.parts;
  const { Find } = GTChat.forms;
  const text = (...details) => GTChat.text(...details);

  // Rooms that are drawn.
  const MAX_SHOWN = 200;

  const byName = (a, b) => GTChat.inOrder(a.name, b.name);
  const bySize = (a, b) => b.memberCount - a.memberCount || byName(a, b);

  // Which rooms are listed, by the key of their text: which, and in what order.
  const FILTERS = {
    all: { wanted: () => true, order: byName },
    not_joined: { wanted: (room) => !room.joined, order: byName },
    most_members: { wanted: () => true, order: bySize },
  };

  const RoomRow = ({ shell, room }) => {
    const [error, setError] = useState(null);
    const count = room.name === "lobby" ? shell.state.online.size : room.memberCount;
    const join = async () => {
      setError(null);
      try {
        shell.open(await shell.actions.joinRoom(room.name));
      } catch (refused) {
        setError(refused);
      }
    };
    return html`
      <li class="room-row"><span class="picture"><${Icon} name="hash" /></span>
        <span class="grow"><bdi class="strong cut">${room.name}</bdi>
          ${room.topic && html`<bdi class="small third cut">${room.topic}</bdi>`}
          <span class="tiny third">${count === 1 ? text("one_member") : text("members_count", { count })}</span></span>
        ${room.joined
          ? html`<span class="small third">${text("joined")}</span><button type="button" class="button small" aria-label=${text("open_room", { room: room.name })}
            onClick=${() => shell.open(room)}>${text("open")}</button>`
          : html`<button type="button" class="button small" aria-label=${text("join_named", { room: room.name })} onClick=${join}>${text("join")}</button>`}
        <${Problem} error=${error} /></li>`;
  };

  GTChat.Browse = ({ shell }) => {
    const [query, setQuery] = useState(shell.browseQuery);
    const [filter, setFilter] = useState("all");
    const rooms = [...shell.state.rooms.values()].filter((room) => room.public);
    const { wanted, order } = FILTERS[filter];
    const part = query.trim().toLowerCase();
    const matches = ({ name, topic }) => `${name}\n${topic}`.toLowerCase().includes(part);
    const found = rooms.filter((room) => wanted(room) && matches(room)).sort(order);
    const create = () => shell.showDialog({ name: "create" });
    return html`
      <div class="conversation" role="main" aria-label=${text("browse")}>
        <div class="bar"><${BackButton} onClick=${() => shell.showPane("list")} /><${Icon} name="compass" kind="wide" />
          <div class="bar-title"><h1>${text("browse")}</h1><p class="topic">${rooms.length === 1 ? text("one_public_room") : text("public_rooms", { count: rooms.length })}</p></div>
          <button type="button" class="button primary wide" onClick=${create}><${Icon} name="plus" size="s" />${text("new_room")}</button>
          <${IconButton} icon="plus" kind="narrow" label=${text("new_room")} onClick=${create} /></div>
        <${GTChat.ConnectionState} shell=${shell} />
        <div class="browse">
          <div class="find"><${Find} label=${text("search_rooms")} value=${query} onChange=${setQuery} />
            <div class="filters" role="group" aria-label=${text("filter")}>${Object.keys(FILTERS).map((key) => html`
              <button type="button" key=${key} class=${`chip ${key === filter ? "chosen" : ""}`} aria-pressed=${key === filter ? "true" : "false"}
                onClick=${() => setFilter(key)}>${text(`filter_${key}`)}</button>`)}</div></div>
          <div class="scroll">
            <ul aria-label=${text("browse")}>${found.slice(0, MAX_SHOWN).map((room) => html`<${RoomRow} key=${room.name} shell=${shell} room=${room} />`)}</ul>
            ${found.length > MAX_SHOWN && html`<p class="hint">${text("more_rooms", { count: found.length - MAX_SHOWN })}</p>`}
            ${found.length === 0 && html`<${Empty} icon="search" title=${text("no_results")}>${text(part ? "no_room_found" : "no_public_rooms")}<//>`}
          </div>
        </div>
        <${GTChat.Notices} shell=${shell} pane="conversation" />
      </div>`;
  };
})();
