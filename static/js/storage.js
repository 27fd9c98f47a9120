// What the browser stores for the page: settings and keys permanently, the session and drafts for a tab.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;

  // Wraps a storage area as JSON. Where the browser refuses storage (private windows, settings), reads
  // give the fallback and writes do nothing.
  const area = (storage) => ({
    get(key, fallback) {
      try {
        return JSON.parse(storage().getItem(key)) ?? fallback;
      } catch {
        return fallback;
      }
    },
    // value: JSON data; null removes the key.
    set(key, value) {
      try {
        if (value === null) storage().removeItem(key);
        else storage().setItem(key, JSON.stringify(value));
      } catch { /* full or refused */ }
    },
  });

  const local = area(() => globalThis.localStorage);
  const tab = area(() => globalThis.sessionStorage);

  // Unsent text, by user and conversation.
  // Returns the key of the draft of a conversation, and those of before its id was known. The name of an account that
  // has ended may be that of another one.
  const draftKeys = (me, { kind, name, id = null, ended = false }) => (
    [...(id === null ? [] : [id]), ...(ended ? [] : [name])].map((place) => `draft ${me} ${kind} ${place}`));
  const drafts = {
    get: (me, conversation) => draftKeys(me, conversation).map((key) => tab.get(key, "")).find(Boolean) ?? "",
    set(me, conversation, text) {
      for (const [index, key] of draftKeys(me, conversation).entries()) tab.set(key, (!index && text) || null);
    },
  };

  // The key that replaces a password, by server: {name, uuid}.
  const keys = {
    get: (url) => local.get("gtchat keys", {})[url] ?? null,
    set: (url, key) => local.set("gtchat keys", { ...local.get("gtchat keys", {}), [url]: key }),
  };

  GTChat.storage = { local, tab, drafts, keys };
})();
