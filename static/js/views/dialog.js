// Dialogs: a frame for all of them, and the question before something is done.
//
// shell.dialog is the open one, {name, ...}; GTChat.DIALOGS has the component of each name, which gets
// {shell, dialog, close}. shell.showDialog opens and closes.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { html, useEffect, useLayoutEffect, useRef } = globalThis.htmPreact;
  const { IconButton } = GTChat.parts;
  const text = (...details) => GTChat.text(...details);

  GTChat.DIALOGS = {};

  // Gives the focus to an element that had it before, unless something else has taken it.
  GTChat.giveFocus = (element) => {
    const now = document.activeElement;
    if (now && now !== document.body) return;
    (element?.isConnected && element !== document.body ? element : document.getElementById("say"))?.focus();
  };

  // A native modal dialog: it keeps the focus and closes with Escape. The children are a body (class
  // "body"), a footer or a form of forms.js, which has both. danger: whether what it asks for cannot be
  // taken back. size: "small", "", "large"; kind: further classes; bare: without a header; shown: its data-shown, for a style sheet.
  GTChat.Dialog = ({ title, onClose, danger = false, size = "", kind = "", bare = false, shown, children }) => {
    const dialog = useRef(null);
    const closing = useRef(onClose);
    closing.current = onClose;
    useLayoutEffect(() => {
      const element = dialog.current;
      element.showModal();
      const onCloseEvent = () => closing.current();
      element.addEventListener("close", onCloseEvent);
      return () => {
        element.removeEventListener("close", onCloseEvent);
        element.close();
      };
    }, []);
    return html`
      <dialog ref=${dialog} class=${`dialog ${size} ${kind}`} data-shown=${shown} role=${danger ? "alertdialog" : undefined}
        aria-labelledby=${bare ? undefined : "dialog-title"} aria-label=${bare ? title : undefined}
        onPointerDown=${(event) => { if (event.target === dialog.current) onClose(); }}>
        ${!bare && html`<header><h2 id="dialog-title" class="grow">${title}</h2>
          <${IconButton} icon="close" label=${text("close")} onClick=${onClose} /></header>`}
        ${children}
      </dialog>`;
  };

  // A question: its title asks, the children say what happens, the button repeats what is done.
  // action: the button's text; run(values): does it, returns a promise; fields: of forms.js, if the answer
  // needs any; danger: as in Dialog.
  GTChat.Question = ({ title, action, run, close, fields = {}, danger = false, children }) => html`
    <${GTChat.Dialog} title=${title} onClose=${close} danger=${danger} size="small">
      <${GTChat.forms.Form} fields=${fields} submit=${action} kind=${danger ? "danger" : "primary"} onSubmit=${run}
        onDone=${close} onCancel=${close} focusCancel=${danger}>${children}<//>
    <//>`;

  GTChat.Dialogs = ({ shell }) => {
    const { dialog } = shell;
    const open = Boolean(dialog && shell.actions);
    // One dialog may lead to another: the focus goes back to where the first was opened.
    useEffect(() => (open ? () => GTChat.giveFocus(shell.opener) : undefined), [open]);
    if (!open) return null;
    const close = () => { if (shell.dialog === dialog) shell.showDialog(null); };
    return html`<${GTChat.DIALOGS[dialog.name]} key=${dialog.name} shell=${shell} dialog=${dialog} close=${close} />`;
  };
})();
