// One message: author, time and text.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { h, html, Component } = globalThis.htmPreact;
  const { Avatar, Time, clockTime, dayOf } = GTChat.parts;
  const text = (...details) => GTChat.text(...details);

  // A message continues the one before, without its author's name, within this time (milliseconds).
  const CONTINUES_WITHIN = 5 * 60_000;

  // Attributes by tag. Each block has its own text direction; inline parts are isolated (theme.css).
  const ATTRIBUTES = {
    p: () => ({ dir: "auto" }),
    li: ({ value }) => ({ dir: "auto", value }),
    blockquote: () => ({ dir: "auto" }),
    pre: () => ({ dir: "ltr", tabindex: 0 }),
    a: ({ href, title }) => ({ href, title, target: "_blank", rel: "noopener noreferrer" }),
  };

  // Returns the elements of a markup tree. userClass(name): "me", "known", or "" for no user.
  const elements = (nodes, userClass) => nodes.map((node) => {
    if (typeof node === "string") return node;
    if (node.tag === "mention") {
      const mention = node.children[0];
      const kind = userClass(mention.slice(1));
      return kind ? h("span", { class: `user-mention ${kind}` }, mention) : mention;
    }
    return h(node.tag, ATTRIBUTES[node.tag]?.(node), elements(node.children, userClass));
  });

  // Parsing is expensive: the text is parsed again only if it changes.
  class Text extends Component {
    shouldComponentUpdate(next) { return next.msg !== this.props.msg || next.me !== this.props.me; }

    render({ msg, userClass }) {
      return html`<div class=${`text ${GTChat.isOnlyEmoji(GTChat.withEmoji(msg)) ? "only-emoji" : ""}`}>
        ${elements(GTChat.markup(msg), userClass)}</div>`;
    }
  }

  const userClassIn = (state) => (name) => {
    if (name.toLowerCase() === state.me.toLowerCase()) return "me";
    return state.isOnline(name) || state.current?.members?.has(name) ? "known" : "";
  };

  // Stands for a message of a blocked user.
  const BlockedMessage = ({ entry }) => html`<p class="event">${text("blocked_message", entry)} <${Time} at=${entry.at} /></p>`;

  // continued: whether it is shown as a part of the message before.
  const Message = ({ state, entry, continued, children }) => {
    const mention = entry.usr !== state.me && GTChat.mentions(entry.msg, state.me);
    return html`
      <div class=${`message ${continued ? "continued" : ""} ${mention ? "mention" : ""}`}>
        ${!continued && html`<${Avatar} name=${entry.usr} />
          <p class="author"><strong dir="auto">${entry.usr}</strong> <${Time} at=${entry.at} /></p>`}
        ${continued && html`<span class="hidden">${entry.usr}: </span><${Time} at=${entry.at} />`}
        <${Text} msg=${entry.msg} me=${state.me} userClass=${userClassIn(state)} />
        ${entry.stored && html`<p class="delivery">${text("waits_for_user", { usr: state.current.name })}</p>`}
        ${children}
      </div>`;
  };

  // The name of a message for screen readers, which step from one list item to the next.
  const messageLabel = ({ usr, at }) => `${usr}, ${clockTime(at)}`;

  // Seconds that a message waits before the reason is shown.
  const SHORT_DELAY = 5;

  const Delivery = ({ actions, conversation, item }) => {
    const discard = html`<button type="button" onClick=${() => actions.discard(conversation, item)}>${text("discard")}</button>`;
    if (item.state === "failed") {
      return html`<p class="delivery problem" role="alert">${text("not_sent", { reason: GTChat.reason(item.error) })}
        <button type="button" onClick=${() => actions.retry(conversation, item)}>${text("send_again")}</button> ${discard}</p>`;
    }
    const { delay } = item;
    if (!delay || (delay.code === "rate_limited" && delay.retryAfter < SHORT_DELAY)) {
      return html`<p class="delivery">${text("sending")}</p>`;
    }
    return html`<p class="delivery problem" role="status">${text("not_sent_yet", { reason: GTChat.reason(delay) })} ${discard}</p>`;
  };

  // An own message that the server has not confirmed.
  const PendingMessage = ({ state, actions, conversation, item, continued }) => {
    const entry = { usr: state.me, msg: item.msg, at: item.at };
    return html`
      <li class=${`pending ${item.state}`} aria-label=${messageLabel(entry)}>
        <${Message} state=${state} entry=${entry} continued=${continued}>
          <${Delivery} actions=${actions} conversation=${conversation} item=${item} /><//>
      </li>`;
  };

  const isMessage = (entry) => entry.cmd !== "c_event";

  // Returns whether a message continues the entry before it.
  const continues = (entry, before) => Boolean(before) && isMessage(before) && before.usr === entry.usr
    && new Date(entry.at) - new Date(before.at) < CONTINUES_WITHIN && dayOf(entry.at) === dayOf(before.at);

  GTChat.messages = { Message, BlockedMessage, PendingMessage, isMessage, messageLabel, continues };
})();
