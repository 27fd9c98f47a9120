// One message: author, time, what it replies to, text and reactions. What is clicked in it is handled by the log,
// which finds it by the attributes data-person, data-jump, data-react and data-act.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { html, useEffect } = globalThis.htmPreact;
  const { Avatar, Icon, IconButton, Role, RoleIn, Time, clockTime, dayOf } = GTChat.parts;
  const text = (...details) => GTChat.text(...details);

  // A message continues the one before, without its author's name, within this time (milliseconds).
  const CONTINUES_WITHIN = 5 * 60_000;
  // Emoji in the toolbar of a message.
  const USUAL_EMOJI = ["👍", "❤️"];

  const isMessage = (entry) => entry.cmd !== "c_event";

  // Returns whether a message continues the entry before it.
  const continues = (entry, before) => Boolean(before) && isMessage(before) && before.usr === entry.usr
    && ![entry, before].some(({ deleted, style }) => deleted || style === "action") && !entry.reply
    && new Date(entry.at) - new Date(before.at) < CONTINUES_WITHIN && dayOf(entry.at) === dayOf(before.at);

  // The name of a message for screen readers, which step from one list item to the next.
  const messageLabel = ({ usr, at }) => `${usr}, ${clockTime(at)}`;

  // A user's name, which opens their card.
  const Name = ({ usr }) => html`<button type="button" class="name" data-person=${usr}><bdi>${usr}</bdi></button>`;

  // The avatar does the same; it is left out for screen readers and the Tab key, which have the name.
  const AvatarButton = ({ usr, room }) => html`
    <button type="button" class="avatar-button" tabindex="-1" aria-hidden="true" data-person=${usr}>
      <${Avatar} name=${usr} room=${room} size="m" /></button>`;

  // The roles that are shown beside the name of an author.
  const Roles = ({ entry, conversation }) => html`
    <${RoleIn} room=${conversation} name=${entry.usr} />
    ${entry.guest && html`<${Role}>${text("guest")}<//>`}`;

  // The line above a reply: who wrote the message, and its beginning.
  const ReplyLine = ({ actions, conversation, reply, quote }) => {
    useEffect(() => { if (quote === undefined) actions.loadQuote(conversation, reply.seq); }, [quote]);
    const beginning = quote === undefined ? "…" : quote === null ? text("quote_gone")
      : quote.deleted ? text("quote_deleted") : GTChat.plainText(quote.msg);
    return html`
      <button type="button" class="reply-line" data-jump=${reply.seq}><${Icon} name="reply" size="s" />
        <span class="visually-hidden">${text("reply_to")} </span><b class="cut"><bdi>${reply.usr || quote?.usr}</bdi></b>
        <bdi class="cut">${beginning}</bdi></button>`;
  };

  const Reactions = ({ entry, canReact }) => {
    if (!entry.reactions?.length) return null;
    const list = new Intl.ListFormat(GTChat.language());
    return html`
      <div class="reactions">${entry.reactions.map(({ emoji, count, users, me }) => {
        const others = count - users.length;
        const names = list.format([...users, ...(others > 0 ? [text("others", { count: others })] : [])]);
        return html`<button key=${emoji} type="button" class="reaction" data-react=${emoji} disabled=${!canReact}
          aria-pressed=${me ? "true" : "false"} aria-label=${text("reacted_by", { emoji, count, names })} data-tip=${names}>
          <span aria-hidden="true">${emoji}</span>${count}</button>`;
      })}
        ${canReact && html`<button type="button" class="reaction add" data-act="react" aria-label=${text("add_reaction")}
          data-tip=${text("add_reaction")}><${Icon} name="react" size="s" /></button>`}</div>`;
  };

  const Tool = ({ act, icon, label, keys, ...rest }) => html`
    <${IconButton} icon=${icon} label=${text(label)} keys=${keys} data-act=${act} ...${rest} />`;

  // The toolbar of the message that has the pointer or the focus. Changes in it are not read out.
  const Toolbar = ({ rights, isRoom }) => html`
    <div class="toolbar" role="toolbar" aria-label=${text("message_actions")} aria-live="off">
      ${rights.react && html`${USUAL_EMOJI.map((emoji) => html`
        <button key=${emoji} type="button" class="icon-button usual" data-react=${emoji} aria-label=${text("react_with", { emoji })}
          data-tip=${text("react_with", { emoji })}><span aria-hidden="true">${emoji}</span></button>`)}
        <${Tool} act="react" icon="react" label="react" keys="+" />`}
      ${rights.reply && html`<${Tool} act="reply" icon="reply" label="reply" keys="R" />`}
      ${rights.edit && html`<${Tool} act="edit" icon="edit" label="edit" keys="E" />`}
      ${isRoom && !rights.edit && html`<${Tool} act="link" icon="link" label="copy_link" />`}
      <${Tool} act="menu" icon="more" label="more" aria-haspopup="menu" />
    </div>`;

  // Seconds that a message waits before the reason is shown.
  const SHORT_DELAY = 5;

  // What becomes of an own message, or of an edit of one (`item.of`), that the server has not confirmed.
  const Delivery = ({ actions, conversation, item }) => {
    const discard = html`<button type="button" onClick=${() => actions.discard(conversation, item)}>${text("discard")}</button>`;
    const warning = (role, words) => html`<p class="delivery problem" role=${role}><${Icon} name="info" size="s" /><span>${words}</span></p>`;
    if (item.state === "failed") {
      return warning("alert", html`${text(item.of ? "not_saved" : "not_sent", { reason: GTChat.reason(item.error) })}
        <button type="button" onClick=${() => actions.retry(conversation, item)}>${text("send_again")}</button> · ${discard}`);
    }
    const { delay } = item;
    if (!delay || (delay.code === "rate_limited" && delay.retryAfter < SHORT_DELAY)) {
      return html`<p class="delivery visually-hidden">${text("sending")}</p>`;
    }
    return warning("status", html`${text("not_sent_yet", { reason: GTChat.reason(delay) })} ${discard}`);
  };

  // Stands for a message of a blocked user, until it is shown.
  const BlockedMessage = ({ entry }) => html`
    <p class="event gone"><${Icon} name="user_blocked" size="s" /><span>${text("blocked_message", entry)}
      <button type="button" class="link" data-act="show">${text("show")}</button></span></p>`;

  const DeletedMessage = ({ entry }) => {
    const { usr, deleted: { by, reason } } = entry;
    const values = { usr: html`<${Name} usr=${usr} />`, by: html`<${Name} usr=${by} />`, reason: html`<bdi>${reason}</bdi>` };
    return html`<p class="event gone"><${Icon} name="trash" size="s" />
      <span>${GTChat.textParts(by === usr ? "deleted_by_author" : "deleted_by", values)}${reason && GTChat.textParts("deleted_reason", values)}</span></p>`;
  };

  // continued: whether it is shown as a part of the message before. edit: of this message, not confirmed yet.
  // quote: the message that it replies to. toolbar: whether to show its toolbar. time: what to show instead of
  // the time. kind: further classes. The children stand below the text.
  const Message = ({ shell, conversation, entry, continued, edit, quote, toolbar, time, kind = "", children }) => {
    const { state, actions } = shell;
    const { usr, at, reply } = entry;
    const isAction = entry.style === "action";
    const mention = GTChat.mentionsUser(state, conversation, entry);
    const head = !continued && !isAction;
    const sent = time ?? html`<${Time} at=${at} />`;
    const rights = toolbar || entry.reactions ? actions.rights(conversation, entry) : {};
    return html`
      <div class=${`message ${continued ? "continued" : "first"} ${isAction ? "action" : ""} ${mention ? "mention" : ""} ${kind}`}>
        ${continued ? html`<${Time} at=${at} kind="at" />` : html`<${AvatarButton} usr=${usr} room=${conversation} />`}
        ${head && html`<p class="by"><${Name} usr=${usr} /><${Roles} entry=${entry} conversation=${conversation} />
          ${sent}
          ${entry.pinned && html`<${Icon} name="pin" size="s" /><span class="visually-hidden">${text("pinned_message")}</span>`}</p>`}
        ${continued && html`<span class="visually-hidden">${usr}: </span>`}
        ${reply && html`<${ReplyLine} actions=${actions} conversation=${conversation} reply=${reply} quote=${quote} />`}
        <div class="said">${isAction && html`<${Name} usr=${usr} /> `}
          <${GTChat.MessageText} msg=${edit?.msg ?? entry.msg} state=${state} />
          ${entry.edited && html`<span class="edited">${text("edited")}</span>`}${isAction && html` ${sent}`}</div>
        ${!head && entry.pinned && html`<p class="pinned-mark tiny third"><${Icon} name="pin" size="s" />${text("pinned_message")}</p>`}
        <${Reactions} entry=${entry} canReact=${rights.react} />
        ${edit && html`<${Delivery} actions=${actions} conversation=${conversation} item=${edit} />`}
        ${children}
        ${toolbar && html`<${Toolbar} rights=${rights} isRoom=${conversation.kind === "room"} />`}
      </div>`;
  };

  // An own message that the server has not confirmed.
  const PendingMessage = ({ shell, conversation, item, continued }) => {
    const { state, actions } = shell;
    const { msg, at, reply, style } = item;
    const entry = { usr: state.me, msg, at, reply, style };
    const time = item.state === "sending" && html`<span class="time">${text("sending")}</span>`;
    return html`
      <li class=${`pending ${item.state}`} aria-label=${messageLabel(entry)}>
        <${Message} shell=${shell} conversation=${conversation} entry=${entry} continued=${continued} time=${time || undefined}
          quote=${reply && conversation.quote(reply.seq)}>
          <${Delivery} actions=${actions} conversation=${conversation} item=${item} /><//>
      </li>`;
  };

  GTChat.messages = { Message, Name, BlockedMessage, DeletedMessage, PendingMessage, isMessage, messageLabel, continues };
})();
