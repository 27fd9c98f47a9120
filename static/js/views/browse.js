// The public rooms: to find one, to look at its last messages, and to join it.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { html, useEffect, useRef, useState } = globalThis.htmPreact;
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

  // choose(): shows the preview of the room, which a phone has no place for. join(): joins it; error: why that failed.
  const RoomRow = ({ shell, room, chosen, choose, join, error }) => {
    const count = GTChat.memberCount(shell.state, room);
    const about = html`<span class="picture"><${Icon} name="hash" /></span>
      <span class="grow"><bdi class="strong cut">${room.name}</bdi>
        ${room.topic && html`<bdi class="small third cut">${room.topic}</bdi>`}
        <span class="tiny third">${GTChat.membersText(count)}</span></span>`;
    return html`
      <li class=${`room-row ${chosen ? "chosen" : ""}`}>
        ${shell.narrow ? html`<span class="about">${about}</span>`
          : html`<button type="button" class="about" aria-current=${chosen ? "true" : undefined} onClick=${choose}>${about}</button>`}
        ${room.joined
          ? html`<span class="state small third">${text("joined")}</span><button type="button" class="button small" aria-label=${text("open_room", { room: room.name })}
            onClick=${() => shell.open(room)}>${text("open")}</button>`
          : html`<button type="button" class="button small" aria-label=${text("join_named", { room: room.name })} onClick=${join}>${text("join")}</button>`}
        <${Problem} error=${error} /></li>`;
  };

  GTChat.Browse = ({ shell }) => {
    const [query, setQuery] = useState(shell.browseQuery);
    const [filter, setFilter] = useState("all");
    const [chosen, setChosen] = useState(shell.browseQuery); // name of the room that is looked at
    const [refused, setRefused] = useState(null); // {name, error} of a room that could not be joined
    const kept = useRef(new Map());
    useEffect(() => { shell.actions?.refreshRooms(); }, []);
    const rooms = [...shell.state.rooms.values()].filter((room) => room.public);
    const { wanted, order } = FILTERS[filter];
    const part = query.trim().toLowerCase();
    const matches = ({ name, topic }) => `${name}\n${topic}`.toLowerCase().includes(part);
    const found = rooms.filter((room) => wanted(room) && matches(room)).sort(order);
    const shown = found.find(({ name }) => name === chosen) ?? found.find(({ joined }) => !joined) ?? found[0];
    const join = async (name) => {
      setRefused(null);
      try {
        shell.open(await shell.actions.joinRoom(name));
      } catch (error) {
        setRefused({ name, error });
      }
    };
    const errorOf = ({ name }) => (refused?.name === name ? refused.error : null);
    const create = () => shell.showDialog({ name: "create" });
    return html`
      <div class="conversation" role="main" aria-label=${text("browse")}>
        <div class="bar"><${BackButton} onClick=${() => shell.showPane("list")} /><${Icon} name="compass" kind="wide" />
          <div class="bar-title"><h1>${text("browse")}</h1><p class="topic">${rooms.length === 1 ? text("one_public_room") : text("public_rooms", { count: rooms.length })}</p></div>
          <button type="button" class="button primary wide" onClick=${create}><${Icon} name="plus" size="s" />${text("new_room")}</button>
          <${IconButton} icon="plus" kind="narrow" label=${text("new_room")} onClick=${create} /></div>
        <${GTChat.ConnectionState} shell=${shell} />
        <div class="browse">
          <div class="rooms"><div class="find"><${Find} label=${text("search_rooms")} value=${query} onChange=${setQuery} />
            <div class="filters" role="group" aria-label=${text("filter")}>${Object.keys(FILTERS).map((key) => html`
              <button type="button" key=${key} class=${`chip ${key === filter ? "chosen" : ""}`} aria-pressed=${key === filter ? "true" : "false"}
                onClick=${() => setFilter(key)}>${text(`filter_${key}`)}</button>`)}</div></div>
          <div class="scroll">
            <ul aria-label=${text("browse")}>${found.slice(0, MAX_SHOWN).map((room) => html`
              <${RoomRow} key=${room.name} shell=${shell} room=${room} chosen=${room === shown && !shell.narrow} choose=${() => setChosen(room.name)}
                join=${() => join(room.name)} error=${shell.narrow || room !== shown ? errorOf(room) : null} />`)}</ul>
            ${found.length > MAX_SHOWN && html`<p class="hint">${text("more_rooms", { count: found.length - MAX_SHOWN })}</p>`}
            ${found.length === 0 && html`<${Empty} icon="search" title=${text("no_results")}>${text(part ? "no_room_found" : "no_public_rooms")}<//>`}
          </div></div>
          ${shown && !shell.narrow && html`<${GTChat.Preview} key=${shown.name} shell=${shell} room=${shown} kept=${kept.current}
            join=${() => join(shown.name)} error=${errorOf(shown)} />`}
        </div>
        <${GTChat.Notices} shell=${shell} pane="conversation" />
      </div>`;
  };
})();
