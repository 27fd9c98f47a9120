"""What simulated users sent, what was acknowledged, what they received; and the check of all that.

Nothing here talks to a server. Clients record what happens to them in an `Oracle`, and
`find_violations` compares the record with the logs that the server has at the end.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

import attrs


@attrs.frozen
class Stored:
    """A message in the log of a room at the end of a run."""

    seq: int
    usr: str
    text: str


@attrs.define(eq=False)
class Oracle:
    """The record of a run. Texts are unique, so that a text identifies a message.

    Attributes:
        sent: text -> (sender, room), in the order in which the messages were sent first.
        acknowledged: text -> its seq, or None where the protocol tells none.
        numbered: (user, room) -> seq -> text, for clients that receive a seq. Entries that are no
            messages have the text None. The first entry is the position at which the user joined.
        unnumbered: (user, room) -> the texts of each session, for clients that receive no seq.
            A user's own messages are not among them.
        complete: the keys of `unnumbered` whose sessions together must contain every message.
        delivered: all texts that a client received with a seq.
        whispers: text -> target of the acknowledged whispers, in order.
        received_whispers: user -> the whispers that arrived, with repetitions.
        violations: what was found wrong during the run, one line each.
    """

    sent: dict[str, tuple[str, str]] = attrs.field(factory=dict)
    acknowledged: dict[str, int | None] = attrs.field(factory=dict)
    numbered: dict[tuple[str, str], dict[int, str | None]] = attrs.field(factory=dict)
    unnumbered: dict[tuple[str, str], list[list[str]]] = attrs.field(factory=dict)
    complete: set[tuple[str, str]] = attrs.field(factory=set)
    delivered: set[str] = attrs.field(factory=set)
    whispers: dict[str, str] = attrs.field(factory=dict)
    received_whispers: dict[str, list[str]] = attrs.field(factory=dict)
    violations: list[str] = attrs.field(factory=list)

    def record_send(self, user: str, room: str, text: str) -> None:
        """Record that a user is about to send a message, possibly not for the first time."""
        self.sent.setdefault(text, (user, room))

    def record_ack(self, text: str, seq: int | None = None) -> None:
        """Record an acknowledgement; a second one must have the same `seq`."""
        before = self.acknowledged.setdefault(text, seq)
        if before != seq:
            self.violations.append(f"{text!r} was acknowledged as {before}, then as {seq}")

    def record_entry(self, user: str, room: str, seq: int, text: str | None) -> None:
        """Record an entry that a user received, pushed or in a reply.

        Each seq has to arrive once, without gaps, in order.

        Args:
            text: None for an entry that is no message.
        """
        known = self.numbered.setdefault((user, room), {})
        last = next(reversed(known), None)
        if last is not None and seq != last + 1:
            self.violations.append(f"{user} received {seq} of {room} after {last}")
        known[seq] = text
        if text is not None:
            self.delivered.add(text)

    def last_seq(self, user: str, room: str) -> int | None:
        """Return the last seq that a user received, None before the first."""
        return next(reversed(self.numbered.get((user, room), {})), None)

    def start_session(self, user: str, room: str) -> None:
        """Record that a session starts of a user who receives no seq."""
        self.unnumbered.setdefault((user, room), []).append([])

    def record_unnumbered(self, user: str, room: str, text: str) -> None:
        """Record a message that a user received without a seq."""
        self.unnumbered[user, room][-1].append(text)


def find_violations(oracle: Oracle, logs: Mapping[str, Sequence[Stored]]) -> list[str]:
    """Compare a record with the logs.

    Args:
        oracle: the record.
        logs: room -> its messages at the end, in order, read by `history`.

    Returns:
        One line for each violation, those found during the run included.
    """
    violations = list(oracle.violations)
    for room, log in logs.items():
        violations += _check_log(oracle, room, log)
        for (user, where), sessions in oracle.unnumbered.items():
            if where != room:
                continue
            others = [one.text for one in log if one.usr != user]
            for session in sessions:
                violations += _check_session(user, session, others)
            if (user, room) in oracle.complete:
                received = {text for session in sessions for text in session}
                violations += [
                    f"{user} never received {text!r}" for text in others if text not in received
                ]
        for (user, where), entries in oracle.numbered.items():
            if where == room:
                violations += _check_numbered(user, room, entries, log)
    violations += _check_whispers(oracle)
    return violations


def _check_log(oracle: Oracle, room: str, log: Sequence[Stored]) -> Iterable[str]:
    """The log has all that was acknowledged, nothing twice, nothing else, in sending order."""
    stored = {one.text: one for one in log}
    if len(stored) < len(log):
        yield f"{len(log) - len(stored)} messages are in {room} more than once"
    order = {text: index for index, text in enumerate(oracle.sent)}
    newest: dict[str, int] = {}
    for one in log:
        if oracle.sent.get(one.text) != (one.usr, room):
            yield f"{one.usr} never sent {one.text!r} to {room}"
            continue
        if order[one.text] < newest.get(one.usr, -1):
            yield f"{one.text!r} is in {room} after what {one.usr} sent later"
        newest[one.usr] = order[one.text]
    for text, seq in oracle.acknowledged.items():
        if oracle.sent[text][1] != room:
            continue
        if text not in stored:
            yield f"{text!r} was acknowledged and is lost"
        elif seq not in (None, stored[text].seq):
            yield f"{text!r} was acknowledged as {seq} and is {stored[text].seq}"


def _check_session(user: str, session: Sequence[str], log: Sequence[str]) -> Iterable[str]:
    """A session without seqs received a part of the log without a gap."""
    places = {text: index for index, text in enumerate(log)}
    for text in session:
        if text not in places:
            yield f"{user} received {text!r}, which is not stored"
    found = [places[text] for text in session if text in places]
    for before, after in pairwise(found):
        if after != before + 1:
            yield f"{user} received {log[after]!r} after {log[before]!r}"


def _check_numbered(
    user: str, room: str, entries: Mapping[int, str | None], log: Sequence[Stored]
) -> Iterable[str]:
    """A user with seqs received the log, from the position at which they joined to its end."""
    first = next(iter(entries))
    expected = {one.seq: one.text for one in log if one.seq > first}
    received = {seq: text for seq, text in entries.items() if text is not None and seq > first}
    for seq in sorted(expected.keys() | received.keys()):
        if expected.get(seq) != received.get(seq):
            yield (
                f"{user} received {received.get(seq)!r} as {seq} of {room}, "
                f"which is {expected.get(seq)!r}"
            )


def _check_whispers(oracle: Oracle) -> Iterable[str]:
    """Whispers arrive at least once; their first arrivals are in order."""
    for user in set(oracle.whispers.values()):
        sent = [text for text, target in oracle.whispers.items() if target == user]
        received = list(dict.fromkeys(oracle.received_whispers.get(user, [])))
        lost = [text for text in sent if text not in received]
        if lost:
            yield f"{len(lost)} whispers to {user} are lost: {lost[:3]}"
        elif [text for text in received if text in oracle.whispers] != sent:
            yield f"whispers to {user} arrived in another order"
