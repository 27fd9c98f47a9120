// The header of a conversation.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { html } = globalThis.htmPreact;
  const { Avatar, BackButton, Icon, IconButton } = GTChat.parts;
  const text = (...details) => GTChat.text(...details);

  const LEVEL_ICONS = { all: "bell", mentions: "at", none: "bell_off" };

  // Returns the number of members; all users online are in the lobby.
  const memberCount = (state, room) => (room.name === "lobby" ? state.online.size : room.memberCount);

  const membersText = (count) => (count === 1 ? text("one_member") : text("members_count", { count }));

  // The bell: shows which messages cause a notification, and opens a menu of the levels.
  const LevelButton = ({ shell, conversation, kind }) => {
    const { level } = conversation;
    return shell.actions.can("notify") && html`
      <${IconButton} icon=${level === "none" ? "bell_off" : "bell"} kind=${kind} label=${text("notifications_level", { level: text(`level_${level}`) })}
        aria-haspopup="menu" onClick=${(event) => shell.showPopover({ name: "level", anchor: event.currentTarget, conversation })} />`;
  };

  GTChat.POPOVERS.level = ({ shell, popover: { anchor, conversation }, close }) => html`
    <${GTChat.Menu} anchor=${anchor} close=${close} label=${text("notify_about")} items=${GTChat.LEVELS.map((level) => ({
      icon: LEVEL_ICONS[level], label: text(`level_${level}`), chosen: conversation.level === level,
      run: () => shell.attempt(() => shell.actions.setLevel(conversation, level)) }))}><p class="group-title" aria-hidden="true">${text("notify_about")}</p><//>`;

  // Whether a panel stands beside the conversation; a phone shows one of them.
  const isShown = (shell, panel) => shell.panel === panel && !shell.narrow;

  // Opens the search in a conversation, and closes it, if the server can search.
  const SearchButton = ({ shell, conversation }) => {
    const open = isShown(shell, "search");
    const toggle = () => (open ? shell.showPanel(null) : shell.openSearch(conversation));
    return shell.actions.can("search") && html`
      <${IconButton} icon="search" label=${text(conversation.kind === "room" ? "search_here" : "search_here_direct")} keys="Ctrl F"
        aria-pressed=${open ? "true" : "false"} onClick=${toggle} />`;
  };

  const RoomTools = ({ shell, room }) => {
    const { state } = shell;
    const count = memberCount(state, room);
    const toggle = (name, icon, label, { kind = "wide", children } = {}) => html`
      <${IconButton} icon=${icon} kind=${kind} label=${label} aria-pressed=${isShown(shell, name) ? "true" : "false"}
        onClick=${() => shell.togglePanel(name)}>${children}<//>`;
    return html`
      ${toggle("members", "users", membersText(count), { kind: "labelled wide", children: html`<span class="num">${count}</span>` })}
      ${toggle("pinned", "pin", text("pinned_messages"))}
      <${LevelButton} shell=${shell} conversation=${room} kind="wide" />
      <${SearchButton} shell=${shell} conversation=${room} />
      ${toggle("about", "info", text("about_room"), { kind: "" })}`;
  };

  // The name of an account that has ended may be another user's now.
  const DirectTools = ({ shell, direct }) => html`
    ${direct.id !== null && html`<${LevelButton} shell=${shell} conversation=${direct} />`}
    <${SearchButton} shell=${shell} conversation=${direct} />
    ${!direct.ended && html`<${IconButton} icon="info" label=${text("about_user", { usr: direct.name })} aria-haspopup="dialog"
      onClick=${(event) => shell.showPopover({ name: "person", anchor: event.currentTarget, usr: direct.name, room: null })} />`}
    <${IconButton} icon="close" label=${text("close_conversation")} onClick=${() => shell.actions.closeDirect(direct)} />`;

  GTChat.Header = ({ shell, conversation }) => {
    const { state } = shell;
    const { name } = conversation;
    const room = conversation.kind === "room" ? conversation : null;
    const online = !conversation.ended && state.isOnline(name);
    return html`
      <div class="bar">
        <${BackButton} onClick=${() => shell.showPane("list")} />
        ${room ? html`<${Icon} name=${room.public ? "hash" : "lock"} kind="wide" />`
          : html`<span class="wide on-surface"><${Avatar} name=${name} online=${online} /></span>`}
        <div class="bar-title"><h1 class="cut"><bdi>${name}</bdi></h1>
          <p class="topic cut" dir="auto" title=${room?.topic}>${room ? html`<${GTChat.Topic} topic=${room.topic} />` : text(conversation.ended ? "ended" : online ? "online" : "offline")}</p></div>
        <div class="tools">${room ? html`<${RoomTools} shell=${shell} room=${room} />` : html`<${DirectTools} shell=${shell} direct=${conversation} />`}</div>
      </div>`;
  };

  Object.assign(GTChat, { memberCount, membersText });
})();
