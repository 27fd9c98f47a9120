// Notifications while the page is not in view: unread count in the tab's title and icon, desktop
// notifications, a sound.
//
// Desktop notifications and the sound are off by default. Each conversation has a level of its own.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;

  // The address of the logo as client.html has it: the server serves files under other names.
  GTChat.LOGO = document.querySelector("link[rel=icon]").getAttribute("href");
  const LOGO_TYPE = document.querySelector("link[rel=icon]").type;

  // Which messages of a conversation cause a notification; the server keeps it.
  GTChat.LEVELS = ["all", "mentions", "none"];
  // The sound: two tones, each with its frequency in Hertz and its start in seconds, and their length.
  const TONES = [[660, 0], [880, 0.09]];
  const TONE_SECONDS = 0.16;

  let audio = null;
  const playTone = (frequency, delay) => {
    const start = audio.currentTime + delay;
    const oscillator = new OscillatorNode(audio, { frequency });
    const gain = new GainNode(audio, { gain: 0 });
    gain.gain.setValueAtTime(0, start);
    gain.gain.linearRampToValueAtTime(0.12, start + 0.01);
    gain.gain.exponentialRampToValueAtTime(0.001, start + TONE_SECONDS);
    oscillator.connect(gain).connect(audio.destination);
    oscillator.start(start);
    oscillator.stop(start + TONE_SECONDS);
  };

  // Plays the sound, if the browser allows it.
  const playSound = () => {
    try {
      audio ??= new AudioContext();
      audio.resume().catch(() => {});
      for (const [frequency, delay] of TONES) playTone(frequency, delay);
    } catch { /* no audio device, or not allowed */ }
  };

  // Returns the tab's icon with a number on it, as a data URL.
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

  GTChat.Notifications = class {
    #shownCount = 0;

    constructor(shell) {
      this.shell = shell;
    }

    // Number of unread messages, without muted conversations.
    get unreadCount() {
      const { state } = this.shell;
      return state.conversations.reduce((sum, { level, unread }) => sum + (level === "none" ? 0 : unread), 0);
    }

    // Notifies of a new message, if the level of its conversation and the settings say so.
    onMessage({ conversation, usr, msg, mention }) {
      const { level } = conversation;
      const { settings, state } = this.shell;
      if (level === "none" || (level === "mentions" && !mention)) return;
      if (state.focused && state.current === conversation) return;
      if (settings.sound) playSound();
      if (!settings.notify || state.focused || globalThis.Notification?.permission !== "granted") return;
      const shown = new Notification(`${usr} · ${conversation.name}`, { body: msg, tag: conversation.name });
      shown.onclick = () => {
        globalThis.focus();
        this.shell.open(conversation);
        shown.close();
      };
    }

    // Asks for the browser's permission for desktop notifications. Returns whether it is granted.
    async requestPermission() {
      return Boolean(globalThis.Notification) && await Notification.requestPermission() === "granted";
    }

    // Shows the unread count and the name of the open conversation in the tab.
    updateTab(count, name, chat) {
      document.title = `${count ? `(${count}) ` : ""}${name ? `${name} · ` : ""}${chat}`;
      if (count === this.#shownCount) return;
      this.#shownCount = count;
      const link = document.querySelector("link[rel=icon]");
      link.type = count ? "image/png" : LOGO_TYPE;
      link.href = count ? badge(count) : GTChat.LOGO;
    }
  };

  GTChat.Notifications.playSound = playSound;
})();
