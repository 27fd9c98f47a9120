// The lines of a conversation: days, the "New" divider, messages, and events, of which some share a line.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;
  const { html } = globalThis.htmPreact;
  const { Icon, Time, dayName, dayOf } = GTChat.parts;
  const { Message, Name, BlockedMessage, DeletedMessage, isMessage, messageLabel, continues } = GTChat.messages;
  const text = (...details) => GTChat.text(...details);

  // Names listed in the line of several events.
  const MAX_NAMES = 5;
  const EVENT_ICONS = { join_room: "user_add", leave_room: "out", kicked: "out", removed: "out", room_created: "hash" };
  // Events that have a text of their own: errors have texts by the same words.
  const MODERATION = new Set(["muted", "unmuted", "banned", "unbanned"]);

  // Returns a list of users as elements, with commas and "and" as the language has them.
  const listOf = (entries) => {
    const names = [...new Set(entries.map(({ usr }) => usr))];
    const listed = names.slice(0, MAX_NAMES);
    const rest = names.length > MAX_NAMES ? [text("others", { count: names.length - MAX_NAMES })] : [];
    let index = 0;
    return new Intl.ListFormat(GTChat.language()).formatToParts([...listed, ...rest]).map(({ type, value }) => {
      if (type === "literal") return value;
      index += 1;
      return index > listed.length ? value : html`<${Name} usr=${value} />`;
    });
  };

  // Returns the parts of the text about entries of one type.
  const eventText = (entries) => {
    const [{ type, by, banned, role }] = entries;
    const added = type === "join_room" && by && entries.length === 1;
    const kind = banned ? "log_banned" : type === "role" ? `log_role_${role}` : MODERATION.has(type) ? `log_${type}` : type;
    return GTChat.textParts(added ? "added_by" : kind, { usr: listOf(entries), by: by && html`<${Name} usr=${by} />` });
  };

  // One line for a stretch of entries: who came, then who went.
  const Event = ({ entries }) => {
    const [first] = entries;
    const types = [...new Set(entries.map(({ type }) => type))];
    return html`<p class="event"><${Icon} name=${EVENT_ICONS[first.type] ?? "info"} size="s" /><span dir="auto">${types.map((type, index) => html`
      ${index > 0 && " · "}${eventText(entries.filter((entry) => entry.type === type))}`)}</span>
      <${Time} at=${first.at} /></p>`;
  };

  // Returns whether an entry is the first after the "New" divider.
  const startsNew = (seq, before, dividerSeq) => dividerSeq !== null && seq > dividerSeq && before <= dividerSeq;

  // Returns the entries as lists [seq, last seq, entries]: a message alone, events that share a line together,
  // none across the "New" divider or a day.
  const grouped = (entries, dividerSeq) => {
    const groups = [];
    for (const entry of entries) {
      const { seq } = entry;
      const last = groups.at(-1);
      if (last && GTChat.sharesLine(entry, last[2][0]) && !startsNew(seq, last[1], dividerSeq)
        && dayOf(last[2][0].at) === dayOf(entry.at)) {
        last[1] = seq;
        last[2].push(entry);
      } else {
        groups.push([seq, seq, [entry]]);
      }
    }
    return groups;
  };

  // Drawn lines by their first entry, with what they depend on: an unchanged line is not drawn again.
  const cache = new WeakMap();

  // Returns the line of a group. marks: as in `lines`.
  const line = (shell, conversation, [seq, lastSeq, group], continued, marks) => {
    const { state } = shell;
    const [entry] = group;
    const message = isMessage(entry);
    const blocked = message && state.isBlocked(entry.usr) && !marks.revealed.has(seq);
    const toolbar = message && marks.active === seq && !blocked && !entry.deleted;
    const edit = conversation.edits.get(entry.seq);
    const quote = entry.reply && conversation.quote(entry.reply.seq);
    const kind = `${marks.lit === seq ? "lit" : ""} ${toolbar ? "over" : ""} ${edit ? edit.state : ""} ${marks.editing === seq ? "editing" : ""}`;
    const depends = [GTChat.language(), seq, lastSeq, group.length, continued, blocked, kind, quote, edit, edit?.state, edit?.delay,
      message && GTChat.avatar.hue(entry.usr, conversation), conversation.owner, conversation.roles.get(entry.usr), shell.actions];
    const cached = cache.get(entry);
    if (cached && depends.every((value, index) => value === cached.depends[index])) return cached.drawn;
    const label = message && !blocked && !entry.deleted ? messageLabel(entry) : undefined;
    const content = blocked ? html`<${BlockedMessage} entry=${entry} />`
      : entry.deleted ? html`<${DeletedMessage} entry=${entry} />`
        : message ? html`<${Message} shell=${shell} conversation=${conversation} entry=${entry} continued=${continued} edit=${edit}
          quote=${quote} toolbar=${toolbar} kind=${kind} />`
          : html`<${Event} entries=${group} />`;
    const drawn = html`<li class="entry" key=${seq} data-seq=${seq} data-last=${lastSeq} tabindex="-1" aria-label=${label}>${content}</li>`;
    cache.set(entry, { depends, drawn });
    return drawn;
  };

  // Returns {lines, last}: the days, the "New" divider, messages and events, and the last entry.
  // marks: {active: seq of the message with the toolbar, lit: of one that was jumped to, revealed: set of those
  // of blocked users that are shown}.
  GTChat.lines = (shell, conversation, marks) => {
    const { entries, dividerSeq } = conversation;
    const drawn = [];
    const editing = conversation.composing?.kind === "edit" ? conversation.composing.entry.seq : null;
    let last = null;
    let before = conversation.firstLoaded - 1;
    for (const group of grouped(entries, dividerSeq)) {
      const [seq, lastSeq, [entry]] = group;
      const newDay = !last || dayOf(last.at) !== dayOf(entry.at);
      if (newDay) drawn.push(html`<li class="day" key=${`day ${seq}`}><span>${dayName(entry.at)}</span></li>`);
      const isNew = startsNew(seq, before, dividerSeq);
      if (isNew) drawn.push(html`<li class="new" key="new"><span>${text("new_divider")}</span></li>`);
      drawn.push(line(shell, conversation, group, !isNew && continues(entry, last), { ...marks, editing }));
      last = group[2].at(-1);
      before = lastSeq;
    }
    return { lines: drawn, last };
  };
})();
