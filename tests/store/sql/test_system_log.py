"""The system log: each entry is read as it was written, by the nodes that have to read it."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat.ban_records import Ban
from gtchat.chat.events import InvitationEnded, InviteAnswered, Invited, NotifySet
from gtchat.chat.interfaces import Account, Inviter, PhoneAccount, StoredGuest
from gtchat.chat.moderation_events import ReportAnswered, ReportMade
from gtchat.chat.node_records import (
    SYSTEM_TYPES,
    AccountEnded,
    AccountRenamed,
    AddressAnswered,
    AddressAsked,
    BanAdded,
    BanRemoved,
    BlockChanged,
    ChoiceMade,
    DirectEntry,
    EpochBegun,
    InvitationsEnded,
    MemberJoined,
    NodeGone,
    Online,
    OperatorSet,
    RoomAdded,
    RoomGone,
    RoomListing,
    SessionsEnded,
    SystemEntry,
)
from gtchat.chat.told import Told
from gtchat.store.sql import system_log
from gtchat.store.sql.system_log import Outrun, decode, encode, merge_presence
from tests import postgres

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
ID = st.integers(1, 2**63 - 1)
TOKEN = st.binary(min_size=32, max_size=32)
ENDED = st.dictionaries(
    ID, st.lists(st.builds(Inviter, st.none() | ID, TEXT), max_size=3), max_size=3
)
USER = st.tuples(ID, TEXT)
GUEST = st.builds(
    StoredGuest, st.builds(Account, ID, TEXT, TEXT, st.just(False)), TEXT, st.booleans()
)
#: Class -> entries of it.
ENTRIES: dict[type[Any], st.SearchStrategy[Any]] = {
    RoomAdded: st.builds(
        RoomAdded, ID, TEXT, TEXT, st.booleans(), TEXT, st.booleans(), st.none() | ID, TEXT, ID
    ),
    RoomListing: st.builds(
        RoomListing,
        ID,
        TEXT,
        TEXT,
        ID,
        st.booleans(),
        st.booleans(),
        TEXT,
        TEXT,
        st.booleans(),
        ID,
    ),
    MemberJoined: st.builds(MemberJoined, ID, ID, ID),
    RoomGone: st.builds(RoomGone, ID, TEXT, ENDED, TEXT, TEXT, st.booleans()),
    InvitationsEnded: st.builds(InvitationsEnded, ID, ENDED, TEXT),
    SessionsEnded: st.builds(SessionsEnded, ID, st.none() | st.frozensets(TOKEN), TEXT, TEXT),
    Online: st.builds(Online, st.dictionaries(ID, TEXT), st.lists(ID).map(tuple)),
    BlockChanged: st.builds(BlockChanged, ID, ID, TEXT, st.booleans()),
    DirectEntry: st.builds(DirectEntry, ID, ID, st.tuples(USER, USER)),
    Told: st.builds(
        Told,
        ID,
        st.one_of(
            st.builds(Invited, at=ID, room_name=TEXT, usr=TEXT, msg=TEXT),
            st.builds(InviteAnswered, at=ID, room_name=TEXT, usr=TEXT, reply=TEXT),
            st.builds(InvitationEnded, at=ID, room_name=TEXT, usr=TEXT),
            st.builds(
                NotifySet, at=ID, room_name=TEXT, target_user=TEXT, direct=st.just(0), level=TEXT
            ),
        ),
        st.none() | ID,
    ),
    AccountEnded: st.builds(AccountEnded, ID),
    AccountRenamed: st.builds(AccountRenamed, ID, TEXT, TEXT),
    OperatorSet: st.builds(OperatorSet, ID, st.booleans()),
    BanAdded: st.builds(
        BanAdded,
        st.builds(Ban, ID, TEXT, TEXT, st.none() | ID, TEXT, TEXT, ID, st.none() | ID),
    ),
    BanRemoved: st.builds(BanRemoved, ID),
    ReportMade: st.builds(
        ReportMade,
        at=ID,
        report_id=ID,
        room_name=TEXT,
        usr=TEXT,
        of=ID,
        by=TEXT,
        reason=TEXT,
        subject_id=st.none() | ID,
        log_id=ID,
        to_operators=st.booleans(),
    ),
    ReportAnswered: st.builds(
        ReportAnswered, at=ID, report_id=ID, room_name=TEXT, usr=TEXT, of=ID, outcome=TEXT
    ),
    ChoiceMade: st.builds(ChoiceMade, TEXT, st.none() | TEXT),
    EpochBegun: st.builds(EpochBegun, TEXT),
    AddressAsked: st.builds(AddressAsked, ID, TEXT, TOKEN, ID, ID),
    AddressAnswered: st.builds(AddressAnswered, ID, ID, TEXT, ID, TEXT, st.integers(0, 65535)),
    PhoneAccount: st.builds(PhoneAccount, ID, TEXT, TEXT, ID),
    NodeGone: st.builds(NodeGone, ID, st.lists(GUEST, max_size=2).map(tuple)),
}


class BodyTests(SynchronousTestCase):
    def test_every_kind_is_read_as_it_was_written(self) -> None:
        self.assertEqual(set(ENTRIES), set(SYSTEM_TYPES.values()))
        for type_, entries in ENTRIES.items():

            @settings(deadline=None, max_examples=15)
            @given(entries)
            def check(entry: SystemEntry) -> None:
                kind, body = encode(entry)
                self.assertIs(SYSTEM_TYPES[kind], type(entry))
                self.assertEqual(decode(kind, body), entry)
                # PostgreSQL keeps no zero bytes in text.
                self.assertNotIn("\0", body)

            with self.subTest(type_=type_):
                check()


class PresenceTests(SynchronousTestCase):
    def test_all_that_come_and_go_are_one_entry(self) -> None:
        ended = AccountEnded(9)
        table: list[tuple[list[SystemEntry], list[SystemEntry]]] = [
            ([], []),
            ([ended], [ended]),
            ([Online({1: "Ann"})], [Online({1: "Ann"})]),
            (
                [Online({1: "Ann"}), ended, Online({2: "Bob"})],
                [Online({1: "Ann", 2: "Bob"}), ended],
            ),
            ([Online({1: "Ann"}), Online({}, (1,))], [Online({}, (1,))]),
            ([Online({}, (1, 2)), Online({1: "Ann"})], [Online({1: "Ann"}, (2,))]),
            ([ended, Online({}, (3, 2))], [ended, Online({}, (2, 3))]),
        ]
        for entries, merged in table:
            self.assertEqual(merge_presence(entries), merged)


class LogTests(SynchronousTestCase):
    """Entries in a database."""

    if postgres.MISSING:
        skip = postgres.MISSING

    def setUp(self) -> None:
        self.database = postgres.QuickDatabase()
        self.db: Any = self.database.open_writer()
        self.addCleanup(self.db.close)
        self.db.execute("BEGIN")
        self.addCleanup(self.db.execute, "ROLLBACK")

    def test_entries_have_the_next_numbers(self) -> None:
        self.assertEqual(system_log.head(self.db), 0)
        gone = NodeGone(4, (StoredGuest(Account(1, "Ann", "ann", False), "", True),))
        last = system_log.append_system(self.db, 1, [AccountEnded(1), AccountEnded(2)], 5)
        self.assertEqual(last, 2)
        self.assertEqual(system_log.append_system(self.db, 2, [gone], 6, 2), 3)
        self.assertEqual(system_log.head(self.db), 3)
        rows = self.db.execute("SELECT seq, node_id, at FROM system_log ORDER BY seq").fetchall()
        self.assertEqual(rows, [(1, 1, 5), (2, 1, 5), (3, 2, 6)])

    def test_a_node_hears_what_others_wrote_and_of_all_that_are_gone(self) -> None:
        guest = StoredGuest(Account(1, "Ann", "ann", False), "", True)
        system_log.append_system(self.db, 1, [AccountEnded(1)], 5)
        system_log.append_system(self.db, 2, [AccountEnded(2), NodeGone(4, (guest,))], 5)
        self.assertEqual(
            system_log.read(self.db, 1, 0, 3),
            [(2, AccountEnded(2)), (2, NodeGone(4))],
        )
        # The node that the entry names takes over the guests.
        self.assertEqual(
            system_log.read(self.db, 2, 0, 3),
            [(1, AccountEnded(1)), (2, NodeGone(4, (guest,)))],
        )
        self.assertEqual(system_log.read(self.db, 1, 1, 2), [(2, AccountEnded(2))])

    def test_kinds_that_only_newer_programs_know_are_left_out(self) -> None:
        system_log.append_system(self.db, 1, [AccountEnded(each) for each in range(3)], 5)
        self.db.execute("UPDATE system_log SET kind = 'newer' WHERE seq = 2")
        self.assertEqual(
            system_log.read(self.db, 2, 0, 3), [(1, AccountEnded(0)), (1, AccountEnded(2))]
        )

    def test_entries_that_are_not_kept_are_missed(self) -> None:
        system_log.append_system(self.db, 1, [AccountEnded(each) for each in range(3)], 5)
        self.db.execute("DELETE FROM system_log WHERE seq = 1")
        self.assertRaises(Outrun, system_log.read, self.db, 2, 0, 3)
        self.assertEqual(len(system_log.read(self.db, 2, 1, 3)), 2)
