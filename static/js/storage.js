// What the browser stores for the page: settings, keys and the ids of shown messages permanently, the
// session and drafts for a tab.
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
  const draftKey = (me, conversation) => `draft ${me} ${conversation.kind} ${conversation.name}`;
  const drafts = {
    get: (me, conversation) => tab.get(draftKey(me, conversation), ""),
    set: (me, conversation, text) => tab.set(draftKey(me, conversation), text || null),
  };

  // The key that replaces a password, by server: {name, uuid}.
  const keys = {
    get: (url) => local.get("gtchat keys", {})[url] ?? null,
    set: (url, key) => local.set("gtchat keys", { ...local.get("gtchat keys", {}), [url]: key }),
  };

  // Ids of direct messages that were shown, of the last accounts that used this browser.
  const SHOWN_KEY = "gtchat shown";
  const MAX_ACCOUNTS = 10;
  const MAX_IDS = 500;
  const shownIds = {
    get: (url, name) => local.get(SHOWN_KEY, {})[`${url} ${name}`] ?? [],
    add(url, name, ids) {
      const { [`${url} ${name}`]: known = [], ...others } = local.get(SHOWN_KEY, {});
      const accounts = Object.entries(others).slice(1 - MAX_ACCOUNTS);
      local.set(SHOWN_KEY, Object.fromEntries([...accounts, [`${url} ${name}`, [...known, ...ids].slice(-MAX_IDS)]]));
    },
  };

  GTChat.storage = { local, tab, drafts, keys, shownIds };
})();
