// The menu of a message: what its toolbar has no place for; after a long press all that can be done.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { html } = globalThis.htmPreact;
  const { Avatar, Icon } = GTChat.parts;
  const text = (...details) => GTChat.text(...details);

  // Emoji offered after a long press.
  const EMOJI = ["👍", "❤️", "😄", "🎉", "👀"];

  // The items, by the attribute data-act of buttons that do the same. inToolbar: whether the toolbar has it.
  const itemsFor = (rights, isRoom, entry) => [
    { act: "reply", icon: "reply", wanted: rights.reply, inToolbar: true },
    { act: "edit", icon: "edit", wanted: rights.edit, inToolbar: true },
    { act: "copy", key: "copy_text", icon: "copy", wanted: true },
    { act: "link", key: "copy_link", icon: "link", wanted: isRoom, inToolbar: !rights.edit },
    { act: "unread", key: "mark_unread", icon: "unread", keys: "U", wanted: rights.unread },
    { act: "pin", key: entry.pinned ? "unpin" : "pin", icon: "pin", wanted: rights.pin },
    { act: "report", key: "report_", icon: "flag", wanted: rights.report, danger: true },
    { act: "delete", key: "delete_message", icon: "trash", wanted: rights.delete, danger: true },
  ];

  // The beginning of the message, and emoji to react with.
  const Head = ({ shell, conversation, entry, canReact, act, close }) => {
    const react = (emoji) => () => {
      close();
      shell.attempt(() => shell.actions.react(conversation, entry, emoji));
    };
    return html`
      <p class="quoted"><${Avatar} name=${entry.usr} room=${conversation} size="xs" /><b class="cut"><bdi>${entry.usr}</bdi></b> <bdi class="cut grow">${GTChat.plainText(entry.msg)}</bdi></p>
      ${canReact && html`<div class="usual">${EMOJI.map((emoji) => html`
        <button key=${emoji} type="button" role="menuitem" tabindex="-1" aria-label=${text("react_with", { emoji })} onClick=${react(emoji)}>${emoji}</button>`)}
        <button type="button" role="menuitem" tabindex="-1" aria-label=${text("more_emoji")} onClick=${() => { close(); act("react"); }}><${Icon} name="react" /></button></div>
        <hr />`}`;
  };

  // popover: {anchor, conversation, entry, touched: whether by a long press or on a phone}.
  GTChat.POPOVERS.message_menu = ({ shell, popover, close }) => {
    const { anchor, conversation, entry } = popover;
    const rights = shell.actions.rights(conversation, entry);
    const all = popover.touched || shell.narrow || anchor.matches("li");
    const act = (name) => GTChat.MESSAGE_ACTS[name](shell, conversation, entry, anchor);
    const wanted = itemsFor(rights, conversation.kind === "room", entry).filter((item) => item.wanted && (all || !item.inToolbar));
    const items = wanted.flatMap(({ act: name, key = name, icon, keys, danger }) => [...(danger && wanted.length > 1 && wanted.find((one) => one.danger).act === name ? [null] : []),
      { icon, keys: popover.touched || shell.narrow ? undefined : keys, danger, label: text(key), run: () => act(name) }]);
    return html`
      <${GTChat.Menu} anchor=${anchor} close=${close} label=${text("message_actions")} items=${items} kind="message-menu">
        ${all && html`<${Head} shell=${shell} conversation=${conversation} entry=${entry} canReact=${rights.react} act=${act} close=${close} />`}<//>`;
  };
})();
