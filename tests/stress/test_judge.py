"""The judge finds each kind of violation, and none in a run that is correct."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
from hypothesis import assume, given, reject, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.databases import create_empty
from tests.stress import truth
from tests.stress.judge import (
    Limits,
    Stored,
    Truth,
    find_contradictions,
    find_violations,
)
from tests.stress.oracle import Oracle

ROOM, USERS, MAX = "room", ("ann", "ben", "cay", "dan"), 3
LIMITS = Limits(members_per_room=MAX, rooms_per_user=1)


class World:
    """A correct server with one room, and users who record what they do and receive.

    Attributes:
        oracle: the record.
        log: of the room.
        members: of the room.
    """

    def __init__(self) -> None:
        self.oracle = Oracle()
        self.log: list[Stored] = []
        self.members: set[str] = set()
        self._numbers = iter(range(10**6))
        self.change("ann", "room_created")

    def change(self, user: str, kind: str) -> None:
        """Store a request that is no message; its user receives the entry with the reply."""
        sent_at = self.oracle.moment()
        one = Stored(len(self.log) + 1, user, kind=kind)
        self._store(one)
        if kind == "leave_room":
            self.members.discard(user)
            self.oracle.record_entry(user, ROOM, one.seq, one.content)
            self.oracle.end_membership(user, ROOM)
        else:
            self.members.add(user)
            self.oracle.record_entry(user, ROOM, one.seq, one.content)
        self.oracle.record_change(ROOM, one.seq, one.content, sent_at)

    def _store(self, one: Stored) -> None:
        self.log.append(one)
        for user in self.members - {one.usr}:
            self.oracle.record_entry(user, ROOM, one.seq, one.content)

    def send(self, user: str) -> str:
        """Send a message without storing it; return its text."""
        text = f"{user} {next(self._numbers)}"
        self.oracle.record_send(user, ROOM, text)
        return text

    def store(self, user: str, text: str, answered: bool = True) -> None:
        """Store a message; the reply may be lost, and be in the entries of a resumed session."""
        self._store(Stored(len(self.log) + 1, user, text))
        self.oracle.record_entry(user, ROOM, len(self.log), text)
        if answered:
            self.oracle.record_ack(text, len(self.log))

    def step(self, action: str, user: str) -> None:
        """Do one of `ACTIONS` if the rules allow it."""
        member = user in self.members
        if action == "join":
            if not member and len(self.members) < MAX:
                self.change(user, "join_room")
        elif not member:
            return
        elif action == "leave":
            self.change(user, "leave_room")
        elif action == "refuse":
            self.oracle.record_refusal(self.send(user))
        elif action == "speak at once":
            texts = [(one, self.send(one)) for one in sorted(self.members)]
            for one, text in reversed(texts):
                self.store(one, text)
        else:
            self.store(user, self.send(user), answered=action == "speak")

    def violations(self) -> list[str]:
        """Return what the judge finds."""
        return find_violations(self.oracle, {ROOM: self.log}, LIMITS)


ACTIONS = ("join", "leave", "speak", "speak", "speak unanswered", "speak at once", "refuse")


def swapped(log: list[Stored], first: int, second: int) -> None:
    """Swap two entries, which keep their places in the numbers."""
    one, other = log[first], log[second]
    log[first] = attrs.evolve(other, seq=one.seq)
    log[second] = attrs.evolve(one, seq=other.seq)


def lose(world: World, at: int) -> None:
    """Drop an entry, and number those after it anew."""
    del world.log[at]
    world.log[at:] = [attrs.evolve(one, seq=one.seq - 1) for one in world.log[at:]]


def store_twice(world: World, at: int) -> None:
    world.log.append(attrs.evolve(world.log[at], seq=len(world.log) + 1))


def swap_neighbours(world: World, at: int) -> None:
    swapped(world.log, at, at - 1)


def leave_out_a_number(world: World, at: int) -> None:
    world.log[at:] = [attrs.evolve(one, seq=one.seq + 1) for one in world.log[at:]]


def forge(world: World, at: int) -> None:
    world.log[at] = attrs.evolve(world.log[at], kind="speak", text="never sent")


def miss_a_push(world: World, at: int) -> None:
    """One of the clients did not receive an entry; it was a member, as the log is not empty."""
    seq = world.log[at].seq
    for memberships in world.oracle.numbered.values():
        for membership in memberships:
            seqs = list(membership.entries)
            if seq in seqs[1:]:
                del membership.entries[seq]
                membership.ended = membership.ended and seq != seqs[-1]
                return
    reject()  # no client received it


def receive_another(world: World, at: int) -> None:
    """A client received another content."""
    for memberships in world.oracle.numbered.values():
        for membership in memberships:
            if world.log[at].seq in membership.entries:
                membership.entries[world.log[at].seq] = "another text"
                return
    reject()  # no client received it


#: Each changes a correct run at an index of the log, from 1 on, so that it is wrong.
FAULTS: tuple[Callable[[World, int], None], ...] = (
    *(lose, store_twice, swap_neighbours, leave_out_a_number, forge),
    *(miss_a_push, receive_another),
)


class Property(SynchronousTestCase):
    @settings(max_examples=100, deadline=None)
    @given(
        st.lists(st.tuples(st.sampled_from(ACTIONS), st.sampled_from(USERS)), max_size=20),
        st.sampled_from(FAULTS),
        st.integers(0, 99),
    )
    def test_any_fault_in_any_correct_run_is_found(
        self, steps: list[tuple[str, str]], fault: Callable[[World, int], None], number: int
    ) -> None:
        world = World()
        for action, user in [*steps, ("join", "ben"), ("speak", "ann"), ("speak", "ben")]:
            world.step(action, user)
        assume(len(world.log) > 1)
        self.assertEqual(world.violations(), [])
        fault(world, 1 + number % (len(world.log) - 1))
        self.assertNotEqual(world.violations(), [])


class Kinds(SynchronousTestCase):
    """Each kind of violation is called by its name."""

    def setUp(self) -> None:
        self.world = World()
        self.oracle = self.world.oracle
        self.world.step("join", "ben")
        self.world.step("join", "cay")
        for user in ("ann", "ben", "ann"):  # 4: ann 0, 5: ben 1, 6: ann 2
            self.world.step("speak", user)
        self.assertEqual(self.world.violations(), [])

    def found(self, *log: Stored) -> list[str]:
        return find_violations(self.oracle, {ROOM: log or self.world.log}, LIMITS)

    def assertFound(self, words: str, *log: Stored) -> None:
        self.assertIn(words, "; ".join(self.found(*log)))

    def log(self, *replaced: Stored) -> list[Stored]:
        """Return the log with other entries in the place of some, or after it."""
        entries = {one.seq: one for one in (*self.world.log, *replaced)}
        return [entries[seq] for seq in sorted(entries)]

    def test_of_logs(self) -> None:
        log = self.world.log
        table: list[tuple[str, list[Stored]]] = [
            ("'ann 2' was acknowledged and is lost", log[:5]),
            ("the log of room has a gap", [*log[:4], log[5]]),
            (
                "'ann 2' was acknowledged as 6 and is 7",
                self.log(Stored(6, "ann", kind="room_changed"), Stored(7, "ann", "ann 2")),
            ),
            ("1 messages are in room more than once", self.log(Stored(7, "ann", "ann 2"))),
            (
                "'ann 0' is in room after what ann sent later",
                self.log(Stored(4, "ann", "ann 2"), Stored(6, "ann", "ann 0")),
            ),
            ("ann never sent 'z' to room", self.log(Stored(7, "ann", "z"))),
            ("ben never sent 'ann 2' to room", self.log(Stored(6, "ben", "ann 2"))),
            ("2 of room is 'join_room dan', not 'j", self.log(Stored(2, "dan", kind="join_room"))),
            ("7 of room: ben was a member before", self.log(Stored(7, "ben", kind="join_room"))),
            ("7 of room: dan was no member", self.log(Stored(7, "dan", "x"))),
            ("7 of room: dan was no member", self.log(Stored(7, "dan", kind="leave_room"))),
            (
                "7 of room: 4 members, 3 are allowed",
                self.log(Stored(7, "dan", kind="join_room")),
            ),
            (
                "7 of room: 4 members, 2 are allowed",
                self.log(
                    Stored(1, "ann", kind="room_created", settings={"max": 2}),
                    Stored(7, "dan", kind="join_room"),
                ),
            ),
        ]
        for words, broken in table:
            self.assertFound(words, *broken)

    def test_of_times(self) -> None:
        """ben's message has the higher seq though it was known before ann sent the other."""
        first = self.world.send("ben")
        self.oracle.record_ack(first, 8)
        second = self.world.send("ann")
        self.oracle.record_ack(second, 7)
        log = self.log(Stored(7, "ann", second), Stored(8, "ben", first))
        self.assertFound("7 of room was sent when 8 was known", *log)

    def test_of_times_of_a_delivery(self) -> None:
        first = self.world.send("ben")
        self.oracle.record_entry("cay", ROOM, 8, first)
        second = self.world.send("ann")
        log = self.log(Stored(7, "ann", second), Stored(8, "ben", first))
        self.assertFound("7 of room was sent when 8 was known", *log)

    def test_of_the_order_of_a_sender_who_repeats(self) -> None:
        """ann's 0 was sent again after 2, ann's 2 was sent again before 4."""
        self.oracle.record_repetition("ann 2")
        fourth = self.world.send("ann")
        self.oracle.record_repetition("ann 0")
        first, second = Stored(4, "ann", "ann 2"), Stored(6, "ann", "ann 0")
        self.assertNotIn("sent later", "; ".join(self.found(*self.log(first, second))))
        first, second = Stored(4, "ann", fourth), Stored(6, "ann", "ann 2")
        self.assertFound("'ann 2' is in room after what ann sent later", *self.log(first, second))

    def test_of_a_refused_message_that_is_stored(self) -> None:
        text = self.world.send("ann")
        self.oracle.record_refusal(text)
        self.assertFound(f"'{text}' was refused and is in room", *self.log(Stored(7, "ann", text)))

    def test_of_what_clients_received(self) -> None:
        self.oracle.record_entry("cay", ROOM, 7, "x")
        self.assertFound("cay received 'x' as 7 of room, which is None")
        self.oracle.record_entry("ben", ROOM, 9, "x")
        self.assertFound("ben received 9 of room after 6")
        self.assertFound("ben received 'nothing' as 7", *self.log(Stored(7, "ann", "x")))

    def test_of_acknowledgements(self) -> None:
        self.oracle.record_ack("ann 2", 7)
        self.assertFound("'ann 2' was acknowledged as 6, then as 7")
        self.oracle.record_change(ROOM, 2, "join_room dan", 0)
        self.assertFound("2 of room is 'join_room ben' and 'join_room dan'")

    def test_of_rooms_of_a_user(self) -> None:
        other = [Stored(1, "ann", kind="room_created")]
        found = find_violations(self.oracle, {ROOM: self.world.log, "other": other}, LIMITS)
        self.assertEqual(found, ["ann created 2 rooms, 1 are allowed"])

    def test_of_clients_without_numbers(self) -> None:
        for texts in (["ann 0", "ben 1"], ["ann 0", "ann 2"], ["z"]):
            self.oracle.start_session("pia", ROOM)
            for text in texts:
                self.oracle.record_unnumbered("pia", ROOM, text)
        self.assertFound("pia received 'ann 2' after 'ann 0'; pia received 'z', which is not sto")
        self.oracle.complete.add(("pia", ROOM))
        self.oracle.unnumbered["pia", ROOM] = [["ben 1"], ["ann 2"]]
        self.assertFound("pia never received 'ann 0'")

    def test_of_whispers(self) -> None:
        self.oracle.whispers.update({"w1": "rob", "w2": "rob"})
        self.oracle.received_whispers["rob"] = ["w2", "w2"]
        self.assertFound("1 whispers to rob are lost")
        self.oracle.received_whispers["rob"] += ["w1"]
        self.assertFound("another order")
        self.oracle.received_whispers["rob"] = ["w1", "w1", "w2", "w1"]
        self.assertEqual(self.world.violations(), [])


