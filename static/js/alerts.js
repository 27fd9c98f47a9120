// Telling somebody who looks elsewhere: the tab's title and icon, messages on the desktop, a sound.
//
// Desktop and sound are off until somebody wants them; each room can be told apart.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;

  // What one wants to hear of a room: everything, what mentions one, nothing.
  const LEVELS = ["all", "mentions", "nothing"];
  // Hertz and seconds of the two tones.
  const TONES = [[660, 0], [880, 0.09]];
  const LENGTH = 0.16;

  let audio = null;
  const tone = (frequency, after) => {
    const start = audio.currentTime + after;
    const oscillator = new OscillatorNode(audio, { frequency });
    const gain = new GainNode(audio, { gain: 0 });
    gain.gain.setValueAtTime(0, start);
    gain.gain.linearRampToValueAtTime(0.12, start + 0.01);
    gain.gain.exponentialRampToValueAtTime(0.001, start + LENGTH);
    oscillator.connect(gain).connect(audio.destination);
    oscillator.start(start);
    oscillator.stop(start + LENGTH);
  };

  // Makes the sound, if the browser lets the page be heard.
  const play = () => {
    try {
      audio ??= new AudioContext();
      audio.resume().catch(() => {});
      for (const [frequency, after] of TONES) tone(frequency, after);
    } catch { /* there is nothing to be heard with */ }
  };

  // The icon with a number on it, as an address.
  const badge = (count) => {
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = 64;
    const pen = canvas.getContext("2d");
    pen.fillStyle = "#4f46e5";
    pen.beginPath();
    pen.ellipse(30, 30, 28, 24, 0, 0, 7);
    pen.moveTo(12, 44);
    pen.lineTo(10, 62);
    pen.lineTo(32, 50);
    pen.fill();
    pen.fillStyle = "#dc2626";
    pen.beginPath();
    pen.arc(44, 42, 20, 0, 7);
    pen.fill();
    pen.fillStyle = "#fff";
    pen.font = "bold 28px sans-serif";
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    pen.fillText(count > 99 ? "99" : String(count), 44, 44);
    return canvas.toDataURL();
  };

  GTChat.Alerts = class {
    #shown = 0;

    constructor(shell) {
      this.shell = shell;
    }

    // What somebody wants to hear of a room or a talk.
    level(place) {
      if (!(place instanceof GTChat.Room)) return "all";
      return this.shell.settings.rooms[place.name] ?? "mentions";
    }

    want(room, level) {
      this.shell.set({ rooms: { ...this.shell.settings.rooms, [room.name]: level } });
    }

    // How many messages wait, but for rooms of which one wants to hear nothing.
    get count() {
      const { chat } = this.shell;
      return [...chat.joined, ...chat.talks.values()]
        .reduce((sum, place) => sum + (this.level(place) === "nothing" ? 0 : place.unread), 0);
    }

    // A message came.
    heard({ place, usr, msg, mention }) {
      const level = this.level(place);
      const { settings, chat } = this.shell;
      if (level === "nothing" || (level === "mentions" && !mention)) return;
      if (chat.attentive && chat.place === place) return;
      if (settings.sound) play();
      if (!settings.notify || chat.attentive || globalThis.Notification?.permission !== "granted") return;
      const shown = new Notification(`${usr} · ${place.name}`, { body: msg, tag: place.name });
      shown.onclick = () => {
        globalThis.focus();
        this.shell.look(place);
        shown.close();
      };
    }

    // Lets the browser ask whether messages may show on the desktop; whether they may.
    async ask() {
      return Boolean(globalThis.Notification) && await Notification.requestPermission() === "granted";
    }

    // Shows in the tab how many wait, and where one is.
    show(count, place) {
      document.title = `${count ? `(${count}) ` : ""}${place ? `${place} · ` : ""}GTChat`;
      if (count === this.#shown) return;
      this.#shown = count;
      const link = document.querySelector("link[rel=icon]");
      link.type = count ? "image/png" : "image/svg+xml";
      link.href = count ? badge(count) : "logo.svg";
    }
  };

  Object.assign(GTChat.Alerts, { LEVELS, play });
})();
