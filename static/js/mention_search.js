// The search for mentions in what came while the user was away.
//
// The server does not tell which unread messages mention the user: after a login they are searched one
// room after the other, those with the fewest unread messages first.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { transitions } = GTChat;

  // Rooms that are searched, messages searched in each, and milliseconds between two of them.
  const SEARCHED_ROOMS = 20;
  const SEARCHED_MESSAGES = 100;
  const SEARCH_INTERVAL = 300;

  GTChat.MentionSearch = class {
    #state;
    #connection;
    #run;
    #searching = false;

    // run(effects): runs effects, also none, and has the page drawn.
    constructor(state, connection, run) {
      this.#state = state;
      this.#connection = connection;
      this.#run = run;
    }

    // Searches, unless it does so already.
    async start() {
      if (this.#searching) return;
      this.#searching = true;
      const [state, connection] = [this.#state, this.#connection];
      // What is open is about to be shown.
      const unsearched = (room) => room.unread && !room.mentioned && room.searchedSeq < room.readSeq
        && !(room === state.current && state.focused);
      for (let count = 0; count < SEARCHED_ROOMS; count += 1) {
        const [room] = state.joinedRooms.filter(unsearched).sort((one, other) => one.unread - other.unread);
        if (!room) break;
        room.searchedSeq = room.readSeq;
        const fields = { room_name: room.name, after: room.readSeq, limit: SEARCHED_MESSAGES, kinds: ["c_speak"] };
        const page = await connection.request("history", fields).catch(() => null);
        if (page) this.#run(transitions.findMention(state, room, page.entries));
        await new Promise((resolve) => { connection.after(SEARCH_INTERVAL, resolve); });
      }
      this.#searching = false;
    }
  };
})();
