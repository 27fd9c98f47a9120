// The panel of the messages that mention the user, and the ways to it.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { html, useEffect } = globalThis.htmPreact;
  const { Badge, Empty, Icon } = GTChat.parts;
  const text = (...details) => GTChat.text(...details);

  // Returns the words of a message, with what mentions the user marked.
  const words = (msg, me) => {
    const quoted = me.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
    const parts = GTChat.plainText(msg).split(new RegExp(`(@(?:${quoted}|room)(?![\\p{L}\\p{N}_]))`, "iu"));
    return parts.map((part, index) => (index % 2 ? html`<span class="user-mention me">${part}</span>` : part));
  };

  const Mention = ({ shell, entry }) => {
    const { state } = shell;
    const conversation = state.conversationOf(entry);
    const isUnread = conversation && entry.seq > conversation.readSeq;
    const open = () => {
      const opened = conversation ?? state.direct(entry.usr);
      shell.actions.show(opened, entry.seq); // first, so that its end does not count as shown
      shell.open(opened);
    };
    const place = entry.room_name ? GTChat.textParts("in_room", { room: html`<bdi>${entry.room_name}</bdi>` }) : text("in_direct");
    return html`
      <${GTChat.Hit} room=${conversation?.kind === "room" ? conversation : undefined} entry=${entry} opened=${isUnread} onOpen=${open}
        origin=${html`${place}${isUnread && html`<span class="visually-hidden">, ${text("unread_mention")}</span>`}`}>
        ${words(entry.msg, state.me)}<//>`;
  };

  const Rest = ({ shell }) => {
    const { mentions } = shell.state;
    const load = () => shell.actions.loadMentions();
    if (mentions.failed) {
      return html`<p class="hint" role="alert">${text("load_failed")} <button type="button" class="button small" onClick=${load}>${text("load_again")}</button></p>`;
    }
    if (mentions.loading) return html`<p class="hint" role="status">${text("loading")}</p>`;
    return mentions.more && mentions.loaded && html`
      <p class="hint"><button type="button" class="button small" onClick=${load}>${text("earlier_mentions")}</button></p>`;
  };

  // A message of a user who is blocked is not listed.
  GTChat.PANELS.mentions = ({ shell }) => {
    const { state, actions } = shell;
    const { mentions } = state;
    useEffect(() => { if (!mentions.loaded && !mentions.failed) actions.loadMentions(); }, [mentions.loaded, mentions]);
    const entries = mentions.entries.filter(({ usr }) => !state.isBlocked(usr));
    const readAll = state.conversations.some(({ mentions: count }) => count > 0) && html`
      <button type="button" class="button ghost small" onClick=${() => actions.readMentions()}>${text("mark_all_read")}</button>`;
    return html`
      <${GTChat.PanelFrame} shell=${shell} title=${text("mentions")} tools=${readAll} kind="mentions">
        <div class="scroll">
          ${entries.length > 0 && html`<ul class="hits" aria-label=${text("mentions")}>${entries.map((entry) => html`
            <${Mention} key=${entry.id} shell=${shell} entry=${entry} />`)}</ul>`}
          ${entries.length === 0 && mentions.loaded && !mentions.more && html`
            <${Empty} icon="at" title=${text("no_mentions")} heading=${GTChat.panelHeading(shell)}>${text("no_mentions_hint")}<//>`}
          <${Rest} shell=${shell} />
        </div>
      <//>`;
  };

  const UnreadMentions = ({ shell }) => {
    const count = shell.state.unreadMentions;
    return count > 0 && html`<${Badge} count=${count} wanted label=${text("unread_mention")} />`;
  };

  // The way to the panel in the sidebar.
  GTChat.MentionsPlace = ({ shell }) => html`
    <button type="button" class="place wide" aria-pressed=${shell.panel === "mentions" ? "true" : "false"} onClick=${() => shell.togglePanel("mentions")}>
      <${Icon} name="at" /><span class="grow cut">${text("mentions")}</span><${UnreadMentions} shell=${shell} /></button>`;

  // The same in the bar below the list of a phone.
  GTChat.MentionsTab = ({ shell }) => html`
    <button type="button" onClick=${() => shell.showPanel("mentions")}><${Icon} name="at" size="l" />${text("mentions")}<${UnreadMentions} shell=${shell} /></button>`;
})();
