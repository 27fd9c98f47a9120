// Listeners by the name of what happens.
"use strict";
(() => {
  const GTChat = (globalThis.GTChat ??= {});

  GTChat.Emitter = class {
    #listeners = new Map();

    // Calls `listener` whenever `name` happens; the function returned ends it.
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