class Contradictions(SynchronousTestCase):
    def test_tables_that_differ_from_the_log(self) -> None:
        log = [Stored(1, "ann", kind="room_created"), Stored(2, "ben", kind="join_room")]
        right = Truth({ROOM: log}, {ROOM: {"ann", "ben"}}, {ROOM: 2})
        self.assertEqual(find_contradictions(right), [])
        table: list[tuple[dict[str, Any], str]] = [
            ({"members": {ROOM: {"ann"}}}, "room has members ['ann'], not ['ann', 'ben']"),
            ({"members": {}}, "room has members [], not ['ann', 'ben']"),
            ({"heads": {ROOM: 3}}, "the head of room is 3, not 2"),
        ]
        for change, words in table:
            self.assertEqual(find_contradictions(attrs.evolve(right, **change)), [words])


class Databases(SynchronousTestCase):
    def test_truth_of_a_file(self) -> None:
        path = Path(self.mktemp())
        create_empty(path)
        with sqlite3.connect(path) as db:
            db.executescript(
                """
                INSERT INTO accounts (id, name, key, registered, created_at, lobby_read_seq)
                    VALUES (7, 'ann', 'ann', 1, 0, 0);
                INSERT INTO rooms (id, key, name, public, topic, max, owner)
                    VALUES (9, 'room', 'Room', 1, '', 2, 'ann');
                INSERT INTO members (room_id, account_id, joined_seq, read_seq)
                    VALUES (9, 7, 1, 1);
                INSERT INTO heads (room_id, seq, messages, first) VALUES (9, 2, 1, 1);
                INSERT INTO entries (room_id, seq, message_count, kind, at, usr, msg, extra)
                    VALUES (9, 2, 1, 'speak', 0, 'ann', 'hello', NULL),
                    (9, 1, 0, 'room_created', 0, 'ann', NULL, '{"max":2,"owner":"ann"}');
                """
            )
        found = truth.read(path)
        self.assertEqual(
            found.logs["Room"],
            [
                Stored(1, "ann", kind="room_created", settings={"max": 2, "owner": "ann"}),
                Stored(2, "ann", "hello"),
            ],
        )
        self.assertEqual((found.members["Room"], found.heads["Room"]), ({"ann"}, 2))
        self.assertEqual(find_contradictions(found), [])
