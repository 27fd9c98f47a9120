// One message: who, when, and what it says.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { h, html, Component } = globalThis.htmPreact;
  const { Avatar, Time, dayOf } = GTChat.parts;
  const text = (...details) => GTChat.text(...details);

  // Messages of one person within this time stand together (milliseconds).
  const TOGETHER = 5 * 60_000;

  // Each block finds its own direction; pieces in a line keep theirs to themselves (theme.css).
  const MORE = {
    p: () => ({ dir: "auto" }),
    li: () => ({ dir: "auto" }),
    blockquote: () => ({ dir: "auto" }),
    ol: ({ start }) => ({ start }),
    pre: () => ({ dir: "ltr", tabindex: 0 }),
    a: ({ href, title }) => ({ href, title, target: "_blank", rel: "noopener noreferrer" }),
  };

  // The elements of a message's tree. who: gives "me", "known" or "" for a name.
  const drawn = (nodes, who) => nodes.map((node) => {
    if (typeof node === "string") return node;
    if (node.tag === "at") {
      const whose = who(node.children[0].slice(1));
      return whose ? h("span", { class: `at ${whose}` }, node.children[0]) : node.children[0];
    }
    return h(node.tag, MORE[node.tag]?.(node), drawn(node.children, who));
  });

  // Understood once: it is drawn again only if it says something else.
  class Text extends Component {
    shouldComponentUpdate(next) { return next.words !== this.props.words || next.me !== this.props.me; }

    render({ words, who }) {
      return html`<div class=${`text ${GTChat.isPictures(GTChat.withEmoji(words)) ? "pictures" : ""}`}>
        ${drawn(GTChat.markup(words), who)}</div>`;
    }
  }

  const whoIs = (chat) => (name) => {
    if (name.toLowerCase() === chat.me.toLowerCase()) return "me";
    return chat.isHere(name) || chat.place?.members?.has(name) ? "known" : "";
  };

  // What somebody says whom one blocks stays where it was said, and unseen.
  const Unheard = ({ entry }) => html`<p class="event">${text("blocked_message", entry)} <${Time} at=${entry.at} /></p>`;

  const Message = ({ chat, entry, together, children }) => {
    const mention = entry.usr !== chat.me && GTChat.mentions(entry.msg, chat.me);
    return html`
      <div class=${`message ${together ? "together" : ""} ${mention ? "mention" : ""}`}>
        ${!together && html`<${Avatar} name=${entry.usr} />
          <p class="who"><strong dir="auto">${entry.usr}</strong> <${Time} at=${entry.at} /></p>`}
        ${together && html`<span class="hidden">${entry.usr}: </span><${Time} at=${entry.at} />`}
        <${Text} words=${entry.msg} me=${chat.me} who=${whoIs(chat)} />
        ${entry.stored && html`<p class="state">${text("stored", { usr: chat.place.name })}</p>`}
        ${children}
      </div>`;
  };

  // One's own message that the server has not confirmed.
  const Waiting = ({ chat, place, item, together }) => html`
    <div class=${`waiting ${item.state}`}>
      <${Message} chat=${chat} entry=${{ usr: chat.me, msg: item.msg, at: item.at }} together=${together}>
        ${item.state === "sending" ? html`<p class="state">${text("sending")}</p>` : html`
          <p class="state problem" role="alert">${text("failed", { reason: GTChat.reason(item.error) })}
            <button type="button" onClick=${() => chat.again(place, item)}>${text("again")}</button>
            <button type="button" onClick=${() => chat.discard(place, item)}>${text("discard")}</button></p>`}
      <//>
    </div>`;

  const isMessage = (entry) => entry.cmd !== "c_event";

  // Whether a message stands together with the one before.
  const follows = (entry, before) => Boolean(before) && isMessage(before) && before.usr === entry.usr
    && new Date(entry.at) - new Date(before.at) < TOGETHER && dayOf(entry.at) === dayOf(before.at);

  GTChat.messages = { Message, Unheard, Waiting, isMessage, follows };
})();
