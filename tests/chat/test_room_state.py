"""`RoomState.fold`: what entries change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat.events import (
    Entry,
    Joined,
    Kicked,
    Left,
    MessageSent,
    Removed,
    RoomChanged,
    RoomCreated,
)
from gtchat.chat.ownership import RoomSettings
from tests.chat.room_world import HeldMemoryStore, World, folded

#: Account id -> name.
NAMES = {1: "ann", 2: "bob", 3: "eve", 4: "gus"}


def entry(kind: type[Entry], name: str = "ann", known: bool = True, **fields: Any) -> Entry:
    """Return an entry about a user, with the account unless the log does not name it."""
    subject_id = next(one for one in NAMES if NAMES[one] == name) if known else None
    if kind in (Kicked, Removed):
        fields = {"by": "ann", **fields}
    if kind in (RoomCreated, RoomChanged):
        fields = {"public": True, "topic": "", "max": 0, "owner": name, **fields}
    return kind(room_name="r", usr=name, subject_id=subject_id, at=1, **fields)


created = entry(RoomCreated)


def numbered(log: Sequence[Entry]) -> list[Entry]:
    """Return entries with their seqs."""
    return [attrs.evolve(one, seq=seq) for seq, one in enumerate(log, 1)]


class Folding(SynchronousTestCase):
    """What each kind of entry changes."""

    def members(self, *log: Entry) -> list[tuple[int, str]]:
        return list(folded(numbered(log)).members.items())

    def test_a_new_room_has_its_creator_as_owner_and_first_member(self) -> None:
        state = folded([entry(RoomCreated, "bob", topic="x", max=7, public=False)])
        self.assertEqual((state.public, state.topic, state.max), (False, "x", 7))
        self.assertEqual((state.owner_id, state.owner, state.creator_id), (2, "bob", 2))
        self.assertEqual((state.members, state.guests), ({2: "bob"}, set()))

    def test_members_are_in_the_order_of_joining(self) -> None:
        log = [created, entry(Joined, "eve"), entry(Joined, "bob")]
        self.assertEqual([name for _, name in self.members(*log)], ["ann", "eve", "bob"])
        log += [entry(Left, "ann"), entry(Joined, "ann"), entry(Joined, "eve")]
        self.assertEqual([name for _, name in self.members(*log)], ["eve", "bob", "ann"])

    def test_each_end_of_a_membership_removes_the_member(self) -> None:
        for kind in (Left, Kicked, Removed):
            log = [created, entry(Joined, "bob"), entry(kind, "bob"), entry(kind, "eve")]
            self.assertEqual(self.members(*log), [(1, "ann")])

    def test_temporary_members_are_told_apart(self) -> None:
        log = [entry(RoomCreated, "gus", guest=True), entry(Joined, "bob")]
        self.assertEqual(folded(log).guests, {4})
        self.assertEqual(list(folded(log).registered_members), [2])
        self.assertEqual(folded([*log, entry(Left, "gus")]).guests, set())

    def test_an_owner_need_not_be_a_member(self) -> None:
        log = [created, entry(RoomChanged, "bob"), entry(RoomChanged, known=False, owner="")]
        self.assertEqual((folded(log[:2]).owner_id, folded(log[:2]).owner), (2, "bob"))
        self.assertEqual((folded(log).owner_id, folded(log).owner), (None, ""))

    def test_a_message_changes_nothing(self) -> None:
        state = folded([created])
        state.list_entry = b"kept"
        undo = state.fold(entry(MessageSent, msg="x", id="1"))
        undo()
        self.assertEqual(state.list_entry, b"kept")


class UnknownAccounts(SynchronousTestCase):
    """Entries of before they named accounts: temporary users have names only."""

    def test_a_member_without_an_account_has_minus_the_seq_of_the_entry(self) -> None:
        log = numbered([created, entry(Joined, "bob"), entry(Joined, "gus", known=False)])
        state = folded(log)
        self.assertEqual(list(state.members), [1, 2, -3])
        self.assertEqual(state.guests, {-3})

    def test_joining_again_changes_nothing(self) -> None:
        joined = entry(Joined, "gus", known=False)
        self.assertEqual(list(folded(numbered([created, joined, joined])).members), [1, -2])

    def test_the_end_of_a_membership_is_found_by_name(self) -> None:
        log = [created, entry(Joined, "gus", known=False), entry(Joined, "bob")]
        for end in (entry(Left, "gus", known=False), entry(Left, "gus")):
            self.assertEqual(list(folded(numbered([*log, end])).members), [1, 2])

    def test_a_member_whose_account_is_known_is_not_found_by_name(self) -> None:
        log = [created, entry(Joined, "bob"), entry(Left, "bob", known=False)]
        self.assertEqual(list(folded(numbered(log)).members), [1, 2])

    def test_the_account_comes_before_the_name(self) -> None:
        log = [created, entry(Joined, "gus", known=False), entry(Joined, "gus"), entry(Left, "gus")]
        self.assertEqual(list(folded(numbered(log)).members), [1, -2])

    def test_a_creator_without_an_account_owns_the_room(self) -> None:
        state = folded(numbered([entry(RoomCreated, "gus", known=False)]))
        self.assertEqual((state.members, state.guests), ({-1: "gus"}, {-1}))
        self.assertEqual((state.owner_id, state.owner, state.creator_id), (-1, "gus", None))

    def test_an_owner_who_is_no_member_has_no_id(self) -> None:
        state = folded(numbered([created, entry(RoomChanged, "gus", known=False)]))
        self.assertEqual((state.owner_id, state.owner), (None, "gus"))


class Failures(SynchronousTestCase):
    """Changes that are not stored, while others wait for their results."""

    def setUp(self) -> None:
        clock = Clock()
        self.world = World(HeldMemoryStore(clock), clock)
        self.membership = self.world.chat.membership
        self.start("create", "ann", self.membership.create, RoomSettings())
        for name in ("bob", "eve", "gus"):
            self.start("join", name, self.membership.join)
        self.room = self.world.chat.rooms.find("a")

    def start(self, what: str, name: str, method: Any, *args: Any, wait: bool = False) -> None:
        """Begin a request of a user about room `a`; let it finish unless it has to `wait`."""
        session = self.world.session(name)
        assert session is not None
        self.world.start(what, method(session, "a", *args))
        if not wait:
            self.world.settle()

    def names(self) -> list[str]:
        """Return the members of the room, in order."""
        return list(self.room.members.values())

    def test_a_member_who_could_not_leave_is_in_the_same_place(self) -> None:
        self.start("leave", "bob", self.membership.leave, wait=True)
        self.assertEqual(self.names(), ["ann", "eve", "gus"])
        self.world.do_batch(1, failing=True)
        self.assertEqual(self.names(), ["ann", "bob", "eve", "gus"])
        self.world.check()

    def test_a_later_change_stays_when_an_earlier_one_fails(self) -> None:
        change = self.membership.change
        self.world.store.failing = [True, False, True]
        self.start("set", "ann", change, RoomSettings(max=9), None, wait=True)
        self.start("set", "ann", change, RoomSettings(topic="x"), None, wait=True)
        self.start("set", "ann", change, RoomSettings(topic="y"), None)
        self.assertEqual((self.room.topic, self.room.max), ("x", 9))
        self.world.check()

    def test_all_that_failed_is_taken_back_before_the_first_error_is_reported(self) -> None:
        seen: list[list[str]] = []
        for name in ("bob", "eve"):
            session = self.world.session(name)
            assert session is not None
            leaving = Deferred.fromCoroutine(self.membership.leave(session, "a"))
            leaving.addErrback(lambda _: seen.append(self.names()))
        self.world.do_batch(2, failing=True)
        self.assertEqual(seen, [["ann", "bob", "eve", "gus"]] * 2)

    def test_a_connection_that_is_lost_while_its_user_leaves_is_forgotten(self) -> None:
        for failing in (True, False):
            self.start("kick", "ann", self.world.chat.room_bans.kick, "bob", wait=True)
            bob = self.world.session("bob")
            assert bob is not None
            self.world.chat.sessions.connection_lost(bob, clean=False)
            self.world.do_batch(1, failing)
            self.world.settle()
            self.world.check()
            self.world.log_in("bob")
            self.world.settle()
            self.world.check()

    def test_a_login_while_the_user_is_kicked_keeps_the_room_if_that_fails(self) -> None:
        bob = self.world.session("bob")
        assert bob is not None
        self.world.chat.sessions.connection_lost(bob, clean=False)
        self.world.settle()
        self.world.log_in("bob")
        self.world.do_batch(0)
        self.start("kick", "ann", self.world.chat.room_bans.kick, "bob", wait=True)
        self.world.do_batch(0)
        self.world.do_batch(len(self.world.store.held) - 1)
        self.assertEqual(self.names(), ["ann", "eve", "gus"])
        self.world.do_batch(1, failing=True)
        self.assertEqual(self.names(), ["ann", "bob", "eve", "gus"])
        self.world.check()

    def test_a_guest_who_ends_owns_nothing_though_the_hand_over_had_failed(self) -> None:
        self.start("hand over", "ann", self.membership.change, RoomSettings(), "gus")
        self.world.store.failing = [False, True]
        self.start("remove", "gus", self.membership.remove, "gus")
        self.assertEqual((self.room.owner, self.names()), ("gus", ["ann", "bob", "eve"]))
        gus = self.world.session("gus")
        assert gus is not None
        self.world.start("log out", self.world.chat.sessions.logout(gus))
        self.world.settle()
        self.assertEqual(self.room.owner, "ann")
        self.world.check()

    def test_a_guest_who_leaves_a_room_while_ending_leaves_it_once(self) -> None:
        ann, gus = self.world.session("ann"), self.world.session("gus")
        assert ann is not None and gus is not None
        self.world.start("create", self.membership.create(ann, "b", RoomSettings()))
        self.world.settle()
        self.world.start("join", self.membership.join(gus, "b"))
        self.world.settle()
        self.world.start("log out", self.world.chat.sessions.logout(gus))
        while not self.room.queued:
            self.world.do_batch(1)
        self.world.start("leave", self.membership.leave(gus, "b"))
        self.world.settle()
        log = self.world.read_log(self.world.chat.rooms.find("b"))
        self.assertEqual([one.kind for one in log], ["room_created", "join_room", "leave_room"])
        self.assertIsNone(self.world.chat.users.get("gus"))
        self.world.check()

    def test_who_was_about_to_leave_a_room_that_is_deleted_is_not_in_it(self) -> None:
        membership = self.membership
        self.start("delete", "ann", membership.delete, wait=True)
        # The request was made before, and its rules were checked.
        bob = membership._users.get("bob")
        assert bob is not None
        left = membership._end_membership(self.room, membership._left(self.room, bob), None)
        self.world.start("leave", left)
        self.assertEqual(self.names(), ["ann", "eve", "gus"])
        self.world.settle()
        self.assertEqual(self.names(), ["ann", "bob", "eve", "gus"])
        self.assertEqual(self.world.outcomes["leave", "ok"], 1)
        self.world.check()
