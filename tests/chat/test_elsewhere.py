"""Who is online in the whole chat: here, at other nodes, at several of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import partial
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat.elsewhere import Elsewhere
from gtchat.chat.events import LoggedIn, LoggedOut, PresenceChanged
from gtchat.chat.names import MANY_NAMES
from gtchat.chat.presence import PRESENCE_SINGLE_LIMIT, Presence
from gtchat.chat.subscribers import Subscribers
from tests.fakes import RecordingConnection, RecordingEncoder

NAMES = {1: "ann", 2: "bob", 3: "eve"}
HERE = 0
NODES = (HERE, 7, 8)

#: (node, accounts that came, accounts that went); None for both: the node has ended.
STEPS = st.lists(
    st.tuples(
        st.sampled_from(NODES),
        st.one_of(
            st.none(),
            st.tuples(st.sets(st.sampled_from([*NAMES])), st.sets(st.sampled_from([*NAMES]))),
        ),
    ),
    max_size=12,
)


class RecordingAnnouncements:
    """A store that records what other nodes are told."""

    def __init__(self) -> None:
        self.told: list[tuple[dict[int, str], set[int]]] = []

    def announce(self, came: Mapping[int, str], went: Collection[int]) -> None:
        self.told.append((dict(came), set(went)))


class PresenceWorld:
    """A `Presence`, its only subscriber, and where each account is online by the test's count."""

    def __init__(self) -> None:
        self.clock, self.store = Clock(), RecordingAnnouncements()
        subscribers, self.connection = Subscribers(), RecordingConnection()
        subscribers.add(self)  # type: ignore[arg-type]
        store: Any = self.store
        self.presence = Presence(store, self.clock, lambda: 0, subscribers)
        self.places: dict[int, set[int]] = {account_id: set() for account_id in NAMES}

    encoder = RecordingEncoder()

    def come(self, node: int, accounts: Collection[int]) -> None:
        """Bring accounts online at a node."""
        if node != HERE:
            self.presence.came_elsewhere(node, {one: NAMES[one] for one in accounts})
        for account_id in accounts:
            if node == HERE and HERE not in self.places[account_id]:
                self.presence.came(account_id, NAMES[account_id])
            self.places[account_id].add(node)

    def go(self, node: int, accounts: Collection[int]) -> None:
        """Take accounts offline at a node."""
        if node != HERE:
            self.presence.went_elsewhere(node, accounts)
        for account_id in accounts:
            if node == HERE and HERE in self.places[account_id]:
                self.presence.went(account_id, NAMES[account_id])
            self.places[account_id].discard(node)

    def end(self, node: int) -> None:
        """End a node; this one only loses all sessions."""
        if node == HERE:
            self.go(HERE, [*NAMES])
        else:
            self.presence.node_gone(node)
        for places in self.places.values():
            places.discard(node)

    @property
    def online(self) -> set[int]:
        """The accounts that are online anywhere."""
        return {account_id for account_id, places in self.places.items() if places}

    def events(self) -> list[tuple[type, str]]:
        """Take the events that were sent."""
        events: Any = self.connection.events
        self.connection.events = []
        return [(type(event), event.usr) for event in events]


