"""What people said, what they were promised, what they were shown; and a judge of all that.

Nothing here talks to a server: people write down what happens to them in a `Oracle`, `judge` holds
it against the logs that the server has at the end.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

import attrs


@attrs.frozen
class Stored:
    """A message in a log at the end."""

    seq: int
    usr: str
    text: str


@attrs.define(eq=False)
class Oracle:
    """What happened to everybody.

    Attributes:
        said: text -> who said it and where, in the order in which it was said first.
        promised: text -> its seq, or None where the protocol tells none, of what was acknowledged.
        numbered: (who, room) -> seq -> text, of readers that are told numbers; what is no message
            has the text None, and the first is where somebody came in.
        complete: (who, room) where all sessions of `shown` together are to have everything.
        shown: (who, room) -> texts of one session each, of readers that are told none; what one
            says oneself is not among them.
        told: all texts that somebody was told with a number.
        whispered: text -> to whom, of whispers that were acknowledged; in order.
        heard: who -> whispers that were shown to him, repeated ones too.
        faults: what is wrong, as far as it was seen at once.
    """

    said: dict[str, tuple[str, str]] = attrs.field(factory=dict)
    promised: dict[str, int | None] = attrs.field(factory=dict)
    numbered: dict[tuple[str, str], dict[int, str | None]] = attrs.field(factory=dict)
    shown: dict[tuple[str, str], list[list[str]]] = attrs.field(factory=dict)
    complete: set[tuple[str, str]] = attrs.field(factory=set)
    told: set[str] = attrs.field(factory=set)
    whispered: dict[str, str] = attrs.field(factory=dict)
    heard: dict[str, list[str]] = attrs.field(factory=dict)
    faults: list[str] = attrs.field(factory=list)

    def say(self, who: str, room: str, text: str) -> None:
        """Somebody is about to say something, maybe not for the first time."""
        self.said.setdefault(text, (who, room))

    def promise(self, text: str, seq: int | None = None) -> None:
        """Something was acknowledged."""
        before = self.promised.setdefault(text, seq)
        if before != seq:
            self.faults.append(f"{text!r} was acknowledged as {before}, then as {seq}")

    def number(self, who: str, room: str, seq: int, text: str | None) -> None:
        """Somebody was told an entry, by whatever way: all numbers come, in order, once."""
        known = self.numbered.setdefault((who, room), {})
        last = next(reversed(known), None)
        if last is not None and seq != last + 1:
            self.faults.append(f"{who} was told {seq} of {room} after {last}")
        known[seq] = text
        if text is not None:
            self.told.add(text)

    def last(self, who: str, room: str) -> int | None:
        """The last number that somebody was told."""
        return next(reversed(self.numbered.get((who, room), {})), None)

    def show(self, who: str, room: str, text: str) -> None:
        """Somebody was shown something without a number."""
        self.shown[who, room][-1].append(text)

    def sit_down(self, who: str, room: str) -> None:
        """A session begins of somebody who is told no numbers."""
        self.shown.setdefault((who, room), []).append([])


def judge(book: Oracle, logs: Mapping[str, Sequence[Stored]]) -> list[str]:
    """What is wrong; empty if nothing is.

    Args:
        logs: room -> its messages at the end, in order, read by `history`.
    """
    faults = list(book.faults)
    for room, log in logs.items():
        faults += _judge_log(book, room, log)
        for (who, where), sessions in book.shown.items():
            if where != room:
                continue
            said = [one.text for one in log if one.usr != who]
            for session in sessions:
                faults += _judge_part(who, session, said)
            if (who, room) in book.complete:
                found = {text for session in sessions for text in session}
                faults += [f"{who} was never shown {text!r}" for text in said if text not in found]
        for (who, where), entries in book.numbered.items():
            if where == room:
                faults += _judge_numbers(who, room, entries, log)
    faults += _judge_whispers(book)
    return faults


def _judge_log(book: Oracle, room: str, log: Sequence[Stored]) -> Iterable[str]:
    """A log has what was promised, nothing twice, nothing that nobody said, in each one's order."""
    stored = {one.text: one for one in log}
    if len(stored) < len(log):
        yield f"{len(log) - len(stored)} messages stand in {room} more than once"
    order = {text: index for index, text in enumerate(book.said)}
    newest: dict[str, int] = {}
    for one in log:
        if book.said.get(one.text) != (one.usr, room):
            yield f"{one.usr} never said {one.text!r} in {room}"
            continue
        if order[one.text] < newest.get(one.usr, -1):
            yield f"{one.text!r} stands in {room} behind what {one.usr} said later"
        newest[one.usr] = order[one.text]
    for text, seq in book.promised.items():
        if book.said[text][1] != room:
            continue
        if text not in stored:
            yield f"{text!r} was acknowledged and is lost"
        elif seq not in (None, stored[text].seq):
            yield f"{text!r} was acknowledged as {seq} and is {stored[text].seq}"


def _judge_part(who: str, session: Sequence[str], said: Sequence[str]) -> Iterable[str]:
    """What was shown in a session is a part of the log, without a gap."""
    places = {text: index for index, text in enumerate(said)}
    for text in session:
        if text not in places:
            yield f"{who} was shown {text!r}, which is not stored"
    found = [places[text] for text in session if text in places]
    for before, after in pairwise(found):
        if after != before + 1:
            yield f"{who} was shown {said[after]!r} after {said[before]!r}"


def _judge_numbers(
    who: str, room: str, entries: Mapping[int, str | None], log: Sequence[Stored]
) -> Iterable[str]:
    """What was told with numbers is the log, from behind where somebody came in to its end."""
    first = next(iter(entries))
    expected = {one.seq: one.text for one in log if one.seq > first}
    told = {seq: text for seq, text in entries.items() if text is not None and seq > first}
    for seq in sorted(expected.keys() | told.keys()):
        if expected.get(seq) != told.get(seq):
            yield (
                f"{who} was told {told.get(seq)!r} as {seq} of {room}, "
                f"which is {expected.get(seq)!r}"
            )


def _judge_whispers(book: Oracle) -> Iterable[str]:
    """Whispers come at least once; their first comings are in order."""
    for who in set(book.whispered.values()):
        sent = [text for text, target in book.whispered.items() if target == who]
        heard = list(dict.fromkeys(book.heard.get(who, [])))
        lost = [text for text in sent if text not in heard]
        if lost:
            yield f"{len(lost)} whispers to {who} are lost: {lost[:3]}"
        elif [text for text in heard if text in book.whispered] != sent:
            yield f"whispers came to {who} in another order"
