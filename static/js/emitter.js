// Events: objects that call listeners by the name of an event.
"use strict";
(() => {
  const GTChat = (globalThis.GTChat ??= {});

  GTChat.Emitter = class {
    #listeners = new Map();

    // Calls `listener` for each event of this name. Returns a function that removes the listener.
    on(name, listener) {
      const listeners = this.#listeners.get(name) ?? new Set();
      this.#listeners.set(name, listeners.add(listener));
      return () => listeners.delete(listener);
    }

    emit(name, ...details) {
      for (const listener of [...(this.#listeners.get(name) ?? [])]) listener(...details);
    }
  };
})();
