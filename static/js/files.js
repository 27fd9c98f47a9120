// Files that are pasted or dropped: the page says that they cannot be sent, and the browser does not open
// them in its place.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;

  const refuse = (shell, event) => {
    event.preventDefault();
    shell.notice(GTChat.text("no_files"));
  };

  GTChat.refuseFiles = (shell) => {
    document.addEventListener("paste", (event) => {
      // Office programs add a picture to the text that they copy.
      const { files, types } = event.clipboardData ?? { files: [], types: [] };
      if (files.length && !types.includes("text/plain")) refuse(shell, event);
    });
    // Text can be dropped into fields; anything else would be opened.
    const isText = ({ target, dataTransfer }) => (
      target.closest?.("input, textarea") && !dataTransfer?.types.includes("Files"));
    document.addEventListener("dragover", (event) => { if (!isText(event)) event.preventDefault(); });
    document.addEventListener("drop", (event) => {
      if (isText(event)) return;
      if (event.dataTransfer?.types.includes("Files")) refuse(shell, event);
      else event.preventDefault();
    });
  };
})();
