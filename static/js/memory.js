// What this browser remembers: settings for good, a session and what is half written for a tab.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;

  // Storage that may be refused (private windows, settings): then nothing is remembered.
  const shelf = (storage) => ({
    get(key, fallback) {
      try {
        return JSON.parse(storage().getItem(key)) ?? fallback;
      } catch {
        return fallback;
      }
    },
    // null forgets.
    set(key, value) {
      try {
        if (value === null) storage().removeItem(key);
        else storage().setItem(key, JSON.stringify(value));
      } catch { /* full or refused */ }
    },
  });

  const local = shelf(() => globalThis.localStorage);
  const tab = shelf(() => globalThis.sessionStorage);

  // What somebody writes stays with its place, over a reload too, and is nobody else's.
  const drafts = {
    get: (me, place) => tab.get(`draft ${me} ${place}`, ""),
    set: (me, place, text) => tab.set(`draft ${me} ${place}`, text || null),
  };

  // A key in place of a password, for each server: {name, uuid}.
  const keys = {
    get: (url) => local.get("gtchat keys", {})[url] ?? null,
    set: (url, key) => local.set("gtchat keys", { ...local.get("gtchat keys", {}), [url]: key }),
  };

  GTChat.memory = { local, tab, drafts, keys };
})();
