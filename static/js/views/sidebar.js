// The sidebar: invitations, rooms and direct conversations with their unread counts, the user's own account.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { html } = globalThis.htmPreact;
  const { Avatar, Badge, Icon, IconButton } = GTChat.parts;
  const { drafts } = GTChat.storage;
  const text = (...details) => GTChat.text(...details);

  // What is unread: in a room the mentions, if there are any.
  const UnreadBadge = ({ conversation: { unread, mentions, kind } }) => {
    const isMention = kind === "room" && mentions > 0;
    return html`<${Badge} count=${isMention ? mentions : unread} wanted=${isMention || kind === "direct"}
      label=${text(isMention ? (mentions === 1 ? "one_mention" : "mentions_count") : "unread")} />`;
  };

  // icon: the element before the name. A muted room shows no count.
  const Place = ({ shell, conversation, icon }) => {
    const { state } = shell;
    const { name, unread, level } = conversation;
    const current = state.current === conversation && shell.view === "conversation";
    const muted = level === "none";
    const draft = !current && drafts.get(state.me, conversation);
    return html`
      <li><button type="button" class=${`place ${unread && !muted ? "unread" : ""} ${muted ? "muted" : ""}`}
        aria-current=${current ? "page" : undefined} onClick=${() => shell.open(conversation)}>
        ${icon}<span class="grow cut name"><bdi>${name}</bdi></span>
        ${draft && html`<span class="visually-hidden">${text("draft")}</span><${Icon} name="pencil" kind="mark" />`}
        ${muted && html`<span class="visually-hidden">${text("is_muted")}</span><${Icon} name="bell_off" kind="mark" />`}
        ${unread > 0 && !muted && html`<${UnreadBadge} conversation=${conversation} />`}
      </button></li>`;
  };

  const Heading = ({ title, label, onClick }) => html`
    <div class="heading"><h2 class="group-title" id=${`${title}-title`}>${text(title)}</h2>
      <${IconButton} icon="plus" size="s" label=${text(label)} onClick=${onClick} /></div>`;

  const Rooms = ({ shell }) => {
    const rooms = shell.state.conversations.filter(({ kind }) => kind === "room");
    return html`
      <${Heading} title="rooms" label="new_room" onClick=${() => shell.showDialog({ name: "create" })} />
      <ul aria-labelledby="rooms-title">${rooms.map((room) => html`
        <${Place} key=${room.name} shell=${shell} conversation=${room} icon=${html`<${Icon} name=${room.public ? "hash" : "lock"} />`} />`)}</ul>`;
  };

  const Directs = ({ shell }) => {
    const { state } = shell;
    const directs = state.openDirects;
    return html`
      <${Heading} title="direct_messages" label="new_direct" onClick=${() => shell.showDialog({ name: "switcher" })} />
      ${directs.length === 0 && html`<p class="hint">${text("no_directs")}</p>`}
      <ul aria-labelledby="direct_messages-title">${directs.map((direct) => html`
        <${Place} key=${direct.key} shell=${shell} conversation=${direct}
          icon=${html`<${Avatar} name=${direct.name} online=${!direct.ended && state.isOnline(direct.name)} size="xs" />`} />`)}</ul>`;
  };

  // Logs out; messages that were not sent are asked about first. forget: whether this device is forgotten too.
  const logOut = (shell, forget) => (shell.state.hasUnsent ? shell.showDialog({ name: "logout", forget }) : shell.logOut(forget));

  // The ways to log out, as items of a menu: a device that stays logged in has two.
  const logOutItems = (shell) => [
    { icon: "out", label: text(shell.remembered ? "log_out_tab" : "log_out"), run: () => logOut(shell, false) },
    ...(shell.remembered ? [{ icon: "out", label: text("log_out_forget"), run: () => logOut(shell, true) }] : []),
  ];

  const Account = ({ shell }) => {
    const { state, connection } = shell;
    return html`
      <div class="account">
        <button type="button" class="own" aria-haspopup="menu" onClick=${(event) => shell.showPopover({ name: "account", anchor: event.currentTarget })}>
          <${Avatar} name=${state.me} online=${connection.state === "open"} />
          <span class="grow"><span class="name strong cut block"><bdi>${state.me}</bdi></span>
            <span class="tiny third cut block">${text(shell.mode === "guest" ? "guest" : "account_kind")}</span></span></button>
        <${IconButton} icon="gear" label=${text("settings")} onClick=${() => shell.showDialog({ name: "settings" })} />
      </div>`;
  };

  GTChat.POPOVERS.account = ({ shell, popover, close }) => html`
    <${GTChat.Menu} anchor=${popover.anchor} close=${close} label=${text("account_menu")} side="above" items=${[
      { icon: "user", label: text("profile"), run: () => shell.showDialog({ name: "settings", section: "profile" }) },
      { icon: "keyboard", label: text("shortcuts"), keys: "Ctrl /", run: () => shell.showDialog({ name: "shortcuts" }) },
      null,
      ...logOutItems(shell),
    ]} />`;

  GTChat.POPOVERS.begin = ({ shell, popover, close }) => html`
    <${GTChat.Menu} anchor=${popover.anchor} close=${close} label=${text("begin")} items=${[
      { icon: "chat", label: text("new_direct"), run: () => shell.showDialog({ name: "switcher" }) },
      { icon: "hash", label: text("new_room"), run: () => shell.showDialog({ name: "create" }) },
      { icon: "compass", label: text("browse"), run: () => shell.browse() },
    ]} />`;

  // The bar below the list of a phone.
  const Tabs = ({ shell }) => html`
    <div class="tabs" role="group" aria-label=${text("sections")}>
      <button type="button" aria-current="page"><${Icon} name="chat" size="l" />${text("chats")}</button>
      <${GTChat.MentionsTab} shell=${shell} />
      <button type="button" onClick=${() => (shell.actions.can("search") ? shell.openSearch(null) : shell.showDialog({ name: "switcher" }))}>
        <${Icon} name="search" size="l" />${text("search")}</button>
      <button type="button" onClick=${() => shell.showDialog({ name: "settings" })}><${Icon} name="user" size="l" />${text("own_tab")}</button>
    </div>`;

  GTChat.Sidebar = ({ shell }) => {
    const heading = shell.narrow ? "h1" : "p";
    return html`
      <div class="sidebar" role=${shell.narrow ? "main" : "navigation"} aria-label=${text("rooms_and_messages")}>
        <div class="bar"><${heading} class="brand"><img class="logo" src=${GTChat.LOGO} alt="" width="24" height="24" /><bdi class="cut">${shell.site.info.name}</bdi><//>
          <${IconButton} icon="plus" label=${text("begin")} aria-haspopup="menu"
            onClick=${(event) => shell.showPopover({ name: "begin", anchor: event.currentTarget })} /></div>
        <button type="button" class="switcher-button" onClick=${() => shell.showDialog({ name: "switcher" })}>
          <${Icon} name="search" size="s" /><span>${text("switcher")}</span><kbd>Ctrl K</kbd></button>
        <div class="scroll">
          <${GTChat.MentionsPlace} shell=${shell} />
          <button type="button" class="place" aria-current=${shell.view === "browse" ? "page" : undefined} onClick=${() => shell.browse()}>
            <${Icon} name="compass" /><span class="grow cut">${text("browse")}</span></button>
          <${GTChat.Questions} shell=${shell} />
          <${Rooms} shell=${shell} />
          <${Directs} shell=${shell} />
        </div>
        ${shell.narrow && html`<${GTChat.Notices} shell=${shell} pane="list" />`}
        <${Account} shell=${shell} />
        <${Tabs} shell=${shell} />
      </div>`;
  };

  GTChat.logOutItems = logOutItems;
})();