class WholeChat(SynchronousTestCase):
    @given(STEPS)
    def test_the_first_login_and_the_last_logout_are_told(
        self, steps: list[tuple[int, tuple[set[int], set[int]] | None]]
    ) -> None:
        world = PresenceWorld()
        for node, step in steps:
            world.clock.advance(1)
            changes = [partial(world.end, node)]
            if step is not None:
                changes = [partial(world.come, node, step[0]), partial(world.go, node, step[1])]
            for change in changes:
                before = world.online
                change()
                after = world.online
                told = [(LoggedIn, NAMES[one]) for one in after - before]
                told += [(LoggedOut, NAMES[one]) for one in before - after]
                self.assertCountEqual(world.events(), told)
                names = sorted(NAMES[one] for one in after)
                self.assertEqual(world.presence.online.page(None, 9), names)
                for account_id in NAMES:
                    is_online = world.presence.is_online(account_id)
                    self.assertEqual(is_online, account_id in after)
                    name = NAMES[account_id] if world.places[account_id] - {HERE} else None
                    self.assertEqual(world.presence.elsewhere.name(account_id), name)

    def test_accounts_that_are_online_at_the_start_are_no_news(self) -> None:
        world = PresenceWorld()
        world.presence.begin([(1, "ann", (7,)), (2, "bob", (7, 8))])
        self.assertEqual(world.presence.online.page(None, 9), ["ann", "bob"])
        world.presence.node_gone(7)
        self.assertEqual(world.events(), [(LoggedOut, "ann")])
        world.presence.node_gone(8)
        self.assertEqual(world.events(), [(LoggedOut, "bob")])

    def test_a_node_that_ends_is_told_in_few_events(self) -> None:
        """Of many users and of few; those who are elsewhere too stay, and the name `u0` stays."""
        for count in (MANY_NAMES - 1, MANY_NAMES):
            world = PresenceWorld()
            names = {number: f"u{number}" for number in range(count + 2)}
            world.presence.begin([(one, name, (7,)) for one, name in names.items()])
            world.presence.came_elsewhere(8, {1: "u1", 1000: "u0"})
            world.events()
            world.clock.advance(1)
            world.presence.node_gone(7)
            self.assertEqual(world.presence.online.page(None, 9), ["u0", "u1"])
            world.clock.advance(1)
            *single, rest = world.connection.events
            self.assertEqual(len(single), PRESENCE_SINGLE_LIMIT)
            assert isinstance(rest, PresenceChanged)
            self.assertEqual(len(rest.logouts), count - PRESENCE_SINGLE_LIMIT)

    def test_a_name_that_has_gone_to_another_account_is_online(self) -> None:
        """The logout of a temporary user comes after the login of the next one of the name."""
        world = PresenceWorld()
        world.presence.came_elsewhere(7, {1: "gus"})
        world.presence.came_elsewhere(8, {2: "gus"})
        world.events()
        world.presence.went_elsewhere(7, [1])
        self.assertEqual(world.events(), [])
        self.assertEqual(world.presence.online.page(None, 9), ["gus"])

    def test_what_is_cleared_is_forgotten_without_a_word(self) -> None:
        world = PresenceWorld()
        world.presence.came(1, "ann")
        world.presence.came_elsewhere(7, {2: "bob"})
        for number in range(PRESENCE_SINGLE_LIMIT):
            world.presence.came_elsewhere(8, {10 + number: f"u{number}"})
        world.events()
        world.presence.clear()
        world.clock.advance(2)
        self.assertEqual((len(world.presence.online), world.connection.events), (0, []))
        self.assertEqual((world.presence.is_online(1), 2 in world.presence.elsewhere), (False,) * 2)
        self.assertEqual((world.store.told, world.clock.getDelayedCalls()), ([], []))


class Announcements(SynchronousTestCase):
    def test_a_turn_is_announced_once_with_what_holds_at_its_end(self) -> None:
        world = PresenceWorld()
        world.come(HERE, [1, 2])
        world.go(HERE, [2])
        world.come(HERE, [3])
        self.assertEqual(world.store.told, [])
        world.clock.advance(0)
        self.assertEqual(world.store.told, [({1: "ann", 3: "eve"}, {2})])
        world.go(HERE, [1])
        world.clock.advance(0)
        self.assertEqual(world.store.told[1:], [({}, {1})])
        self.assertEqual(world.clock.getDelayedCalls(), [])

    def test_what_other_nodes_tell_is_not_told_back(self) -> None:
        world = PresenceWorld()
        world.come(7, [1])
        world.end(7)
        world.clock.advance(0)
        self.assertEqual(world.store.told, [])


class ElsewhereTwice(SynchronousTestCase):
    def test_what_is_told_twice_changes_nothing(self) -> None:
        elsewhere = Elsewhere()
        self.assertEqual(elsewhere.came(7, {1: "ann"}), {1: "ann"})
        self.assertEqual(elsewhere.came(7, {1: "ann"}), {})
        self.assertEqual(elsewhere.came(8, {1: "ann"}), {})
        self.assertEqual(elsewhere.went(7, [1, 1, 2]), {})
        self.assertEqual(elsewhere.went(9, [1]), {})
        self.assertIn(1, elsewhere)
        self.assertEqual(elsewhere.node_gone(8), {1: "ann"})
        self.assertEqual(elsewhere.node_gone(8), {})
        self.assertNotIn(1, elsewhere)
