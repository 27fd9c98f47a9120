// What is done with the messages of a log: by the toolbar, by keys, by a long press on a touch screen.
//
// The log draws lines that are kept as long as nothing in them changes: clicks in them are handled here, by the
// attributes of what was clicked.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { useRef, useState } = globalThis.htmPreact;
  const text = (...details) => GTChat.text(...details);

  // Milliseconds after which a touch that stays is a long press, and pixels that the finger may move.
  const LONG_PRESS = 500;
  const PRESS_MARGIN = 10;
  // Milliseconds after a touch within which its click comes.
  const CLICK_DELAY = 100;
  // What a key does on a message, by the attribute data-act of the button that does the same.
  const KEYS = { "+": "react", r: "reply", e: "edit", u: "unread", Enter: "menu", ContextMenu: "menu", Delete: "delete" };
  const STEPS = { ArrowUp: -1, ArrowDown: 1 };

  const copied = async (shell, content) => {
    await GTChat.copy(content);
    shell.notice(text("copied_notice"));
  };

  // By the attribute data-act: (shell, conversation, entry, the element that a popover belongs to).
  GTChat.MESSAGE_ACTS = {
    react: (shell, conversation, entry, anchor) => shell.showPopover({ name: "emoji", anchor, seq: entry.seq,
      onPick: (emoji) => shell.attempt(() => shell.actions.react(conversation, entry, emoji)) }),
    reply: ({ actions }, conversation, entry) => actions.compose(conversation, { kind: "reply", entry }),
    edit: ({ actions }, conversation, entry) => actions.compose(conversation, { kind: "edit", entry }),
    copy: (shell, _conversation, entry) => copied(shell, entry.msg),
    link: (shell, conversation, entry) => copied(shell, GTChat.address.urlOf(conversation, entry.seq)),
    pin: (shell, conversation, entry) => shell.attempt(() => shell.actions.pin(conversation, entry)),
    unread: (shell, conversation, entry) => shell.attempt(() => shell.actions.markUnread(conversation, entry.seq)),
    delete: (shell, conversation, entry) => shell.showDialog({ name: "delete_message", room: conversation, entry }),
    report: (shell, conversation, entry) => shell.showDialog({ name: "report", room: conversation, entry }),
    menu: (shell, conversation, entry, anchor, touched = false) => (
      shell.showPopover({ name: "message_menu", anchor, conversation, entry, seq: entry.seq, touched })),
  };
  // The right that an act needs; the others need none.
  const RIGHTS = new Set(["react", "reply", "edit", "delete", "pin", "unread", "report"]);

  const ignore = (event) => {
    event.preventDefault();
    event.stopPropagation();
  };

  const lineOf = (element) => element?.closest?.("li.entry");

  // Returns {active, revealed, handlers}: the seq of the message with the toolbar, the set of those of blocked
  // users that are shown, and the handlers of events of the log. jumpTo(seq): shows an entry.
  GTChat.useMessageTools = (shell, conversation, box, jumpTo) => {
    const { actions } = shell;
    const [active, setActive] = useState(null);
    const [revealed, setRevealed] = useState(new Set());
    const press = useRef(null); // a touch: {line, x, y, timer, done}

    const seqOf = (line) => (line?.querySelector(".message") ? Number(line.dataset.seq) : null);
    const act = (name, line, anchor, touched) => {
      const seq = Number(line.dataset.seq);
      const entry = conversation.entryAt(seq);
      if (!entry) return false;
      if (name === "show") setRevealed(new Set([...revealed, seq]));
      else if (RIGHTS.has(name) && !actions.rights(conversation, entry)[name]) return false;
      else GTChat.MESSAGE_ACTS[name](shell, conversation, entry, anchor, touched);
      return true;
    };

    const onClick = (event) => {
      const target = event.target.closest("[data-person], [data-jump], [data-react], [data-act]");
      const line = lineOf(target);
      if (!target) return;
      const { person, jump, react, act: name } = target.dataset;
      if (person !== undefined) shell.showPopover({ name: "person", anchor: target, usr: person, room: conversation });
      else if (jump) jumpTo(Number(jump));
      else if (react && line) shell.attempt(() => actions.react(conversation, conversation.entryAt(Number(line.dataset.seq)), react));
      else if (name && line) act(name, line, target);
    };

    const endPress = () => {
      const ended = press.current;
      press.current = null;
      clearTimeout(ended?.timer);
      // The menu may be where the finger is: the click that ends the touch is for nothing in it.
      if (ended?.done) setTimeout(() => document.removeEventListener("click", ignore, true), CLICK_DELAY);
    };
    const onPointerDown = (event) => {
      endPress();
      const line = lineOf(event.target);
      if (event.pointerType !== "touch" || seqOf(line) === null) return;
      const timer = setTimeout(() => {
        press.current.done = true;
        document.addEventListener("click", ignore, true);
        act("menu", line, line, true);
      }, LONG_PRESS);
      press.current = { line, x: event.clientX, y: event.clientY, timer, done: false };
    };
    const onPointerMove = (event) => {
      const { x, y, done } = press.current ?? {};
      if (x !== undefined && !done && Math.hypot(event.clientX - x, event.clientY - y) > PRESS_MARGIN) endPress();
    };
    // A long press would select a word.
    const onContextMenu = (event) => { if (press.current) event.preventDefault(); };

    const onPointerOver = (event) => {
      if (event.pointerType === "touch") return;
      const seq = seqOf(lineOf(event.target));
      if (seq !== active) setActive(seq);
    };
    const onFocusIn = (event) => {
      const line = lineOf(event.target);
      if (line && event.target.matches(":focus-visible")) setActive(seqOf(line));
    };
    const onFocusOut = (event) => { if (!box.current.contains(event.relatedTarget)) setActive(null); };

    // Steps from line to line, and from the log into its lines: up to the last one in view, down to the first.
    const step = (by) => {
      const lines = [...box.current.querySelectorAll("li.entry")];
      const index = lines.indexOf(lineOf(document.activeElement));
      const { top, bottom } = box.current.getBoundingClientRect();
      const inView = lines.filter((line) => {
        const at = line.getBoundingClientRect();
        return at.bottom > top + 1 && at.top < bottom - 1;
      });
      const next = index >= 0 ? lines[index + by] : inView.at(by < 0 ? -1 : 0);
      next?.focus();
      next?.scrollIntoView({ block: "nearest" });
    };
    const onKeyDown = (event) => {
      const line = lineOf(event.target);
      if (event.ctrlKey || event.altKey || event.metaKey || GTChat.isComposing(event)) return;
      if (event.target !== box.current && event.target !== line) return;
      if (STEPS[event.key]) step(STEPS[event.key]);
      else if (!line || !KEYS[event.key] || seqOf(line) === null || !act(KEYS[event.key], line, line)) return;
      event.preventDefault();
    };

    const { popover } = shell;
    const open = popover?.seq && box.current?.contains(popover.anchor) ? popover.seq : null;
    return {
      active: open ?? active,
      revealed,
      handlers: { onClick, onPointerOver, onPointerLeave: () => setActive(null), onFocusIn, onFocusOut, onPointerDown, onPointerMove,
        onPointerUp: endPress, onPointerCancel: endPress, onContextMenu },
      onKeyDown,
    };
  };
})();
