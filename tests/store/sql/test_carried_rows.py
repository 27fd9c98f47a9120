"""Rows that the bus carries: what they say, and which of them a node delivers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat.annotations import Deletion, Reaction, ReplyTo
from gtchat.chat.errors import NotStored
from gtchat.chat.events import (
    ENTRY_TYPES,
    AnnotatedMessage,
    Entry,
    GuestMessage,
    MessageSent,
    WhisperSent,
)
from gtchat.chat.interfaces import Account, PendingWhisper, StoredGuest
from gtchat.chat.node_records import (
    SYSTEM_ID,
    AccountEnded,
    DirectEntry,
    NodeGone,
    RoomAdded,
    RoomGone,
    SystemEntry,
)
from gtchat.store import mail_tells
from gtchat.store.following import Known
from gtchat.store.jobs import Job, StoreCall
from gtchat.store.notifying import CarriedRows
from gtchat.store.sql.carried_rows import MAX_BYTES, Fitting, decode, encode, find_fitting
from gtchat.store.sql.entry_rows import entry_of, read_row_of
from tests.store.contract import message, pending_entry, room_created
from tests.store.sql.test_log_writer import entries_of
from tests.store.test_following import record

#: The node that sends, and the one that gets it.
SENDER, HERE = 8, 9
USERS = ((1, "Ann"), (2, "Bob"))
#: Of every kind and class, but the whole of `AnnotatedMessage`.
ENTRIES = st.one_of([entries_of(one) for one in (*ENTRY_TYPES.values(), GuestMessage)])


def numbered(entry: Entry, seq: int) -> Entry:
    entry.seq, entry.room_name = seq, "Garden"
    return entry


def said(seq: int, text: str = "hello") -> Entry:
    return numbered(message(text), seq)


def whisper(room_id: int, seq: int) -> StoreCall:
    """Return a call that has stored a direct message."""
    entry = WhisperSent(usr="Ann", msg="psst", id="w", at=5, to="Bob", subject_id=1, seq=seq)
    pending = PendingWhisper(room_id=room_id, entry=entry, sender_id=1, target_id=2, users=USERS)
    return StoreCall(None, plan=mail_tells.whisper(pending))


def carried(
    logs: dict[int, Sequence[Entry]] | None = None,
    told: Sequence[SystemEntry] = (),
    head: int = 0,
    others: Sequence[Job] = (),
) -> CarriedRows:
    """Return what a transaction sends that has stored entries."""
    batch: list[Job] = [
        pending_entry(room_id, entry)
        for room_id, entries in (logs or {}).items()
        for entry in entries
    ]
    encoded = encode(SENDER, [*batch, *others], told, head)
    assert encoded is not None
    return decode(encoded)


class RowTests(SynchronousTestCase):
    """What is sent of a transaction."""

    @given(ENTRIES)
    def test_an_entry_arrives_as_it_was_stored(self, entry: Entry) -> None:
        numbered(entry, 3)
        if isinstance(entry, GuestMessage):
            entry.subject_id, entry.usr = 7, "Guest"
        [row] = carried({1: [entry]}).logs[1]
        self.assertEqual(entry_of(row, "Garden"), entry)

    def test_what_there_is_to_say_of_a_message_arrives(self) -> None:
        full: dict[str, Any] = {
            "room_name": "Garden",
            "usr": "Ann",
            "msg": "hello",
            "id": "m",
            "at": 5,
            "seq": 7,
            "subject_id": 3,
            "changed": 8,
            "edited": 8,
            "deleted": Deletion("Bob", "rude"),
            "reactions": (Reaction("👍", 2, ("Ann", "Bob")),),
            "reply": ReplyTo(2, "Bob"),
            "style": "action",
            "pinned": True,
            "guest": True,
            "root": 1,
        }
        self.assertEqual(full.keys(), {field.name for field in attrs.fields(AnnotatedMessage)})
        [row] = carried({1: [AnnotatedMessage(**full)]}).logs[1]
        self.assertEqual(entry_of(row, "Garden"), AnnotatedMessage(**full))

    def test_only_what_is_stored_is_sent(self) -> None:
        failed = pending_entry(1, said(5))
        failed.error = NotStored()
        refused = whisper(4, 1)
        refused.error = NotStored()
        others = [failed, pending_entry(1, message()), refused, StoreCall(None), whisper(3, 2)]
        found = carried({1: [said(4)], 2: [said(1), said(2)]}, others=others)
        self.assertEqual(found.heads, {1: 4, 2: 2, 3: 2})
        self.assertEqual(found.node_id, SENDER)

    def test_entries_of_the_system_log_are_numbered_up_to_its_end(self) -> None:
        found = carried(told=[AccountEnded(4), AccountEnded(5)], head=11)
        self.assertEqual((found.system_first, found.heads), (10, {SYSTEM_ID: 11}))

    def test_too_much_is_not_sent(self) -> None:
        for length, fits in ((MAX_BYTES - 400, True), (MAX_BYTES, False)):
            long = attrs.evolve(said(1), msg="x" * length)
            batch = [pending_entry(1, long)]
            found = encode(SENDER, batch, [], 0)
            self.assertEqual(found is not None, fits)
            self.assertLessEqual(len(found or b""), MAX_BYTES)
        many = [pending_entry(1, said(n + 1, "")) for n in range(2_000)]
        self.assertIsNone(encode(SENDER, many, [], 0))
        self.assertIsNone(encode(SENDER, [], [RoomAdded(1, "", "x" * MAX_BYTES)], 1))

    @given(st.lists(st.integers(1, 5), max_size=4))
    def test_rows_that_do_not_follow_each_other_are_refused(self, seqs: list[int]) -> None:
        rows = tuple(read_row_of(said(seq)) for seq in seqs)
        follow = bool(seqs) and seqs == list(range(seqs[0], seqs[0] + len(seqs)))
        if follow:
            self.assertEqual(CarriedRows(SENDER, {1: rows}).heads, {1: seqs[-1]})
        else:
            self.assertRaises(ValueError, CarriedRows, SENDER, {1: rows})


class FittingTests(SynchronousTestCase):
    """What a node delivers that knows room 1 up to entry 3, and the system log up to entry 7."""

    def setUp(self) -> None:
        self.known = Known()
        self.known.begin([record(1, 3)], 7)

    def fit(self, *args: Any, **options: Any) -> Fitting:
        return find_fitting(carried(*args, **options), self.known, HERE)

    def assertRead(self, found: Fitting, missing: dict[int, int]) -> None:
        """Assert that nothing is delivered, and what has to be read."""
        foreign = found.foreign
        self.assertEqual((foreign.entries, foreign.system), ({}, ()))
        self.assertEqual((found.system, found.missing), (None, missing))

    def test_what_follows_is_delivered(self) -> None:
        found = self.fit({1: [said(4), said(5)]})
        [entries] = found.foreign.entries.values()
        self.assertEqual(
            [(one.seq, one.room_name) for one in entries], [(4, "Room 1"), (5, "Room 1")]
        )
        self.assertEqual((found.system, found.missing), (None, {}))

    @given(st.integers(1, 7), st.integers(1, 3))
    def test_rows_are_delivered_exactly_if_the_one_before_is_known(
        self, first: int, n: int
    ) -> None:
        found = self.fit({1: [said(first + index) for index in range(n)]})
        last = first + n - 1
        self.assertEqual(1 in found.foreign.entries, first == 4)
        self.assertEqual(found.missing, {1: last} if last > 3 and first != 4 else {})

    @given(st.integers(1, 10), st.integers(1, 3))
    def test_so_are_entries_of_the_system_log(self, first: int, n: int) -> None:
        last = first + n - 1
        found = self.fit(told=[AccountEnded(first + index) for index in range(n)], head=last)
        delivered = [entry.account_id for _, entry in found.foreign.system]  # type: ignore[union-attr]
        self.assertEqual(delivered, list(range(8, last + 1)) if first == 8 else [])
        self.assertEqual(found.system, last if first == 8 else None)
        self.assertEqual(found.missing, {SYSTEM_ID: last} if last > 7 and first != 8 else {})

    def test_rows_of_rooms_that_are_not_followed_are_dropped(self) -> None:
        self.assertRead(self.fit({2: [said(1)]}), {})
        created, added = numbered(room_created("Attic"), 1), RoomAdded(2, "attic", "Attic")
        found = self.fit({2: [created, said(2)]}, [added, AccountEnded(1)], 9)
        self.assertEqual(found.foreign.entries, {})
        self.assertEqual(found.foreign.system, ((SENDER, added), (SENDER, AccountEnded(1))))
        self.assertEqual((found.system, found.missing), (9, {}))

    def test_a_direct_message_comes_with_its_entry(self) -> None:
        told = [DirectEntry(5, 2, USERS)]
        found = self.fit({}, told, 8, others=[whisper(5, 2)])
        entry = found.foreign.directs[(5, 2)]
        self.assertEqual((type(entry), entry.msg), (MessageSent, "psst"))  # type: ignore[attr-defined]
        self.assertEqual((found.foreign.entries, found.system), ({}, 8))
        for others in ([], [whisper(5, 1)], [whisper(5, 3)], [whisper(6, 2)]):
            self.assertRead(self.fit({}, told, 8, others=others), {SYSTEM_ID: 8})

    def test_a_room_is_deleted_after_its_last_entries(self) -> None:
        gone = RoomGone(1, "Ann", {})
        found = self.fit({1: [said(4)]}, [gone], 8)
        self.assertEqual(list(found.foreign.entries), [1])
        self.known.took(found.foreign, found.system)
        self.assertEqual((self.known.rooms, self.known.system), ({}, 8))

    def test_another_node_takes_over_the_guests_of_a_node(self) -> None:
        guest = StoredGuest(Account(5, "Cat", "cat", False), "192.0.2.1", True)
        found = self.fit(told=[NodeGone(4, (guest,))], head=8)
        self.assertEqual(found.foreign.system, ((SENDER, NodeGone(4)),))

    def test_kinds_of_newer_programs_are_passed_over_in_the_system_log(self) -> None:
        rows = CarriedRows(SENDER, {}, (("new", "{}"), ("account_ended", '{"account_id":1}')), 8)
        found = find_fitting(rows, self.known, HERE)
        self.assertEqual((found.foreign.system, found.system), (((SENDER, AccountEnded(1)),), 9))

    def test_what_is_not_understood_is_read(self) -> None:
        row: Any = list(read_row_of(said(4)))
        for column, value in ((1, "new"), (10, "{"), (10, '{"reply":5}')):
            strange = (*row[:column], value, *row[column + 1 :])
            found = find_fitting(CarriedRows(SENDER, {1: (strange,)}), self.known, HERE)
            self.assertRead(found, {1: 4})
        told = (("room_added", "{}"),)
        found = find_fitting(CarriedRows(SENDER, {}, told, 8), self.known, HERE)
        self.assertRead(found, {SYSTEM_ID: 8})

    @given(st.data())
    def test_in_any_order_and_twice_each_entry_is_delivered_once(self, data: st.DataObject) -> None:
        self.known.begin([record(1, 3)], 7)
        sent = [carried({1: [said(seq)]}) for seq in range(1, 9)]
        delivered: list[int] = []
        for rows in data.draw(st.lists(st.sampled_from(sent), max_size=30)):
            found = find_fitting(rows, self.known, HERE)
            self.known.took(found.foreign, found.system)
            delivered += (one.seq for one in found.foreign.entries.get(1, ()))
        self.assertEqual(delivered, list(range(4, 4 + len(delivered))))
