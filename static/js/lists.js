// Lists that are loaded page by page: the members of a room, direct conversations, and what the replies to `login` and
// `resume` have cut of the rooms and users.
//
// Nothing here fails: a page that does not come ends the loading.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { transitions } = GTChat;

  // Names in a page of a list, and direct conversations in one.
  const LIST_PAGE = 1000;
  const DIRECTS_PAGE = 200;
  // Mentions in a page, and pages in a row that may be empty: those of rooms that the user has left are not in them.
  const MENTIONS_PAGE = 50;
  const EMPTY_PAGES = 5;
  // Reports of the user's own messages may be left out of a page.
  const FEW_REPORTS = 5;

  GTChat.Lists = class {
    #state;
    #request;
    #run;

    // request(cmd, fields): sends a command and takes in its reply, which it returns. run(effects): runs
    // effects, also none, and has the page drawn.
    constructor(state, request, run) {
      this.#state = state;
      this.#request = request;
      this.#run = run;
    }

    // Loads the members of a room, unless they are loaded.
    async loadMembers(room) {
      if (room.membersLoaded) return;
      room.membersLoaded = true;
      try {
        let after;
        for (;;) {
          const page = await this.#request("get_room_user_list", { room_name: room.name, limit: LIST_PAGE, after });
          after = page.users.at(-1);
          // The total can get smaller meanwhile: it does not tell how many follow a later page.
          if ([0, page.users_total].includes(page.users.length)) break;
        }
      } catch {
        room.membersLoaded = false;
        this.#run([]);
      }
    }

    // Loads the list of direct conversations, the newest first. pages: at most so many. found(): whether to stop.
    async loadDirects({ pages = Infinity, found = () => false }) {
      try {
        for (let [before, count] = [undefined, 0]; count < pages && !found(); count += 1) {
          const { next } = await this.#request("get_direct_list", { before, limit: DIRECTS_PAGE });
          if (!next) break;
          before = next;
        }
      } catch { /* the next login or resume brings them */ }
    }

    // Loads the next page of the messages that mention the user.
    async loadMentions() {
      const { mentions } = this.#state;
      if (mentions.loading || !mentions.more) return;
      Object.assign(mentions, { loading: true, failed: false });
      this.#run([]);
      try {
        for (let count = 0; count < EMPTY_PAGES; count += 1) {
          const { entries, next } = await this.#request("get_mentions", { before: mentions.next, limit: MENTIONS_PAGE });
          if (entries.length || !next) break;
        }
      } catch {
        mentions.failed = true;
      }
      mentions.loading = false;
      this.#run([]);
    }

    // Tells the user whether reports wait in one of the rooms; undefined: anywhere.
    async findReports({ rooms }) {
      try {
        for (const name of rooms) {
          const { reports } = await this.#request("get_reports", { room_name: name, limit: FEW_REPORTS });
          if (reports.length) return this.#run([GTChat.sync.reportNotice(this.#state, "reports_wait", { room_name: name })]);
        }
      } catch { /* the lists of reports show them */ }
    }

    // Asks what is unread in the conversations of which that is not known.
    async recount() {
      const wanted = ({ miscounted }) => miscounted;
      try {
        if (this.#state.joinedRooms.some(wanted)) await this.#request("get_room_list", { joined: true, limit: LIST_PAGE });
        if (this.#state.directs.some(wanted)) await this.loadDirects({ found: () => !this.#state.directs.some(wanted) });
      } catch { /* the next login or resume brings it */ }
    }

    // Loads the list of rooms again. rest: false to leave it at the first page.
    async loadRooms({ rest = true } = {}) {
      try {
        const { rooms_next: after } = await this.#request("get_room_list", { limit: LIST_PAGE });
        if (after && rest) await this.loadRoomPages({ after });
      } catch { /* the next login brings them */ }
    }

    // Loads the rest of a list of rooms that was cut: first the user's own, which the page needs to be
    // complete, then all. unlisted: names of rooms that are gone if they are not in it.
    async loadRoomPages({ after, unlisted = [] }) {
      const missing = new Set(unlisted);
      try {
        for (const joined of [true, false]) {
          for (let next = after; next;) {
            const fields = { after: next, limit: LIST_PAGE, ...(joined ? { joined } : {}) };
            const { rooms, rooms_next: following } = await this.#request("get_room_list", fields);
            for (const { room_name } of rooms) missing.delete(room_name);
            next = following;
          }
          this.#run(transitions.dropUnlisted(this.#state, [...missing], joined));
        }
      } catch { /* the next login or resume brings them */ }
    }

    // Loads the rest of a list of rooms or users, of which `loaded` of `total` names are known, the
    // last of them `after`.
    async loadMore({ cmd, after, loaded, total }) {
      let [last, count] = [after, loaded];
      try {
        while (count < total && last !== undefined) {
          const page = await this.#request(cmd, { after: last, limit: LIST_PAGE });
          const names = page.rooms?.map((room) => room.room_name) ?? page.users;
          count += names.length;
          last = names.at(-1);
        }
      } catch { /* the next login or resume brings them */ }
    }
  };
})();
