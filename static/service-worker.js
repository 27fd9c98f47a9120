// The service worker: keeps the page and the files that it needs, and answers with them, so that the page opens
// without a connection and a further visit loads nothing but this script.
//
// The server writes the two constants: each version of the page has a worker of its own, with a cache of its own. All
// that a page loads is of one version: a worker whose files are not all there is not installed, and a new one takes
// over when no page of the old version is open, or when the pages are about to reload (js/offline.js).
"use strict";

const VERSION = "";
const FILES = [];

// Caches belong to an origin, which several servers can share by their paths.
const PREFIX = `gtchat ${self.registration.scope} `;
const CACHE = PREFIX + VERSION;
// How often it is looked whether other pages are open, and milliseconds between.
const TRIES = 10;
const PAUSE = 100;
// The addresses of the page, relative to the scope.
const PAGES = new Set(["", "client.html"]);

// Loads the page and its files. The page may come from a server of another version: then it names other files.
const install = async () => {
  const cache = await caches.open(CACHE);
  const page = await fetch("./", { cache: "no-cache" });
  const text = await page.clone().text();
  if (!page.ok || page.redirected || !FILES.every((file) => text.includes(`"${file}"`))) throw new Error("another version");
  await cache.addAll(FILES);
  await cache.put("./", page);
};

const deleteOthers = async () => {
  const old = (await caches.keys()).filter((name) => name.startsWith(PREFIX) && name !== CACHE);
  await Promise.all(old.map((name) => caches.delete(name)));
};

// Returns the kept answer to a request, else that of the server: a browser may delete what is kept, and some files are
// loaded later than the page. keep: whether that answer is of this version, and kept.
const answer = async (request, key, keep) => {
  const cache = await caches.open(CACHE);
  const kept = await cache.match(key);
  if (kept) return kept;
  const response = await fetch(request);
  if (keep && response.ok) cache.put(key, response.clone()).catch(() => {}); // there may be no space
  return response;
};

// Returns whether no page is open but the one with an id. A page that is left or reloaded is gone after a moment.
const isAlone = async (id) => {
  for (let tries = 0; tries < TRIES; tries += 1) {
    const pages = await clients.matchAll({ type: "window", includeUncontrolled: true });
    if (!pages.some((page) => page.id !== id && page.url.startsWith(self.registration.scope))) return true;
    await new Promise((resolve) => { setTimeout(resolve, PAUSE); });
  }
  return false;
};

// Takes over from the worker of the version before, as a page asks: "now", or "alone" if no other page is open.
const takeOver = async (page, when) => {
  if (when === "now" || await isAlone(page.id)) await self.skipWaiting();
};

self.addEventListener("install", (event) => event.waitUntil(install()));
self.addEventListener("activate", (event) => event.waitUntil(deleteOthers()));
self.addEventListener("message", (event) => {
  if (event.data?.take_over) event.waitUntil(takeOver(event.source, event.data.take_over));
});
// Requests for anything else go to the server as if there were no worker.
self.addEventListener("fetch", (event) => {
  const { request } = event;
  const { scope } = self.registration;
  const url = request.url.split(/[?#]/)[0];
  if (request.method !== "GET" || !url.startsWith(scope)) return;
  const name = url.slice(scope.length);
  if (request.mode === "navigate" && PAGES.has(name)) event.respondWith(answer(request, "./", false));
  else if (name.startsWith(`${VERSION}/`)) event.respondWith(answer(request, name, true));
});
