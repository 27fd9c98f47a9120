// How far the user has read a conversation, and what is unread in it: messages of others, mentions of the user.
//
// The mark can go back, by the user or another session of theirs. An open conversation is `held` then: although it is
// shown, it is not read again until the user leaves it and returns. The server counts what is unread; in between the
// page counts on, and asks again (the effect "recount") when it cannot know. Functions return effects; sync.js lists them.
"use strict";
(() => {
  const GTChat = globalThis.GTChat;

  // Whether the window of the log has all that is unread.
  const hasUnread = (room) => room.atEnd && room.firstLoaded <= room.readSeq + 1;

  const isUnread = (state, room, { seq, usr, deleted }) => (
    seq > room.readSeq && usr !== state.me && !deleted && !state.isBlocked(usr));

  // The next list tells what is unread.
  const recount = (room) => {
    room.miscounted = true;
    return [{ effect: "recount", room }];
  };

  // Puts the "New" divider before what is unread.
  const divide = (room) => {
    room.dividerSeq = room.unread ? room.readSeq : null;
    room.dividerCount = room.unread;
  };

  // Counts all as read.
  const readAll = (room) => Object.assign(room, {
    readSeq: room.lastSeq, unread: 0, mentions: 0, mentionSeqs: new Set(), held: false, miscounted: false });

  // Counts what is unread after the mark was moved.
  const count = (state, room) => {
    const unread = room.entries.filter((entry) => GTChat.isMessage(entry) && isUnread(state, room, entry));
    const seqs = unread.filter((entry) => GTChat.mentionsUser(state, room, entry)).map(({ seq }) => seq);
    if (hasUnread(room)) {
      Object.assign(room, { unread: unread.length, mentions: seqs.length, mentionSeqs: new Set(seqs) });
      return [];
    }
    const known = room.mentions === room.mentionSeqs.size;
    room.unread = Math.max(unread.length, Math.min(room.unread, room.lastSeq - room.readSeq));
    room.mentionSeqs = new Set([...room.mentionSeqs, ...seqs].filter((seq) => seq > room.readSeq));
    room.mentions = known ? room.mentionSeqs.size : Math.max(room.mentionSeqs.size, Math.min(room.mentions, room.unread));
    return recount(room);
  };

  // Counts entries up to `seq` as read, after they were read elsewhere.
  const readTo = (state, room, seq) => {
    if (seq <= room.readSeq) return [];
    room.readSeq = Math.min(seq, room.lastSeq);
    if (room.readSeq < room.lastSeq) return count(state, room);
    readAll(room);
    return [];
  };

  // Counts entries after `seq` as unread. A direct conversation that was closed is shown again.
  const setBack = (state, room, seq) => {
    Object.assign(room, { readSeq: seq, markedSeq: seq, held: room === state.current, closed: false });
    const effects = count(state, room);
    if (room.held) divide(room);
    return effects;
  };

  // The mark was moved in another session. It goes back only from what the server knew to be read: what was read
  // here meanwhile is reported later.
  const markedElsewhere = (state, room, seq) => {
    const isBack = seq < room.confirmedSeq;
    Object.assign(room, { confirmedSeq: seq, markedSeq: Math.max(room.markedSeq, seq) });
    return isBack ? setBack(state, room, seq) : readTo(state, room, seq);
  };

  // A message of another user has come and was not shown.
  const addUnread = (room, { seq }, isMention) => {
    room.unread += 1;
    if (isMention) addMention(room, seq);
  };

  const addMention = (room, seq) => {
    room.mentions += 1;
    room.mentionSeqs.add(seq);
  };

  // Whether an unread message mentions the user may have changed. Of some that the server has counted the seqs may not be
  // known.
  const changeMention = (room, seq, isMention) => {
    const known = room.mentionSeqs.has(seq);
    if (!known && room.mentions > room.mentionSeqs.size) return recount(room);
    if (known === isMention) return [];
    if (isMention) {
      addMention(room, seq);
    } else {
      room.mentions -= 1;
      room.mentionSeqs.delete(seq);
    }
    return [];
  };

  // A message was edited or deleted. isMention: whether it mentions the user now.
  const change = (state, room, { of, usr, type }, isMention) => {
    if (!isUnread(state, room, { seq: of, usr })) return [];
    if (type === "deleted") room.unread = Math.max(0, room.unread - 1);
    return changeMention(room, of, isMention);
  };

  // The list of mentions has one of those that the server has counted.
  const knowMention = (room, seq) => {
    if (seq <= room.readSeq) return;
    room.mentionSeqs.add(seq);
    room.mentions = Math.max(room.mentions, room.mentionSeqs.size);
  };

  // Takes over what `info`, an entry of a list, tells of a conversation that was not followed.
  const begin = (room, info) => {
    const mark = info.read_seq ?? info.last_seq - info.unread;
    Object.assign(room, { readSeq: mark, markedSeq: mark, confirmedSeq: mark, unread: info.unread, mentions: info.mentions ?? 0,
      mentionSeqs: new Set(), recount: false, miscounted: false });
  };

  // Takes over what `info`, an entry of a list, tells of one that is followed. What was read here and is not reported
  // yet counts; where the server's mark is behind the one that it had confirmed, another session has set it back.
  const follow = (state, room, info) => {
    const { read_seq: mark = room.confirmedSeq } = info;
    const isBack = mark < room.confirmedSeq;
    const differs = isBack || mark > room.readSeq || room.recount || room.miscounted;
    room.confirmedSeq = mark;
    room.markedSeq = isBack ? mark : Math.max(room.markedSeq, mark);
    if (!differs) return;
    const readSeq = isBack ? mark : Math.max(room.readSeq, mark);
    const unread = Math.min(info.unread, Math.max(0, info.last_seq - readSeq));
    Object.assign(room, { readSeq, unread, mentions: Math.min(info.mentions ?? 0, unread), recount: false, miscounted: false });
    room.mentionSeqs = new Set([...room.mentionSeqs].filter((seq) => seq > readSeq).slice(0, room.mentions));
    room.held = unread > 0 && (room.held || (isBack && room === state.current));
    if (isBack) room.closed = false;
    if (room.held) divide(room);
  };

  GTChat.readMarks = { recount, divide, readAll, readTo, setBack, markedElsewhere, addUnread, change, knowMention, begin, follow };
})();
