// Parts of the message box: what is replied to or edited, suggestions, users who are typing, help with markup.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { html } = globalThis.htmPreact;
  const { Avatar, Icon, IconButton } = GTChat.parts;
  const text = (...details) => GTChat.text(...details);

  // The bar that says which message is replied to or edited.
  const Composing = ({ composing: { kind, entry }, cancel }) => html`
    <div class="about"><${Icon} name=${kind} size="s" />
      ${kind === "reply" ? html`<span class="grow cut">${GTChat.textParts("reply_to_user", { usr: html`<b><bdi>${entry.usr}</bdi></b>` })} · <bdi>${GTChat.plainText(entry.msg)}</bdi></span>`
        : html`<span class="grow cut"><b>${text("edit_message")}</b><span class="wide"> · ${text("edit_keys")}</span></span>`}
      <${IconButton} icon="close" size="s" label=${text(kind === "reply" ? "cancel_reply" : "cancel_edit")} keys="Esc" onClick=${cancel} /></div>`;

  const Typing = ({ conversation }) => {
    const names = [...conversation.typing].sort();
    const [usr, other] = names.map((name) => html`<b><bdi>${name}</bdi></b>`);
    const shown = names.length === 0 ? ""
      : names.length === 1 ? GTChat.textParts("typing_one", { usr })
        : names.length === 2 ? GTChat.textParts("typing_two", { usr, other }) : text("typing_many");
    return html`<p class="typing" role="status" dir="auto">${shown && html`
      <span class="dots" aria-hidden="true"><i></i><i></i><i></i></span><span class="cut">${shown}</span>`}</p>`;
  };

  // Says what is possible with a text that is too long. refusals: how often the user has tried to send it.
  const TooLong = ({ refusals }) => html`
    <p class="too-long problem" role=${refusals ? "alert" : "status"}><${Icon} name="info" size="s" /><span>${text("message_too_long")}</span></p>`;

  const Suggestions = ({ items, chosen, accept }) => html`
    <ul class="suggestions menu" id="suggestions" role="listbox" aria-label=${text("suggestions")}>
      ${items.map((item, index) => html`
        <li key=${item.label} id=${`suggestion-${index}`} class="menu-item" role="option" aria-selected=${index === chosen ? "true" : "false"}
          onPointerDown=${(event) => { event.preventDefault(); accept(index); }}>
          ${item.user ? html`<${Avatar} name=${item.user} size="xs" />` : html`<span class="emoji" aria-hidden="true">${item.emoji}</span>`}
          <bdi class="cut">${item.label}</bdi></li>`)}
    </ul>`;

  // What is typed, and what is shown for it.
  const MARKUP = () => [
    [`**${text("bold")}**`, html`<b>${text("bold")}</b>`], [`*${text("italic")}*`, html`<em>${text("italic")}</em>`],
    [`~~${text("strikethrough")}~~`, html`<s>${text("strikethrough")}</s>`], [`\`${text("code")}\``, html`<code>${text("code")}</code>`],
    ["```", text("code_block")], [`> ${text("quote")}`, text("quote")], [`- ${text("list")}`, text("list")],
    [`@${text("name")}`, text("mention")], [":tada:", "🎉"], [`/me ${text("waves")}`, text("action")],
  ];

  GTChat.POPOVERS.format = ({ popover, close }) => html`
    <${GTChat.Popover} anchor=${popover.anchor} close=${close} label=${text("formatting")} side="above" kind="format">
      <h2 class="strong" tabindex="-1" autofocus>${text("formatting")}</h2>
      <dl>${MARKUP().map(([typed, shown]) => html`<div key=${typed}><dt>${typed}</dt><dd>${shown}</dd></div>`)}</dl><//>`;

  GTChat.composerParts = { Composing, Suggestions, TooLong, Typing };
})();
