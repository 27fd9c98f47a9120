// changes.js, and what room.js makes of changes: whatever comes first, pages, pushes and what a resume brings
// end in the same messages.
"use strict";
(() => {
  const { changes } = GTChat;
  const change = (type, seq, of, usr, fields = {}) => event(type, { room_name: "den", seq, of, usr, ...fields });

  test("a change is applied once, and not after a later one", () => {
    const message = { ...speak("den", 1, "bob", "one"), changed: 4 };
    equal([3, 4, 5].map((seq) => changes.apply(message, change("edited", seq, 1, "bob", { msg: "two" })).msg), ["one", "one", "two"]);
  });

  test("of a deleted message its author, time and who deleted it are left", () => {
    const message = { ...speak("den", 1, "bob", "one"), edited: true, pinned: true, reply: { seq: 9, usr: "ann" }, style: "action",
      guest: true, reactions: [{ emoji: "🎉", count: 1, users: ["ann"], me: true }] };
    equal(changes.apply(message, change("deleted", 5, 1, "bob", { by: "carol", reason: "r" })),
      { cmd: "c_speak", room_name: "den", seq: 1, usr: "bob", id: "den 1", at: AT, guest: true, msg: "", deleted: { by: "carol", reason: "r" }, changed: 5 });
  });

  test("reactions are counted beyond the names that are listed", () => {
    let message = speak("den", 1, "bob", "one");
    for (let seq = 2; seq < 14; seq += 1) message = changes.apply(message, change("reacted", seq, 1, `user${seq}`, { emoji: "🎉", on: true }), "ann");
    const [{ count, users, me }] = message.reactions;
    equal([count, users.length, me], [12, 10, false]);
    message = changes.apply(message, change("reacted", 14, 1, "ann", { emoji: "👍", on: true }), "ann");
    equal(message.reactions[1], { emoji: "👍", count: 1, users: ["ann"], me: true });
    equal(changes.apply(message, change("reacted", 15, 1, "ann", { emoji: "👍", on: false }), "ann").reactions.length, 1);
  });

  // A model of the server's log, in which random users say and change random things.

  const USERS = ["ann", "bob", "carol"];
  const EMOJI = ["🎉", "👍", "❤️"];

  // Returns a function that returns random integers below its argument, the same for each seed (mulberry32).
  const randomOf = (seed) => {
    let state = seed;
    return (below) => {
      state = (state + 0x6d2b79f5) | 0;
      let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
      mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
      return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
    };
  };

  class ModelLog {
    entries = []; // as they are pushed
    messages = new Map(); // seq -> {entry, msg, edited, deleted, pinned, reactions: Map(emoji -> users), changed}

    // Adds an entry of a random kind.
    add(random) {
      const seq = this.entries.length + 1;
      const usr = USERS[random(3)];
      const alive = [...this.messages.values()].filter(({ deleted }) => !deleted);
      const target = alive.length ? alive[random(alive.length)] : null;
      const of = target?.entry.seq;
      const kind = target ? random(7) : 0;
      let entry;
      if (kind <= 1) {
        entry = speak("den", seq, usr, `text ${seq}`);
        this.messages.set(seq, { entry, msg: entry.msg, reactions: new Map() });
      } else if (kind === 2) {
        entry = change("edited", seq, of, target.entry.usr, { msg: `text ${seq}` });
        Object.assign(target, { msg: entry.msg, edited: true });
      } else if (kind === 3) {
        entry = change("deleted", seq, of, target.entry.usr, { by: usr, reason: "" });
        Object.assign(target, { deleted: { by: usr, reason: "" }, msg: "", edited: undefined, pinned: undefined, reactions: new Map() });
      } else if (kind <= 5) {
        const emoji = EMOJI[random(3)];
        const users = target.reactions.get(emoji) ?? [];
        const on = !users.includes(usr);
        entry = change("reacted", seq, of, usr, { emoji, on });
        const changed = on ? [...users, usr] : users.filter((name) => name !== usr);
        if (changed.length) target.reactions.set(emoji, changed);
        else target.reactions.delete(emoji);
      } else {
        entry = change(target.pinned ? "unpinned" : "pinned", seq, of, usr);
        target.pinned = !target.pinned;
      }
      if (kind > 1) target.changed = seq;
      this.entries.push(entry);
    }

    // Returns the page of all messages as they are now.
    page() {
      const entries = [...this.messages.values()].map(({ entry, msg, edited, deleted, pinned, reactions, changed }) => ({
        ...entry, msg, ...(changed ? { changed } : {}), ...(edited ? { edited } : {}), ...(deleted ? { deleted } : {}), ...(pinned ? { pinned } : {}),
        ...(reactions.size ? { reactions: [...reactions].map(([emoji, users]) => ({ emoji, count: users.length, users, me: users.includes("ann") })) } : {}),
      }));
      return JSON.parse(JSON.stringify({ entries, log_first: 1, log_last: this.entries.length, more: false }));
    }
  }

  // Returns messages so that equal ones have the same JSON.
  const canonical = (entries) => entries.map(({ seq, usr, msg, edited, deleted, pinned, reactions, changed }) => (
    { seq, usr, msg, edited, deleted, pinned: pinned || undefined, changed,
      reactions: reactions?.length ? [...reactions].sort((one, other) => (one.emoji < other.emoji ? -1 : 1)) : undefined }));

  const RUNS = 300;
  const LENGTH = 30;

  // How each run brings the log to the page. cuts: rising positions in the log. pushed: pushes entries up to a
  // position; own messages are not pushed: their replies come later, at the end of the range.
  const inOrder = (state, room, log, from, to, random) => {
    const late = [];
    for (const entry of log.entries.slice(from, to)) {
      if (entry.cmd === "c_speak" && entry.usr === "ann") late.push(entry);
      else GTChat.sync.push(state, entry);
      if (random(2)) late.splice(0).forEach((own) => room.append(own, "ann"));
    }
    late.forEach((own) => room.append(own, "ann"));
  };

  for (const [name, deliver] of Object.entries({
    "a page as of any entry, and the pushes after it, give the present page": (state, room, log, pages, random) => {
      const cut = random(LENGTH + 1);
      room.reset(cut);
      room.addPage("latest", pages[cut]);
      inOrder(state, room, log, cut, LENGTH, random);
    },
    "pushes while a page is loading are in it afterwards": (state, room, log, pages, random) => {
      const [from, page, to] = [random(LENGTH), random(LENGTH + 1), random(LENGTH + 1)].sort((one, other) => one - other);
      room.reset(from);
      room.loading = "latest";
      inOrder(state, room, log, from, to, random);
      room.addPage("latest", pages[page]);
      room.loading = null;
      if (to > page) room.addPage("after", { ...pages[LENGTH], entries: pages[to].entries.filter(({ seq }) => seq > page), log_last: to });
      inOrder(state, room, log, to, LENGTH, random);
    },
    "a page that is ahead of the pushes is not changed by them": (state, room, log, pages, random) => {
      const [from, page] = [random(LENGTH + 1), random(LENGTH + 1)].sort((one, other) => one - other);
      room.reset(from);
      room.addPage("latest", pages[page]);
      inOrder(state, room, log, from, LENGTH, random);
    },
    "what a resume brings again changes nothing": (state, room, log, pages, random) => {
      const [cut, lost] = [random(LENGTH + 1), random(LENGTH + 1)].sort((one, other) => one - other);
      room.reset(cut);
      room.addPage("latest", pages[cut]);
      inOrder(state, room, log, cut, lost, random);
      const missed = { room_name: "den", state: "resumed", last_seq: LENGTH, entries: log.entries.slice(cut + random(lost - cut + 1)) };
      GTChat.sync.reply(state, "resume", resumeReply([roomInfo("lobby"), roomInfo("den", { last_seq: LENGTH })], [missed]), {});
    },
  })) {
    test(`${name} (${RUNS} random logs)`, () => {
      for (let seed = 1; seed <= RUNS; seed += 1) {
        const random = randomOf(seed);
        const log = new ModelLog();
        const pages = [log.page()];
        for (let count = 0; count < LENGTH; count += 1) {
          log.add(random);
          pages.push(log.page());
        }
        const state = stateAfterLogin([roomInfo("lobby"), roomInfo("den")]);
        const room = state.rooms.get("den");
        deliver(state, room, log, pages, random);
        try {
          equal(canonical(room.entries), canonical(pages[LENGTH].entries));
          equal([room.lastSeq, room.atEnd], [LENGTH, true]);
        } catch (error) {
          throw new Error(`seed ${seed}: ${error.message}`);
        }
      }
    });
  }
})();
