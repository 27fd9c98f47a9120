// Icons: paths in a square of 24 units, drawn as lines. One icon, one meaning.
//
// gear: own settings; info: about the room; ban: keep out of a room; user_blocked: block for me; bell_off: no
// notifications; out: leave, log out.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { html } = globalThis.htmPreact;

  const circle = (x, y, r) => `M${x - r} ${y}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0z`;
  const box = (x, y, w, h, r) => `M${x + r} ${y}h${w - 2 * r}a${r} ${r} 0 0 1 ${r} ${r}v${h - 2 * r}a${r} ${r} 0 0 1 ${-r} ${r}`
    + `h${2 * r - w}a${r} ${r} 0 0 1 ${-r} ${-r}v${2 * r - h}a${r} ${r} 0 0 1 ${r} ${-r}z`;
  const point = (x, y) => `M${x} ${y}h.01`;

  // The outline of a gear with 8 teeth; each has four corners, as [part of a turn, distance from the centre].
  const gear = () => {
    const corners = [[-0.3, 6.7], [-0.19, 9], [0.19, 9], [0.3, 6.7]];
    const points = Array.from({ length: 8 }, (_, tooth) => corners.map(([offset, distance]) => {
      const angle = (tooth + offset * 1.2) * (Math.PI / 4);
      return `${(12 + distance * Math.sin(angle)).toFixed(2)} ${(12 - distance * Math.cos(angle)).toFixed(2)}`;
    }));
    return `M${points.flat().join("L")}z`;
  };

  const PATHS = {
    at: `${circle(12, 12, 3.6)}M15.6 8.5v4.7a2.45 2.45 0 0 0 4.9 0V12a8.5 8.5 0 1 0-3.6 7`,
    ban: `${circle(12, 12, 8.5)}M6 6l12 12`,
    bell: "M6 15.5V11a6 6 0 0 1 12 0v4.5l1.5 2.5h-15zM10.2 20.5h3.6",
    bell_off: "M6 14.5V11c0-.7.1-1.4.35-2M9.2 5.7A6 6 0 0 1 18 11v3M16 18H4.5l1.5-2.5M10.2 20.5h3.6M4 4l16 16",
    chat: "M6.5 4.5h11A2.5 2.5 0 0 1 20 7v7.5a2.5 2.5 0 0 1-2.5 2.5H12l-4.5 3.5V17h-1A2.5 2.5 0 0 1 4 14.5V7a2.5 2.5 0 0 1 2.5-2.5z",
    check: "M5 12.5l4.5 4.5L19 7.5",
    clock: `${circle(12, 12, 8.5)}M12 7.5V12l3 2`,
    close: "M6 6l12 12M18 6 6 18",
    compass: `${circle(12, 12, 8.5)}M15.7 8.3l-2 5.4-5.4 2 2-5.4z`,
    copy: `${box(8.5, 8.5, 11.5, 11.5, 2.5)}M15.5 8.5V6.5A2.5 2.5 0 0 0 13 4H6.5A2.5 2.5 0 0 0 4 6.5V13a2.5 2.5 0 0 0 2.5 2.5h2`,
    crown: "M4.5 18 3 8l5 3.5 4-6.5 4 6.5L21 8l-1.5 10z",
    down: "M6 9.5l6 6 6-6",
    edit: "M4 20l1-4.3L16.2 4.5a1.8 1.8 0 0 1 2.6 0l.7.7a1.8 1.8 0 0 1 0 2.6L8.3 19zM14 6.7 17.3 10",
    eye: `M2.5 12C5 7.7 8.3 5.5 12 5.5s7 2.2 9.5 6.5c-2.5 4.3-5.8 6.5-9.5 6.5S5 16.3 2.5 12z${circle(12, 12, 2.8)}`,
    flag: "M6 21V4h12l-2.2 4.3L18 12.5H6",
    format: `M2.5 18 7.5 6l5 12M4.2 14h6.6M20.5 10.5V18${circle(17.5, 14.5, 3)}`,
    funnel: "M4 5h16l-6 7.5V20l-4-2v-5.5z",
    gear: gear() + circle(12, 12, 2.7),
    globe: `${circle(12, 12, 8.5)}M3.5 12h17M12 3.5c3.3 3 3.3 14 0 17c-3.3-3-3.3-14 0-17z`,
    half: `${circle(12, 12, 8.5)}M12 3.5v17M15 7.5v9M18 10v4`,
    hash: "M4.5 9h15M4 15h15M9.5 4l-2 16M16.5 4l-2 16",
    help: `${circle(12, 12, 8.5)}M9.7 9.7a2.4 2.4 0 1 1 3.6 2.1c-.9.5-1.3 1-1.3 1.9${point(12, 16.5)}`,
    info: `${circle(12, 12, 8.5)}M12 11.5V16${point(12, 8)}`,
    key: `${circle(8, 15.5, 4.5)}M11.2 12.3 19.5 4M16 7.5l2.5 2.5`,
    keyboard: `${box(2.5, 6, 19, 12, 2.5)}${point(6.5, 10)}${point(10, 10)}${point(13.8, 10)}${point(17.5, 10)}M8 14h8`,
    laptop: `${box(4.5, 5, 15, 10.5, 2)}M2.5 19h19`,
    left: "M14.5 6l-6 6 6 6",
    link: "M10 13.7a4 4 0 0 0 5.8.3l3-3a4 4 0 0 0-5.7-5.7l-1.3 1.3M14 10.3a4 4 0 0 0-5.8-.3l-3 3a4 4 0 0 0 5.7 5.7l1.3-1.3",
    lock: `${box(5, 11, 14, 9.5, 2.5)}M8 11V8a4 4 0 0 1 8 0v3`,
    megaphone: "M4 10v4h3l8 4V6l-8 4zM18 9.5a3.5 3.5 0 0 1 0 5",
    more: point(5.5, 12) + point(12, 12) + point(18.5, 12),
    no_cloud: "M7.5 8.2A5 5 0 0 0 7.5 18H17M11 5.7a5.5 5.5 0 0 1 6.8 4.8 3.8 3.8 0 0 1 2.4 6M4 4l16 16",
    out: "M10 4.5H6.5A2 2 0 0 0 4.5 6.5v11a2 2 0 0 0 2 2H10M15 8l4 4-4 4M19 12H9.5",
    pencil: "M4 20h16M6 16l.7-3 8.5-8.5 2.3 2.3L9 15.3z",
    phone: `${box(7, 3, 10, 18, 2.5)}M11 17.8h2`,
    pin: "M8.5 4h7M9.5 4l-.5 6-3 3.5h12l-3-3.5-.5-6M12 13.5V20.5",
    plus: "M12 5v14M5 12h14",
    react: `M20.3 10.7A8.5 8.5 0 1 1 13.3 3.6M8.2 14a4.2 4.2 0 0 0 7.6 0M19 2.5v6M16 5.5h6${point(9, 9.5)}${point(14.5, 9.5)}`,
    reply: "M9 6.5 4 11.5l5 5M4.5 11.5H14a6 6 0 0 1 6 6v1",
    right: "M9.5 6l6 6-6 6",
    search: `${circle(10.8, 10.8, 6.3)}M15.5 15.5l4.7 4.7`,
    send: "M20 4 3.5 10.5l6.7 3.3L13.5 20.5zM20 4l-9.8 9.8",
    shield: "M12 3.5 19 6v5.5c0 4.5-2.8 7.5-7 9-4.2-1.5-7-4.5-7-9V6z",
    sliders: "M4 8h16M4 16h16M9 5v6M15 13v6",
    smile: `${circle(12, 12, 8.5)}M8.2 14a4.2 4.2 0 0 0 7.6 0${point(9, 9.5)}${point(15, 9.5)}`,
    sound: "M4.5 9.5v5H8l5 4v-13l-5 4zM16.5 9a4.5 4.5 0 0 1 0 6M19 6.5a8 8 0 0 1 0 11",
    terminal: `${box(3.5, 5, 17, 14, 2.5)}M7.5 9.5l2.8 2.5-2.8 2.5M12.5 14.5h4`,
    to_bottom: "M12 5v14M6 13l6 6 6-6",
    to_top: "M12 19V5M6 11l6-6 6 6",
    trash: "M4.5 7h15M9 7V4.5h6V7M6.5 7l.8 13h9.4l.8-13M10.2 11v5M13.8 11v5",
    unread: `M13 5H6.5A2.5 2.5 0 0 0 4 7.5v7A2.5 2.5 0 0 0 6.5 17H7.5v3.5L12 17h5.5a2.5 2.5 0 0 0 2.5-2.5V11${circle(18.5, 5.5, 2)}`,
    up: "M6 14.5l6-6 6 6",
    user: `${circle(12, 8, 4)}M4.5 20a7.5 7.5 0 0 1 15 0`,
    user_add: `${circle(10, 8, 4)}M2.5 20a7.5 7.5 0 0 1 12.5-5.6M19 14.5v6M16 17.5h6`,
    user_blocked: `${circle(10, 8, 4)}M2.5 20a7.5 7.5 0 0 1 12.5-5.6M16.5 15.5l4.5 4.5M21 15.5l-4.5 4.5`,
    users: `${circle(9, 8.5, 3.6)}M2.5 19.5a6.5 6.5 0 0 1 13 0M15.5 5.1a3.6 3.6 0 0 1 0 6.8M18.2 13.9a6.5 6.5 0 0 1 3.3 5.6`,
  };
  // Icons that point along the text: they are mirrored where it runs from right to left.
  const ALONG_TEXT = new Set(["left", "out", "reply", "right", "send"]);

  // size: "s" beside small text, "l" on bars of a phone; kind: further classes.
  GTChat.Icon = ({ name, size = "", kind = "" }) => html`
    <svg class=${`icon ${size} ${kind} ${ALONG_TEXT.has(name) ? "flip" : ""} ${name === "more" ? "dots" : ""}`}
      viewBox="0 0 24 24" aria-hidden="true"><path d=${PATHS[name]} /></svg>`;
})();
