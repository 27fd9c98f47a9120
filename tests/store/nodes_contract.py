"""What every store does for several nodes: with one that is alone, and with two."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs
from twisted.internet.defer import Deferred

from gtchat.chat.errors import (
    BadSession,
    LockedOut,
    NameTaken,
    NotInRoom,
    NotStored,
    Stale,
    TxnConflict,
)
from gtchat.chat.events import Entry, WhisperSent
from gtchat.chat.interfaces import (
    EndedSession,
    Foreign,
    HistoryQuery,
    PendingEntry,
    PendingWhisper,
    StoredState,
    WhisperLimits,
)
from gtchat.chat.node_records import (
    AddressAsked,
    FailureCount,
    MemberJoined,
    NodeGone,
    Online,
    RoomAdded,
    RoomGone,
    RoomListing,
    SessionsEnded,
)
from gtchat.chat.retention import Keep, Retention
from gtchat.chat.room_records import RoomRecord
from tests.store.contract import (
    NETWORK,
    StoreCase,
    joined,
    left,
    message,
    new_session,
    pending_entry,
    room_changed,
    room_created,
)

TOKEN = b"t" * 32
OTHER = b"o" * 32
#: Milliseconds.
HOUR = 3_600_000


class NodesContract(StoreCase):
    """A node that is the only one."""

    async def test_one_node_hears_nothing_foreign(self) -> None:
        heard: list[Foreign | StoredState | None] = []
        self.store.foreign = self.store.restored = heard.append
        self.store.lost = lambda: heard.append(None)
        ann = await self.account("Ann")
        bob = await self.store.login_guest("Bob", "bob", new_session(TOKEN))
        garden = await self.room(ann)
        self.append(garden, joined("Bob"), bob)
        self.append(garden, message(), ann)
        self.store.announce({ann: "Ann"}, [bob])
        await self.store.delete_room(garden, 5)
        await self.store.end_session(EndedSession(bob, TOKEN, {}), 6)
        await self.store.catch_up()
        self.assertEqual(heard, [])

    def test_catch_up_of_one_node_fires_at_once(self) -> None:
        self.append(self.lobby, message())
        self.assertIsNone(self.successResultOf(self.store.catch_up()))
        self.assertEqual(self.calls, [])

    async def test_one_node_has_no_others(self) -> None:
        self.assertFalse(await self.store.has_others())

    def test_what_one_node_tells_waits_for_nothing(self) -> None:
        self.append(self.lobby, message())
        told = self.store.tell(AddressAsked(1, "Ann", TOKEN, 2, 3))
        self.assertIsNone(self.successResultOf(told))
        self.assertEqual(self.calls, [])

    async def test_begin_ending_ends_the_sessions_of_a_guest(self) -> None:
        ann = await self.account("Ann")
        bob = await self.store.login_guest("Bob", "bob", new_session(TOKEN))
        cat = await self.store.login_guest("Cat", "cat", new_session(OTHER))
        rooms = [await self.room(ann, name) for name in ("Garden", "Attic")]
        for room in reversed(rooms):
            await self.stored(room, joined("Bob"), bob)
        self.assertEqual(await self.store.begin_ending(bob), tuple(sorted(rooms)))
        await self.assertFails(self.store.resume(TOKEN, 2, 0, {}, 0, 1, NETWORK), BadSession)
        resumed = await self.store.resume(OTHER, 2, 0, {}, 0, 1, NETWORK)
        self.assertEqual(resumed.account_state.account.id, cat)
        self.assertEqual(await self.store.begin_ending(bob), tuple(sorted(rooms)))

    async def test_begin_ending_leaves_other_accounts_alone(self) -> None:
        ann = await self.account("Ann")
        await self.store.login(ann, "hash", new_session(TOKEN))
        self.assertIsNone(await self.store.begin_ending(ann))
        self.assertIsNone(await self.store.begin_ending(99))
        resumed = await self.store.resume(TOKEN, 2, 0, {}, 0, 1, NETWORK)
        self.assertEqual(resumed.account_state.account.id, ann)

    async def test_find_guest(self) -> None:
        await self.account("Ann")
        bob = await self.store.login_guest("Bob", "bob", new_session(TOKEN))
        await self.store.resume(TOKEN, 2, 0, {}, 0, 1, "198.51.100.1")
        await self.store.session_lost(EndedSession(bob, TOKEN, {}), 3)
        guest = await self.store.find_guest("bob")
        account = await self.store.find_account("bob", None)
        self.assertEqual(guest.account, account)
        self.assertEqual((guest.network, guest.resumable), ("198.51.100.1", True))
        await self.store.begin_ending(bob)
        self.assertFalse((await self.store.find_guest("bob")).resumable)
        self.assertIsNone(await self.store.find_guest("ann"))
        self.assertIsNone(await self.store.find_guest("cat"))


class Side:
    """One of several nodes, and what it delivers.

    Args:
        store: its store; it is loaded.

    Attributes:
        delivered: in order: what is foreign, and the entries of this node that have a result.
        lost: how often the node was lost.
    """

    def __init__(self, store: Any) -> None:
        self.store = store
        self.delivered: list[Foreign | PendingEntry] = []
        self.lost = 0
        store.foreign = self.delivered.append
        store.committed = self.delivered.extend
        store.lost = self._lose
        self.state: StoredState = store.load()

    def _lose(self) -> None:
        self.lost += 1

    def append(
        self, room_id: int, entry: Entry, subject: int | None = None, **options: Any
    ) -> PendingEntry:
        """Queue an entry about an account, which is the sender if there is a txn."""
        entry.subject_id = subject
        if options.get("txn"):
            options["sender_id"] = subject
        pending = pending_entry(room_id, entry, **options)
        self.store.append(pending)
        return pending

    async def stored(self, *args: Any, **options: Any) -> PendingEntry:
        """Store an entry, with the arguments of `append`."""
        pending = self.append(*args, **options)
        await self.store.flush()
        assert pending.error is None, pending.error
        return pending

    async def account(self, name: str) -> int:
        """Register an account and return its id."""
        return await self.store.register(name, name.lower(), "hash", None, 100)

    async def room(self, owner: int, name: str = "Garden") -> int:
        """Create a room and return its id."""
        pending = await self.stored(0, room_created(name), owner, room_key=name.lower())
        return pending.room_id

    async def follow(self, room_id: int) -> None:
        """Bring a room into memory, as a login of one of its members does."""
        await self.store.load_rooms([room_id])

    def loaded(self) -> list[RoomRecord]:
        """Return the records that came into memory so far."""
        return [room for one in self.delivered if isinstance(one, Foreign) for room in one.loaded]

    async def heard(self, *rooms: int) -> list[Foreign]:
        """Return what was foreign so far, after catching up with rooms."""
        await self.store.catch_up(rooms)
        return [one for one in self.delivered if isinstance(one, Foreign)]

    async def heard_of(self, room_id: int) -> list[Entry]:
        """Return the foreign entries of a room so far, after catching up."""
        return [
            entry for one in await self.heard(room_id) for entry in one.entries.get(room_id, ())
        ]

    async def told(self, *kinds: type[Any]) -> list[Any]:
        """Return the system entries of some kinds so far, after catching up."""
        told = [entry for one in await self.heard() for _, entry in one.system]
        return [entry for entry in told if isinstance(entry, kinds)]


class NodesCase:
    """Two nodes on one database; for a TestCase that has `open_nodes`.

    `open_nodes()` returns two stores that are not loaded yet. `expire(by, gone)` ends a node; only
    `EndedNodeContract` needs it.
    """

    timeout = 60

    def setUp(self) -> None:
        stores = self.open_nodes()
        for store in stores:
            self.addCleanup(store.close)
        self.first, self.second = map(Side, stores)
        self.lobby = self.first.state.rooms[0].id


class SeveralNodesContract(NodesCase):
    """The logs of rooms at two nodes, and what both can do only once."""

    async def test_entries_come_to_the_other_node_in_order_and_once(self) -> None:
        ann = await self.first.account("Ann")
        for number in range(5):
            self.first.append(self.lobby, message(str(number)), ann)
            await self.first.store.flush()
            if number % 2:
                await self.second.store.catch_up((self.lobby,))
        heard = await self.second.heard_of(self.lobby)
        self.assertEqual([(one.seq, one.msg) for one in heard], [(n + 1, str(n)) for n in range(5)])
        self.assertEqual([one.subject_id for one in heard], [ann] * 5)
        self.assertEqual(await self.first.heard(), [])

    async def test_foreign_entries_come_before_own_results(self) -> None:
        ann = await self.first.account("Ann")
        await self.first.stored(self.lobby, message("first"), ann)
        own = await self.second.stored(self.lobby, message("second"), ann)
        foreign, result = self.second.delivered
        self.assertEqual([one.msg for one in foreign.entries[self.lobby]], ["first"])
        self.assertIs(result, own)
        self.assertEqual(own.entry.seq, 2)

    async def cut(self, at: int) -> None:
        """Have the first node remove all but the newest message of each log."""
        store = self.first.store
        await store.prune(0, 0, 0, retention=Retention(at, Keep(messages=1)))
        cleanup = getattr(store, "_cleanup", None)
        while cleanup is not None and cleanup.has_work():
            await store.flush()

    async def test_a_node_goes_on_with_a_room_of_which_another_one_removes_entries(self) -> None:
        ann, bob = await self.first.account("Ann"), await self.first.account("Bob")
        garden = await self.first.room(ann)
        await self.second.follow(garden)
        await self.first.stored(garden, joined("Bob"), bob)
        for text in "abc":
            await self.first.stored(garden, message(text), bob)
        await self.second.heard(garden)
        await self.cut(HOUR + 1001)
        page = await self.second.store.history(garden, HistoryQuery())
        self.assertEqual((page.first, page.last), (5, 5))
        await self.second.stored(garden, message("d"), bob)
        await self.first.stored(garden, message("e"), bob)
        seqs = [one.seq for one in await self.second.heard_of(garden)]
        self.assertEqual(seqs, [2, 3, 4, 5, 7])
        await self.second.stored(garden, left("Bob"), bob)
        await self.second.store.release({garden: self.second.loaded()[-1].loads})
        await self.second.follow(garden)
        room = self.second.loaded()[-1]
        self.assertEqual((room.last_seq, room.message_count, len(room.members)), (8, 5, 1))

    async def test_what_a_node_has_still_to_read_is_not_removed(self) -> None:
        ann = await self.first.account("Ann")
        garden = await self.first.room(ann)
        await self.second.follow(garden)
        for text in "abc":
            await self.first.stored(garden, message(text), ann)
        await self.cut(HOUR + 1000)
        seqs = [one.seq for one in await self.second.heard_of(garden)]
        self.assertEqual(seqs, [2, 3, 4])

    async def test_a_room_is_told_and_followed_once_it_is_in_memory(self) -> None:
        ann, bob = await self.first.account("Ann"), await self.first.account("Bob")
        garden = await self.first.room(ann)
        await self.first.stored(garden, joined("Bob"), bob)
        told = await self.second.told(RoomAdded, MemberJoined)
        added = RoomAdded(garden, "garden", "Garden", True, "plants", False, ann, "Ann", 900)
        self.assertEqual(told, [added, MemberJoined(garden, bob, 2)])
        self.assertEqual(await self.second.heard_of(garden), [])
        await self.second.follow(garden)
        await self.first.stored(garden, message(), bob)
        self.assertEqual([one.seq for one in await self.second.heard_of(garden)], [3])
        [room] = self.second.loaded()
        self.assertEqual((room.last_seq, room.foreign), (2, 0))
        self.assertEqual([name for _, name, _ in room.members], ["Ann", "Bob"])

    async def test_a_room_that_is_asked_for_again_comes_behind_what_was_missing(self) -> None:
        ann, bob = await self.first.account("Ann"), await self.first.account("Bob")
        garden = await self.first.room(ann)
        await self.second.follow(garden)
        await self.first.stored(garden, joined("Bob"), bob)
        await self.second.follow(garden)
        first, second = self.second.loaded()
        entries = [one.entries.get(garden, ()) for one in self.second.delivered]
        heard = [entry.seq for each in entries for entry in each]
        self.assertEqual((heard, second.last_seq, second.foreign), ([2], 2, 1))
        self.assertGreater(second.loads, first.loads)

    async def test_a_room_that_was_released_is_heard_no_more(self) -> None:
        ann = await self.first.account("Ann")
        garden = await self.first.room(ann)
        await self.second.follow(garden)
        await self.second.follow(garden)
        old, new = self.second.loaded()
        await self.second.store.release({garden: old.loads})  # it was asked for again since
        await self.first.stored(garden, message(), ann)
        self.assertEqual([one.seq for one in await self.second.heard_of(garden)], [2])
        await self.second.store.release({garden: new.loads, 10**6: 1})
        await self.first.stored(garden, message(), ann)
        self.assertEqual([one.seq for one in await self.second.heard_of(garden)], [2])

    async def test_a_room_that_was_created_here_is_released(self) -> None:
        ann = await self.first.account("Ann")
        garden = await self.first.room(ann)
        await self.first.store.release({garden: 0})
        await self.second.stored(garden, message(), ann)
        self.assertEqual(await self.first.heard_of(garden), [])

    async def test_entries_since_a_membership_end_where_the_pushes_begin(self) -> None:
        ann, bob = await self.first.account("Ann"), await self.first.account("Bob")
        garden = await self.first.room(ann)
        await self.first.stored(garden, joined("Bob"), bob)
        await self.first.stored(garden, message(), ann)
        entries = await self.second.store.entries_since(garden, 2, 9)
        self.assertEqual([one.seq for one in entries], [2, 3])
        self.assertEqual([one.last_seq for one in self.second.loaded()], [3])
        entries = await self.second.store.entries_since(garden, 2, 1)
        self.assertEqual([one.seq for one in entries], [2])
        own = self.second.append(garden, message(), ann)
        entries = await self.second.store.entries_since(garden, 3, 9)
        self.assertEqual([one.seq for one in entries], [3, own.entry.seq])
        for room_id, seq in ((garden, 9), (10**6, 1)):
            self.assertEqual(list(await self.second.store.entries_since(room_id, seq, 9)), [])

    async def test_settings_of_public_rooms_and_deletions_are_told(self) -> None:
        ann, bob = await self.first.account("Ann"), await self.first.account("Bob")
        garden = await self.first.room(ann)
        await self.first.stored(garden, joined("Bob"), bob)
        for public in (False, False, True):
            changed = attrs.evolve(room_changed(owner="Bob"), public=public)
            await self.first.stored(garden, changed, bob)
        listing = RoomListing(garden, "garden", "Garden", 3, True, False, "plants", "Bob", False, 2)
        again = attrs.evolve(listing, seq=5, was_public=False, public=True)
        self.assertEqual(await self.second.told(RoomListing), [listing, again])
        for _ in range(2):
            await self.first.store.delete_room(garden, 5, by="Bob")
        gone = await self.second.told(RoomGone)
        self.assertEqual(gone, [RoomGone(garden, "Bob", {}, "garden", "Garden", True)])

    async def test_requests_for_addresses_are_told_in_one_order(self) -> None:
        asked = [AddressAsked(number, "Ann", TOKEN, 2, 3) for number in (1, 2)]
        await self.first.store.tell(asked[0])
        await self.second.store.tell(asked[1])
        self.assertEqual(await self.first.told(AddressAsked), [asked[1]])
        self.assertEqual(await self.second.told(AddressAsked), [asked[0]])

    async def test_a_change_on_a_state_that_has_changed_is_stale(self) -> None:
        ann, bob = await self.first.account("Ann"), await self.first.account("Bob")
        garden = await self.first.room(ann)
        await self.second.follow(garden)
        await self.first.stored(garden, joined("Bob"), bob, checked=0)
        stale = self.second.append(garden, joined("Bob"), bob, checked=0)
        changed = self.second.append(garden, room_changed(owner="Bob"), bob, checked=None)
        await self.second.store.flush()
        self.assertIsInstance(stale.error, Stale)
        self.assertEqual((stale.entry.seq, changed.entry.seq), (0, 3))
        # The change that was not stored counts, too.
        again = await self.second.stored(garden, left("Bob"), bob, checked=2)
        self.assertEqual(again.entry.seq, 4)

    async def test_own_changes_that_were_not_stored_make_later_ones_stale(self) -> None:
        ann, bob = await self.first.account("Ann"), await self.first.account("Bob")
        garden = await self.first.room(ann)
        await self.second.follow(garden)
        await self.first.stored(garden, joined("Bob"), bob)
        order: list[object] = []
        self.second.store.failed = order.append
        self.second.store.committed = order.extend
        refused = self.second.append(garden, room_changed(owner="Ann"), ann, checked=0)
        # Its rules have seen all that is foreign, and the change before it, which is not stored.
        later = self.second.append(garden, room_changed(owner="Bob"), bob, checked=1)
        said = self.second.append(garden, message(), bob, checked=1)
        await self.second.store.flush()
        self.assertEqual([type(one.error) for one in (refused, later)], [Stale, Stale])
        # What was not stored comes before all results of the batch.
        self.assertEqual((order, said.error), ([[refused, later], refused, later, said], None))
        # All of a batch count once.
        self.assertIsInstance((await self.change(garden, ann, 1)).error, Stale)
        self.assertIsNone((await self.change(garden, ann, 3)).error)

    async def change(self, room_id: int, account_id: int, checked: int) -> PendingEntry:
        """Queue a change whose rules have seen so many surprises, and wait for its result."""
        entry = room_changed(owner="Ann")
        pending = self.second.append(room_id, entry, account_id, checked=checked)
        await self.second.store.flush()
        return pending

    async def test_messages_make_nothing_stale(self) -> None:
        ann, bob = await self.first.account("Ann"), await self.first.account("Bob")
        garden = await self.first.room(ann)
        await self.second.follow(garden)
        await self.first.stored(garden, message(), ann)
        entered = await self.second.stored(garden, joined("Bob"), bob, checked=0)
        self.assertEqual(entered.entry.seq, 3)

    async def test_a_message_of_a_former_member_is_refused(self) -> None:
        ann, bob = await self.first.account("Ann"), await self.first.account("Bob")
        garden = await self.first.room(ann)
        await self.first.stored(garden, joined("Bob"), bob)
        await self.second.follow(garden)
        await self.first.stored(garden, left("Bob"), bob)
        refused = self.second.append(garden, message("1"), bob, checked=0)
        kept = self.second.append(garden, message("2"), ann, checked=0)
        in_lobby = self.second.append(self.lobby, message("3"), bob, checked=0)
        await self.second.store.flush()
        self.assertIsInstance(refused.error, NotInRoom)
        self.assertEqual((kept.error, in_lobby.error), (None, None))
        self.assertEqual((kept.entry.seq, in_lobby.entry.seq), (4, 1))

    async def test_the_same_txn_at_two_nodes_is_done_once(self) -> None:
        ann, bob = await self.first.account("Ann"), await self.first.account("Bob")
        garden = await self.first.room(ann)
        await self.second.follow(garden)
        options = {"txn": "t", "checked": 0, "content": "join"}
        done = self.first.append(garden, joined("Bob"), bob, **options)
        again = self.second.append(garden, joined("Bob"), bob, **options)
        other = {**options, "content": "other"}
        refused = self.second.append(garden, joined("Bob"), bob, **other)
        await self.first.store.flush()
        await self.second.store.flush()
        results = sorted([done.entry.seq, again.entry.seq])
        self.assertEqual(results, [0, 2])
        self.assertTrue((done.earlier or again.earlier).dup)
        self.assertIsInstance(refused.error, TxnConflict)

    async def test_two_first_messages_begin_one_conversation(self) -> None:
        ann, bob = await self.first.account("Ann"), await self.first.account("Bob")
        one, two = (
            PendingWhisper(
                entry=WhisperSent(usr="x", at=1, msg="x", id=f"id {sender}", subject_id=sender),
                sender_id=sender,
                target_id=target,
                users=((sender, "x"), (target, "y")),
            )
            for sender, target in ((ann, bob), (bob, ann))
        )
        acks = [
            self.first.store.whisper(one, WhisperLimits()),
            self.second.store.whisper(two, WhisperLimits()),
        ]
        self.assertEqual(sorted([(await ack).seq for ack in acks]), [1, 2])
        self.assertEqual(one.room_id, two.room_id)

    async def test_names_that_look_alike_are_given_once(self) -> None:
        found = [
            await one.store.register(name, name.lower(), "hash", None, 1).addErrback(
                lambda failure: failure.trap(NameTaken)
            )
            for one, name in ((self.first, "cop"), (self.second, "\u0441\u043e\u0440"))
        ]
        self.assertEqual(found[1], NameTaken)

    async def test_wrong_guesses_of_all_nodes_are_counted_together(self) -> None:
        keys = ("ann", NETWORK), ("ann", ""), ("", NETWORK)
        sides = [self.first.store, self.second.store]

        def add(counts: Sequence[FailureCount]) -> tuple[int, list[FailureCount]]:
            return len(counts), [FailureCount(one.failures + 1, 50) for one in counts]

        for number, counting in enumerate(
            [each.count_failures(keys, 9, add) for each in sides * 2]
        ):
            result, count = await counting
            self.assertEqual((result, count.until), (3, 50))
            self.assertLessEqual(count.failures, 4, number)
        found: list[Sequence[FailureCount]] = []

        def refuse(counts: Sequence[FailureCount]) -> tuple[None, list[FailureCount]]:
            found.append(counts)
            raise LockedOut()

        with self.assertRaises(LockedOut):
            await sides[1].count_failures(keys, 9, refuse)
        self.assertEqual(list(found[-1]), [FailureCount(4, 50)] * 3)

        def forget_first(counts: Sequence[FailureCount]) -> tuple[None, list[FailureCount]]:
            return None, [FailureCount(), *counts[1:]]

        await sides[0].count_failures(keys, 9, forget_first)
        with self.assertRaises(LockedOut):
            await sides[1].count_failures(keys, 9, refuse)
        self.assertEqual(list(found[-1]), [FailureCount(), *[FailureCount(4, 50)] * 2])

    async def test_a_login_has_what_was_stored_before_it(self) -> None:
        ann, bob = await self.first.account("Ann"), await self.first.account("Bob")
        garden = await self.first.room(ann)
        await self.first.stored(garden, joined("Bob"), bob)
        await self.first.stored(self.lobby, message("x"), ann)
        state = await self.second.store.login(bob, "hash", new_session(TOKEN))
        self.assertIn(garden, [one.room_id for one in state.memberships])
        heard = [one.entries for one in self.second.delivered]
        for room_id, seqs in ((garden, []), (self.lobby, [1])):
            found = [entry.seq for entries in heard for entry in entries.get(room_id, ())]
            self.assertEqual(found, seqs)
        self.assertEqual([(one.id, one.last_seq) for one in self.second.loaded()], [(garden, 2)])
        resumed = await self.first.store.resume(TOKEN, 2, 0, {garden: 1}, 0, 9, NETWORK)
        self.assertEqual([one.seq for one in resumed.missed[garden].entries], [2])


class MovingContract(NodesCase):
    """Who is connected to which node, and what happens when a node ends."""

    async def test_who_is_online_is_told_and_loaded(self) -> None:
        ann, bob = await self.first.account("Ann"), await self.first.account("Bob")
        self.first.store.announce({ann: "Ann", bob: "Bob"}, [])
        await self.first.store.flush()
        self.first.store.announce({}, [bob])
        for _ in range(2):  # what is announced meanwhile may be told in a write of its own
            await self.first.store.flush()
        came = [(one.came, tuple(one.went)) for one in await self.second.told(Online)]
        online: dict[int, str] = {}
        for names, went in came:
            online |= names
            for account_id in went:
                online.pop(account_id, None)
        self.assertEqual(online, {ann: "Ann"})
        self.assertEqual(await self.first.told(Online), [])

    async def test_a_session_is_at_the_node_where_it_went_on_last(self) -> None:
        ann = await self.first.account("Ann")
        await self.first.store.login(ann, "hash", new_session(TOKEN))
        await self.second.store.resume(TOKEN, 2, 0, {}, 0, 1, NETWORK)
        await self.first.store.session_lost(EndedSession(ann, TOKEN, {}), 3)
        (listed,) = await self.second.store.sessions(ann, 0, 0)
        self.assertIsNone(listed.seen_at)
        await self.second.store.session_lost(EndedSession(ann, TOKEN, {}), 4)
        (listed,) = await self.second.store.sessions(ann, 0, 0)
        self.assertEqual(listed.seen_at, 4)

    async def test_all_sessions_end_wherever_they_are(self) -> None:
        ann = await self.first.account("Ann")
        await self.first.store.login(ann, "hash", new_session(TOKEN))
        await self.second.store.login(ann, "hash", new_session(OTHER))
        end = self.second.store.end_other_sessions
        self.assertEqual(await end(ann, None, (), 5, "kicked"), {TOKEN, OTHER})
        self.assertEqual(await end(ann, None, (), 6, "kicked"), frozenset())  # none was stored
        told = [SessionsEnded(ann, None, "kicked")] * 2
        self.assertEqual(await self.first.told(SessionsEnded), told)
        self.assertEqual(await self.second.told(SessionsEnded), [])
        with self.assertRaises(BadSession):
            await self.first.store.resume(TOKEN, 7, 0, {}, 0, 1, NETWORK)

    async def test_a_guest_is_ended_by_a_node_only_if_connected_at_no_other(self) -> None:
        gus = await self.first.store.login_guest("Gus", "gus", new_session(TOKEN))
        self.first.store.announce({gus: "Gus"}, [])
        await self.first.store.flush()
        self.assertIsNone(await self.second.store.begin_ending(gus))
        self.assertIsNone(await self.second.store.find_guest("gus"))
        self.first.store.announce({}, [gus])
        await self.first.store.session_lost(EndedSession(gus, TOKEN, {}), 3)
        self.assertEqual((await self.second.store.find_guest("gus")).account.id, gus)
        self.assertEqual(await self.second.store.begin_ending(gus), ())
        self.assertEqual(await self.first.store.begin_ending(gus), ())

    async def test_a_guest_who_has_moved_is_ended_before_the_other_node_has_heard_of_it(
        self,
    ) -> None:
        gus = await self.first.store.login_guest("Gus", "gus", new_session(TOKEN))
        self.first.store.announce({gus: "Gus"}, [])
        await self.first.store.flush()
        await self.second.store.resume(TOKEN, 2, 0, {}, 0, 1, NETWORK)
        self.assertEqual(await self.second.store.begin_ending(gus), ())


class EndedNodeContract(NodesCase):
    """A node that others have given up."""

    async def test_the_others_are_those_that_live(self) -> None:
        self.assertTrue(await self.second.store.has_others())
        self.first.store.restored = lambda state: None
        await self.first.store.close()
        self.assertFalse(await self.second.store.has_others())

    async def test_it_is_lost_and_its_sessions_can_be_resumed(self) -> None:
        ann = await self.first.account("Ann")
        await self.first.store.login(ann, "hash", new_session(TOKEN))
        gus = await self.first.store.login_guest("Gus", "gus", new_session(OTHER))
        self.first.store.announce({ann: "Ann", gus: "Gus"}, [])
        await self.first.store.flush()
        await self.second.store.catch_up()
        restored: Deferred[StoredState] = Deferred()
        self.first.store.restored = restored.callback
        await self.expire(self.second.store, self.first.store)
        (gone,) = await self.second.told(NodeGone)
        self.assertEqual([one.account.id for one in gone.guests], [gus])
        (listed,) = await self.second.store.sessions(ann, 0, 0)
        self.assertIsNotNone(listed.seen_at)
        # A node may be back already, as another one.
        late = [] if restored.called else [self.first.append(self.lobby, message(), ann)]
        state = await restored
        for pending in late:
            self.assertIsInstance(pending.error, NotStored)
        self.assertEqual((self.first.lost, state.guests), (1, ()))
        await self.second.store.resume(TOKEN, 2, 0, {}, 0, 1, NETWORK)
        # It works again, as another node.
        await self.second.stored(self.lobby, message("x"), ann)
        own = await self.first.stored(self.lobby, message("y"), ann)
        self.assertEqual(own.entry.seq, 2)
