// The panel beside the conversation: members, about the room, and others, one at a time.
//
// shell.panel is the name of the open one; GTChat.PANELS has the component of each name, which gets
// {shell, room}, and is made of a PanelFrame. shell.showPanel opens and closes.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { html } = globalThis.htmPreact;
  const { IconButton, BackButton } = GTChat.parts;
  const text = (...details) => GTChat.text(...details);

  GTChat.PANELS = {};

  // title: of the panel; count: of what it lists, or none; tools: buttons of its bar; kind: its class.
  GTChat.PanelFrame = ({ shell, title, count, tools, kind = "", children }) => {
    const heading = shell.narrow ? "h1" : "h2";
    return html`
      <div class=${`panel ${kind}`} role=${shell.narrow ? "main" : "complementary"} aria-label=${title}>
        <div class="bar"><${BackButton} onClick=${() => shell.leavePanel()} />
          <${heading}>${title}${count !== undefined && html` <span class="third num">${count}</span>`}<//>
          ${tools}<${IconButton} icon="close" kind="wide" label=${text("close")} keys="Esc" onClick=${() => shell.showPanel(null)} /></div>
        ${children}
        ${shell.narrow && html`<${GTChat.Notices} shell=${shell} pane="panel" />`}
      </div>`;
  };

  // Returns the element of a heading in a panel: the panel's own is an h1 on a phone.
  GTChat.panelHeading = (shell) => (shell.narrow ? "h2" : "h3");

  GTChat.Panel = ({ shell }) => {
    const { panel, state } = shell;
    const Shown = GTChat.PANELS[panel];
    // Panels about a room need one.
    if (!Shown || (Shown.needsRoom && (state.current?.kind !== "room" || shell.view !== "conversation"))) return null;
    return html`<${Shown} key=${panel} shell=${shell} room=${state.current} />`;
  };
})();
