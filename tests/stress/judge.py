"""The judge: compares what clients recorded (`oracle`) with the logs, which are the truth.

* A log has the seqs 1, 2, 3 … and nothing that was not sent.
* What was acknowledged is in it once, under its seq; what was refused is not in it.
* The messages of each sender are in the order in which they were sent: of one that was sent again,
  any sending counts if `repeated_at` has it. An entry that a client knew of before another was sent
  has the lower seq: the order is that of time.
* Each client received the log from the entry at which it joined, without a gap.
* The rules of rooms hold after each entry: only members speak, there are no more members and no
  more rooms of a user than are allowed.
* What is derived from the logs, such as the list of members, equals the log folded.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import attrs

from tests.stress.folding import RoomState
from tests.stress.oracle import Membership, Oracle

#: Kinds of entries that are about members only.
_OF_MEMBERS = ("speak", "leave_room", "kicked", "removed")


@attrs.frozen
class Stored:
    """An entry of the log of a room at the end of a run.

    Attributes:
        seq: its number.
        usr: the user that it is about; of a message the sender.
        text: of a message.
        kind: `speak` for a message, else its `type`.
        settings: of an entry with the settings of the room: they, by name.
    """

    seq: int
    usr: str
    text: str = ""
    kind: str = "speak"
    settings: Mapping[str, Any] = attrs.field(factory=dict)

    @classmethod
    def from_wire(cls, entry: Mapping[str, Any]) -> Stored:
        """Return what an entry says that was pushed or is in a reply of the JSON API."""
        if entry["cmd"] in ("c_speak", "c_whisper"):
            return cls(entry["seq"], entry["usr"], entry["msg"])
        return cls(entry["seq"], entry["usr"], kind=entry["type"], settings=entry)

    @property
    def content(self) -> str:
        """The text of a message, the kind and user of another entry."""
        return self.text if self.kind == "speak" else f"{self.kind} {self.usr}"


@attrs.frozen
class Truth:
    """What is in a database.

    Attributes:
        logs: room -> its entries, in order.
        members: room -> the users in the table of members.
        heads: room -> the last seq that the table of heads says.
    """

    logs: dict[str, list[Stored]]
    members: dict[str, set[str]]
    heads: dict[str, int]


@attrs.frozen
class Limits:
    """Limits of the server, 0 for none.

    Attributes:
        members_per_room, rooms_per_user: as the settings of these names.
    """

    members_per_room: int = 0
    rooms_per_user: int = 0


def find_violations(
    oracle: Oracle, logs: Mapping[str, Sequence[Stored]], limits: Limits | None = None
) -> list[str]:
    """Compare a record with the logs.

    Args:
        oracle: the record.
        logs: room -> its entries at the end, in order.
        limits: of the server.

    Returns:
        One line for each violation, those found during the run included.
    """
    limits = limits or Limits()
    violations = list(oracle.violations)
    for room, log in logs.items():
        violations += _check_log(oracle, room, log)
        violations += _check_changes(oracle, room, log)
        violations += _check_times(oracle, room, log)
        violations += _check_rules(room, log, limits)
        violations += _check_unnumbered(oracle, room, log)
        for (user, where), memberships in oracle.numbered.items():
            if where == room:
                for membership in memberships:
                    violations += _check_membership(user, room, membership, log)
    violations += _check_owners(logs, limits)
    violations += _check_whispers(oracle)
    return violations


def find_contradictions(truth: Truth) -> list[str]:
    """Compare what a database derives from its logs with the logs; return one line for each."""
    found = []
    for room, log in truth.logs.items():
        state = RoomState()
        for one in log:
            state.follow(one.kind, one.usr, one.settings)
        if truth.heads.get(room, 0) != len(log):
            found.append(f"the head of {room} is {truth.heads.get(room, 0)}, not {len(log)}")
        members = truth.members.get(room, set())
        if members != state.members:
            found.append(f"{room} has members {sorted(members)}, not {sorted(state.members)}")
    return found


def _check_log(oracle: Oracle, room: str, log: Sequence[Stored]) -> Iterable[str]:
    """The log has all that was acknowledged, nothing twice, nothing else, in sending order."""
    if [one.seq for one in log] != list(range(1, len(log) + 1)):
        yield f"the log of {room} has a gap"
    messages = [one for one in log if one.kind == "speak"]
    stored = {one.text: one for one in messages}
    if len(stored) < len(messages):
        yield f"{len(messages) - len(stored)} messages are in {room} more than once"
    newest: dict[str, int] = {}
    for one in messages:
        if oracle.sent.get(one.text) != (one.usr, room):
            yield f"{one.usr} never sent {one.text!r} to {room}"
            continue
        sent_at = oracle.sent_at[one.text]
        if oracle.repeated_at.get(one.text, sent_at) < newest.get(one.usr, -1):
            yield f"{one.text!r} is in {room} after what {one.usr} sent later"
        newest[one.usr] = max(sent_at, newest.get(one.usr, -1))
        if one.text in oracle.refused:
            yield f"{one.text!r} was refused and is in {room}"
    for text, seq in oracle.acknowledged.items():
        if oracle.sent[text][1] != room:
            continue
        if text not in stored:
            yield f"{text!r} was acknowledged and is lost"
        elif seq not in (None, stored[text].seq):
            yield f"{text!r} was acknowledged as {seq} and is {stored[text].seq}"


def _check_changes(oracle: Oracle, room: str, log: Sequence[Stored]) -> Iterable[str]:
    """Joins and the like that were acknowledged are in the log."""
    contents = {one.seq: one.content for one in log}
    for (where, seq), change in oracle.changes.items():
        if where == room and contents.get(seq) != change.content:
            yield f"{seq} of {room} is {contents.get(seq)!r}, not {change.content!r}"


def _check_times(oracle: Oracle, room: str, log: Sequence[Stored]) -> Iterable[str]:
    """No entry was sent after a later entry of the log was known."""
    earliest, later = math.inf, 0
    for one in reversed(log):
        sent_at = oracle.sent_at.get(one.text) if one.kind == "speak" else None
        if change := oracle.changes.get((room, one.seq)):
            sent_at = change.sent_at
        if sent_at is not None and earliest < sent_at:
            yield f"{one.seq} of {room} was sent when {later} was known"
        known_at = oracle.known_at.get((room, one.seq), math.inf)
        if known_at < earliest:
            earliest, later = known_at, one.seq


def _check_rules(room: str, log: Sequence[Stored], limits: Limits) -> Iterable[str]:
    """The rules of a room hold after each entry; the lobby and direct messages have none."""
    if not log or log[0].kind != "room_created":
        return
    state = RoomState()
    for one in log:
        if one.kind in ("room_created", "join_room"):
            if one.usr in state.members:
                yield f"{one.seq} of {room}: {one.usr} was a member before"
        elif one.kind in _OF_MEMBERS and one.usr not in state.members:
            yield f"{one.seq} of {room}: {one.usr} was no member"
        state.follow(one.kind, one.usr, one.settings)
        allowed = min(state.max or math.inf, limits.members_per_room or math.inf)
        if len(state.members) > allowed and one.kind == "join_room":
            yield f"{one.seq} of {room}: {len(state.members)} members, {allowed} are allowed"


def _check_owners(logs: Mapping[str, Sequence[Stored]], limits: Limits) -> Iterable[str]:
    """Each user created no more rooms than are allowed; no room is deleted in these runs."""
    first = [log[0] for log in logs.values() if log]
    created = Counter(one.usr for one in first if one.kind == "room_created")
    for user, count in created.items():
        if limits.rooms_per_user and count > limits.rooms_per_user:
            yield f"{user} created {count} rooms, {limits.rooms_per_user} are allowed"


def _check_unnumbered(oracle: Oracle, room: str, log: Sequence[Stored]) -> Iterable[str]:
    """Clients that receive no seqs received parts of the log; some of them all of it."""
    for (user, where), sessions in oracle.unnumbered.items():
        if where != room:
            continue
        others = [one.text for one in log if one.kind == "speak" and one.usr != user]
        for session in sessions:
            yield from _check_session(user, session, others)
        if (user, room) in oracle.complete:
            received = {text for session in sessions for text in session}
            for text in others:
                if text not in received:
                    yield f"{user} never received {text!r}"


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


def _check_membership(
    user: str, room: str, membership: Membership, log: Sequence[Stored]
) -> Iterable[str]:
    """A user received the log from the position at which they joined to its end, or theirs."""
    first, last = next(iter(membership.entries)), membership.last or 0
    expected = {one.seq: one.content for one in log if one.seq >= first}
    if membership.ended:
        expected = {seq: content for seq, content in expected.items() if seq <= last}
    for seq in sorted(expected.keys() | membership.entries.keys()):
        wanted, got = expected.get(seq), membership.entries.get(seq, "nothing")
        if got not in (wanted, None):
            yield f"{user} received {got!r} as {seq} of {room}, which is {wanted!r}"


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
