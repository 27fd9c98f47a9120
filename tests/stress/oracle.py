"""What simulated users sent, what was acknowledged, and what they received.

Nothing here talks to a server. Clients record what happens to them in an `Oracle`; `judge` compares
the record with the logs at the end.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import attrs

#: A moment after all others.
NEVER = 1 << 62


@attrs.define
class Membership:
    """What a user received of a room, from the position at which they joined.

    Attributes:
        entries: seq -> content of the entry (see `judge.Stored`), None where it is not known.
        ended: whether the user has left: what followed was not for them.
    """

    entries: dict[int, str | None] = attrs.field(factory=dict)
    ended: bool = False

    @property
    def last(self) -> int | None:
        """The last seq that was received, None before the first."""
        return next(reversed(self.entries), None)


@attrs.frozen
class Change:
    """An acknowledged request that is no message, such as a join.

    Attributes:
        content: of its entry.
        sent_at: the moment at which it was sent first.
    """

    content: str
    sent_at: int


@attrs.define(eq=False)
class Oracle:
    """The record of a run. Texts are unique, so that a text identifies a message.

    Attributes:
        sent: text -> (sender, room), in the order in which the messages were sent first.
        sent_at: text -> the moment of that.
        repeated_at: text -> the moment at which it was sent last, of those that may be stored by a
            repetition after what was sent later: its first sending failed without a reply.
        acknowledged: text -> its seq, or None where the protocol tells none.
        refused: texts of the messages of which the server said that they are not stored.
        changes: (room, seq) -> what was acknowledged as that entry and is no message.
        numbered: (user, room) -> the memberships, one after the other, of clients that receive a
            seq.
        delivered: contents of all entries that a client received with a seq.
        known_at: (room, seq) -> the moment at which a client knew of the entry first.
        unnumbered: (user, room) -> the texts of each session, for clients that receive no seq.
            A user's own messages are not among them.
        complete: the keys of `unnumbered` whose sessions together must contain every message.
        whispers: text -> target of the acknowledged whispers, in order.
        received_whispers: user -> the whispers that arrived, with repetitions.
        violations: what was found wrong during the run, one line each.
    """

    sent: dict[str, tuple[str, str]] = attrs.field(factory=dict)
    sent_at: dict[str, int] = attrs.field(factory=dict)
    repeated_at: dict[str, int] = attrs.field(factory=dict)
    acknowledged: dict[str, int | None] = attrs.field(factory=dict)
    refused: set[str] = attrs.field(factory=set)
    changes: dict[tuple[str, int], Change] = attrs.field(factory=dict)
    numbered: dict[tuple[str, str], list[Membership]] = attrs.field(factory=dict)
    delivered: set[str] = attrs.field(factory=set)
    known_at: dict[tuple[str, int], int] = attrs.field(factory=dict)
    unnumbered: dict[tuple[str, str], list[list[str]]] = attrs.field(factory=dict)
    complete: set[tuple[str, str]] = attrs.field(factory=set)
    whispers: dict[str, str] = attrs.field(factory=dict)
    received_whispers: dict[str, list[str]] = attrs.field(factory=dict)
    violations: list[str] = attrs.field(factory=list)
    _moments: Iterator[int] = attrs.field(factory=itertools.count)

    def moment(self) -> int:
        """Return a number that is higher than that of each earlier moment."""
        return next(self._moments)

    def record_send(self, user: str, room: str, text: str) -> None:
        """Record that a user is about to send a message, possibly not for the first time."""
        self.sent.setdefault(text, (user, room))
        self.sent_at.setdefault(text, self.moment())

    def record_repetition(self, text: str) -> None:
        """Record that a message is sent again, to a server that may not have stored it before."""
        self.repeated_at[text] = self.moment()

    def record_limbo(self, text: str) -> None:
        """Record that a message may be stored after what is sent later: nothing acknowledges it."""
        self.repeated_at[text] = NEVER

    def record_ack(self, text: str, seq: int | None = None) -> None:
        """Record an acknowledgement; a second one must have the same `seq`."""
        before = self.acknowledged.setdefault(text, seq)
        if before != seq:
            self.violations.append(f"{text!r} was acknowledged as {before}, then as {seq}")
        if seq is not None:
            self._record_known(self.sent[text][1], seq)

    def record_refusal(self, text: str) -> None:
        """Record that a message was not stored: it was sent once, and the reply says so."""
        self.refused.add(text)

    def record_change(self, room: str, seq: int, content: str, sent_at: int) -> None:
        """Record that a request was acknowledged which is no message; see `Change`."""
        before = self.changes.setdefault((room, seq), Change(content, sent_at))
        if before.content != content:
            self.violations.append(f"{seq} of {room} is {before.content!r} and {content!r}")
        self._record_known(room, seq)

    def _record_known(self, room: str, seq: int) -> None:
        self.known_at.setdefault((room, seq), self.moment())

    def membership(self, user: str, room: str) -> Membership | None:
        """Return the membership of a user, None for a user who is not in the room."""
        known = self.numbered.get((user, room))
        return known[-1] if known and not known[-1].ended else None

    def record_entry(self, user: str, room: str, seq: int, content: str | None) -> None:
        """Record an entry that a user received, pushed or in a reply.

        Each seq has to arrive once, without gaps, in order. The first one begins a membership.

        Args:
            content: see `Membership`.
        """
        membership = self.membership(user, room)
        if membership is None:
            membership = Membership()
            self.numbered.setdefault((user, room), []).append(membership)
        last = membership.last
        if last is not None and seq != last + 1:
            self.violations.append(f"{user} received {seq} of {room} after {last}")
        membership.entries[seq] = content
        if content is not None:
            self.delivered.add(content)
            self._record_known(room, seq)

    def entries_received(self) -> int:
        """Return the number of entries that all clients together received with a seq."""
        return sum(len(one.entries) for known in self.numbered.values() for one in known)

    def end_membership(self, user: str, room: str) -> None:
        """Record that a user is not in a room any more, and receives nothing of it."""
        membership = self.membership(user, room)
        if membership is not None:
            membership.ended = True

    def last_seq(self, user: str, room: str) -> int | None:
        """Return the last seq that a member received, None before the first."""
        membership = self.membership(user, room)
        return None if membership is None else membership.last

    def start_session(self, user: str, room: str) -> None:
        """Record that a session starts of a user who receives no seq."""
        self.unnumbered.setdefault((user, room), []).append([])

    def record_unnumbered(self, user: str, room: str, text: str) -> None:
        """Record a message that a user received without a seq."""
        self.unnumbered[user, room][-1].append(text)
