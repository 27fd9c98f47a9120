// The colours of code blocks: which parts of a text are keywords, strings, numbers and remarks in its language.
//
// A worker (code_worker.js) finds them, because some texts of a message's length hold the tokenizer for many seconds.
// A worker that takes too long is ended: the text stays without colours and is not tried again. Worker and tokenizer
// are loaded when the first block is shown that can have colours.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;

  // Longer texts have no colours.
  const MAX_CHARS = 4000;
  // A text has STEPS times STEP milliseconds: 500, of which code of 4,000 characters takes at most 21 on a phone that is
  // six times slower than a computer. They are counted step by step: while the page itself is busy, no answer
  // of the worker comes through.
  const STEP = 50;
  const STEPS = 10;
  // After so many ended workers within PAUSE milliseconds there is none for as long.
  const MAX_ENDS = 3;
  const PAUSE = 60_000;
  // Texts whose colours are kept, and texts that wait.
  const MAX_KEPT = 200;
  const MAX_WAITING = 200;

  // The languages as the tokenizer names them, and their other names.
  const LANGUAGES = {
    bash: "sh shell zsh console", c: "h", cpp: "c++ cc cxx hpp", csharp: "c# cs", css: "", diff: "patch", go: "golang",
    java: "", javascript: "js jsx mjs cjs node", json: "jsonc json5", kotlin: "kt kts", markup: "html xml svg xhtml",
    php: "", python: "py python3 py3", ruby: "rb", rust: "rs", sql: "postgresql sqlite mysql", toml: "",
    typescript: "ts tsx", yaml: "yml",
  };
  const NAMES = new Map(Object.entries(LANGUAGES).flatMap(([language, others]) => (
    [language, ...others.split(" ")].map((name) => [name, language]))));
  NAMES.delete("");

  const browser = () => ({
    makeWorker: () => new Worker(GTChat.workerAddress("code")),
    setTimeout: (callback, wait) => globalThis.setTimeout(callback, wait),
    clearTimeout: (timer) => globalThis.clearTimeout(timer),
    now: () => performance.now(),
  });

  // Deletes the oldest entries of a map that has too many.
  const limit = (map, size) => {
    for (const key of map.keys()) if (map.size > size) map.delete(key);
  };

  GTChat.CodeColours = class {
    #environment;
    #worker = null;
    #isReady = false;
    #timer = null; // of the text that the worker has, or of a pause
    #isPaused = false;
    #ends = []; // when workers were ended
    #current = null; // what the worker has; like a value of #waiting
    #waiting = new Map(); // key -> {key, language, code, callbacks}, the newest last
    #kept = new Map(); // key -> pieces, null if there are none; the newest last

    // environment: replaces functions of `browser`.
    constructor(environment = {}) {
      this.#environment = { ...browser(), ...environment };
    }

    // Returns the pieces of a text that are known, as a list of [kind, text], else null. tag: the language as written.
    pieces(tag, code) {
      return this.#kept.get(this.#key(tag, code)) ?? null;
    }

    // Has the pieces of a text found, unless they are known or cannot be: calls back when `pieces` returns them.
    // Returns a function that takes the request back.
    request(tag, code, callback) {
      const key = this.#key(tag, code);
      if (!key || this.#kept.has(key)) return () => {};
      const language = NAMES.get(GTChat.languageName(tag));
      const job = this.#current?.key === key ? this.#current
        : this.#waiting.get(key) ?? { key, language, code, callbacks: new Set() };
      job.callbacks.add(callback);
      if (job !== this.#current) this.#waiting.set(key, job);
      limit(this.#waiting, MAX_WAITING);
      this.#next();
      return () => {
        job.callbacks.delete(callback);
        if (!job.callbacks.size) this.#waiting.delete(key);
      };
    }

    // Returns what a text is known by, undefined if it can have no colours.
    #key(tag, code) {
      const language = NAMES.get(GTChat.languageName(tag));
      return language && code.length <= MAX_CHARS ? `${language} ${code}` : undefined;
    }

    // Gives the worker the newest text: the one that the user is most likely to see.
    #next() {
      if (this.#current || this.#isPaused || !this.#waiting.size) return;
      if (!this.#worker) this.#start();
      else if (this.#isReady) {
        this.#current = [...this.#waiting.values()].at(-1);
        const { key, language, code } = this.#current;
        this.#waiting.delete(key);
        this.#worker.postMessage({ language, code });
        this.#count(STEPS);
      }
    }

    #count(steps) {
      const { setTimeout } = this.#environment;
      this.#timer = setTimeout(() => (steps > 1 ? this.#count(steps - 1) : this.#end()), STEP);
    }

    #start() {
      const { now, setTimeout, makeWorker } = this.#environment;
      this.#ends = this.#ends.filter((time) => time > now() - PAUSE);
      if (this.#ends.length >= MAX_ENDS) {
        this.#isPaused = true;
        this.#timer = setTimeout(() => {
          this.#isPaused = false;
          this.#ends = [];
          this.#next();
        }, PAUSE);
        return;
      }
      try {
        this.#worker = makeWorker();
      } catch { // a page opened from disk may have none
        this.#end();
        return;
      }
      const worker = this.#worker;
      const isCurrent = () => worker === this.#worker;
      worker.onmessage = ({ data }) => { if (isCurrent()) this.#take(data); };
      worker.onerror = (event) => {
        event.preventDefault();
        if (isCurrent()) this.#end();
      };
    }

    #take({ ready, pieces }) {
      if (ready) this.#isReady = true;
      else this.#finish(pieces);
      this.#next();
    }

    // Ends the worker, and gives up the text that it has.
    #end() {
      this.#worker?.terminate();
      this.#worker = null;
      this.#isReady = false;
      this.#ends.push(this.#environment.now());
      if (this.#current) this.#finish(null);
      this.#next();
    }

    #finish(pieces) {
      const { key, callbacks } = this.#current;
      this.#environment.clearTimeout(this.#timer);
      this.#current = null;
      this.#kept.set(key, pieces);
      limit(this.#kept, MAX_KEPT);
      if (pieces) for (const callback of callbacks) callback();
    }
  };

  // Returns the language of a code block: the first word behind the ```, in lower case.
  GTChat.languageName = (tag) => /^[^\s{,]*/.exec(tag ?? "")[0].toLowerCase();
})();
