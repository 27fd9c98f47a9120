"""The bus of nodes: its payloads, and what two of them hear of each other."""

from __future__ import annotations

from collections.abc import Mapping
from threading import Event
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface.verify import verifyObject

from gtchat.chat.events import BroadcastSent, ReadMarked
from gtchat.chat.relay import (
    BroadcastMade,
    DirectTyping,
    IRelay,
    ReadMoved,
    Relayed,
    RoomTyping,
)
from gtchat.store.notifying import INotifier
from gtchat.store.sql import bus, bus_payloads
from tests import postgres

if postgres.MISSING is None:
    import psycopg

    from gtchat.store.sql.bus import PgBus
    from gtchat.store.sql.bus_payloads import (
        MAX_EVENTS,
        MAX_PAYLOADS,
        MAX_ROOMS,
        PAYLOAD_BYTES,
        Parts,
        decoded,
        event_payloads,
        rooms_payloads,
    )
    from gtchat.store.sql.postgres import PostgresDatabase

#: Seconds that a test waits for what has to come, however busy the machine is.
SECONDS = 60
IDS = st.integers(1, 2**63 - 1)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=40)
EVENTS: st.SearchStrategy[Relayed] = st.one_of(
    st.builds(RoomTyping, IDS, IDS, TEXTS),
    st.builds(DirectTyping, IDS, IDS, TEXTS),
    st.builds(
        ReadMoved, IDS, IDS, IDS, st.builds(ReadMarked, at=IDS, room_name=TEXTS, read_seq=IDS)
    ),
    st.builds(BroadcastMade, st.builds(BroadcastSent, at=IDS, usr=TEXTS, msg=TEXTS)),
)


def broadcast(text: str) -> BroadcastMade:
    return BroadcastMade(BroadcastSent(at=1, usr="Ann", msg=text))


class PayloadTests(SynchronousTestCase):
    """What is sent, without a database."""

    if postgres.MISSING:
        skip = postgres.MISSING

    def put_together(self, payloads: list[str]) -> Any:
        parts = Parts()
        found = [one if one[0] != "p" else parts.add("b", one[1:]) for one in payloads]
        self.assertEqual([one for one in found[:-1] if one], [])
        return decoded(str(found[-1]))

    @given(EVENTS)
    def test_an_event_arrives_as_it_was_sent(self, event: Relayed) -> None:
        self.assertEqual(self.put_together(event_payloads(event, 1)), event)

    @given(st.integers(0, 5), st.sampled_from('aä€😀\n"\\'))
    def test_a_long_event_is_sent_in_parts(self, thousands: int, character: str) -> None:
        event = broadcast(character * 1000 * thousands + "end")
        payloads = event_payloads(event, 7)
        for payload in payloads:
            self.assertLessEqual(len(f"{2**63:x} {payload}".encode()), PAYLOAD_BYTES)
        self.assertEqual(self.put_together(payloads), event)

    def test_a_part_that_is_lost_loses_its_event_only(self) -> None:
        first, second = (event_payloads(broadcast(text * 20_000), n) for n, text in enumerate("ab"))
        self.assertEqual((len(first), len(second)), (3, 3))
        parts = Parts()
        others = event_payloads(broadcast("c" * 20_000), 1)
        for lost in range(3):
            sent = [one for at, one in enumerate(first) if at != lost]
            self.assertEqual([parts.add("b", one[1:]) for one in sent], [None, None])
        found = [
            (parts.add("b", one[1:]), parts.add("other", two[1:]))
            for one, two in zip(second, others, strict=True)
        ]
        self.assertEqual([bool(one) and bool(two) for one, two in found], [False, False, True])

    @given(st.dictionaries(IDS, IDS, max_size=30))
    def test_rooms_arrive_as_they_were_sent(self, heads: dict[int, int]) -> None:
        found: dict[int, int] = {}
        for payload in rooms_payloads(heads):
            part = decoded(payload)
            assert isinstance(part, dict)
            found.update(part)
        self.assertEqual(found, heads)

    def test_more_rooms_than_four_payloads_have_are_all_rooms(self) -> None:
        count, heads = 0, {2**63 - 1: 2**63 - 1}
        while (payloads := rooms_payloads(heads)) != ["*"]:
            count = len(payloads)
            self.assertLessEqual(max(map(len, payloads)), PAYLOAD_BYTES - 17)
            heads.update({2**63 - len(heads) - n: 2**63 - 1 for n in range(1, 101)})
        self.assertEqual(count, MAX_PAYLOADS)
        self.assertGreater(len(heads), 600)


class Waited(Event):
    """An event that notes how long it is waited for, and does not wait."""

    def __init__(self, pauses: list[float]) -> None:
        super().__init__()
        self._pauses = pauses

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self._pauses.append(timeout)
        return False


class BusCase(TestCase):
    """Buses on one database, and what each has heard."""

    if postgres.MISSING:
        skip = postgres.MISSING

    url = ""

    def setUp(self) -> None:
        if not self.url:
            type(self).url = postgres.create_empty()
        self.heard: list[tuple[str, Mapping[int, int] | None]] = []
        self.relayed: list[tuple[str, Relayed]] = []
        self._waiting: list[tuple[Any, Deferred[None]]] = []

    async def begin(self, name: str, options: str = "") -> PgBus:
        """Return a bus that listens."""
        made = PgBus(reactor, PostgresDatabase(self.url + options))
        made.received = lambda heads: self.note(self.heard, (name, heads))
        made.relay.received = lambda event: self.note(self.relayed, (name, event))
        made.start()
        self.addCleanup(made.stop)
        await self.until(lambda: (name, None) in self.heard)
        return made

    def note(self, notes: list[Any], note: Any) -> None:
        notes.append(note)
        for condition, waiting in list(self._waiting):
            if condition():
                self._waiting.remove((condition, waiting))
                waiting.callback(None)

    async def until(self, condition: Any) -> None:
        """Wait until something that is heard makes a condition true."""
        if not condition():
            waiting: Deferred[None] = Deferred()
            self._waiting.append((condition, waiting))
            await waiting.addTimeout(SECONDS, reactor)

    async def both(self, options: tuple[str, str] = ("", "")) -> tuple[PgBus, PgBus]:
        a, b = await self.begin("a", options[0]), await self.begin("b", options[1])
        self.heard.clear()
        return a, b


class BusTests(BusCase):
    async def test_it_is_a_notifier_and_has_a_relay(self) -> None:
        a, b = await self.both()
        verifyObject(INotifier, a)
        verifyObject(IRelay, a.relay)

    async def test_others_hear_what_was_written_and_a_node_not_itself(self) -> None:
        a, b = await self.both()
        a.notify({7: 3, 8: 4})
        await self.until(lambda: ("b", {7: 3, 8: 4}) in self.heard)
        b.notify({9: 1})
        await self.until(lambda: ("a", {9: 1}) in self.heard)
        self.assertEqual(len(self.heard), 2)

    async def test_events_are_relayed_in_order(self) -> None:
        a, b = await self.both()
        events: list[Relayed] = [
            RoomTyping(1, 2, "Ann"),
            broadcast("long " * 5000),
            DirectTyping(1, 2, "Zoë"),
            ReadMoved(1, 2, 3, ReadMarked(at=1, room_name="tea", read_seq=3)),
        ]
        for event in events:
            a.relay.send(event)
        await self.until(lambda: len(self.relayed) == len(events))
        self.assertEqual(self.relayed, [("b", event) for event in events])

    async def test_what_is_not_understood_is_dropped(self) -> None:
        await self.both()
        with psycopg.connect(self.url, autocommit=True) as db:
            channel = db.execute(bus._CHANNEL).fetchone()[0]  # type: ignore[index]
            strange = ["", "x", "x y", "x r", 'x r{"a":1}', "x e", 'x e["new",{}]', "x pa b c d"]
            strange += ["x p1 2", 'x e["broadcast",{}]', "x q", "x e[[],{}]", 'x r{"5":6}']
            for payload in strange:
                db.execute("SELECT pg_notify(%s, %s)", (channel, payload))
        await self.until(lambda: len(self.heard) == 2)
        self.assertEqual(sorted(self.heard), [("a", {5: 6}), ("b", {5: 6})])
        self.assertEqual(self.relayed, [])

    async def test_it_listens_and_sends_again_when_it_is_cut(self) -> None:  # H25
        a, b = await self.both()
        self.cut()
        await self.until(lambda: {("a", None), ("b", None)} <= set(self.heard))
        self.heard.clear()
        # What is sent over a connection that is lost is not lost: all rooms are looked at.
        a.notify({7: 3})
        await self.until(lambda: self.heard)
        self.assertIn(self.heard[0], [("b", None), ("b", {7: 3})])
        self.heard.clear()
        a.notify({7: 4})
        await self.until(lambda: ("b", {7: 4}) in self.heard)

    def cut(self) -> None:
        """Let PostgreSQL end all connections."""
        with psycopg.connect(self.url, autocommit=True) as db:
            db.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )

    async def test_it_goes_on_after_a_bug(self) -> None:
        self.patch(bus, "RETRY_S", 0.001)
        a, b = await self.both()
        bugs = iter([ZeroDivisionError] * 3)
        fail = self.patch(bus_payloads, "rooms_payloads", lambda heads: 1 / 0)
        a.notify({7: 3})
        # What was to be sent is not known any more: all rooms are looked at.
        await self.until(lambda: ("b", None) in self.heard)
        fail.restore()
        real = bus._Listener.work

        def work(listener: Any, *args: Any) -> None:
            if bug := next(bugs, None):
                raise bug
            real(listener, *args)

        self.patch(bus._Listener, "work", work)
        self.heard.clear()
        self.cut()
        await self.until(lambda: {("a", None), ("b", None)} <= set(self.heard))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 4)
        self.heard.clear()
        a.notify({7: 4})
        await self.until(lambda: self.heard)

    async def test_the_pause_after_bugs_grows_to_a_bound(self) -> None:
        a = PgBus(reactor, PostgresDatabase(self.url))
        sender = a._sender
        pauses: list[float] = []
        self.patch(sender, "work", lambda *_: 1 / 0)
        self.patch(sender, "_is_stopped", Waited(pauses))
        for _ in range(12):
            sender._try()
        self.assertEqual(pauses[:3], [bus.RETRY_S, 2 * bus.RETRY_S, 4 * bus.RETRY_S])
        self.assertEqual(max(pauses), bus.MAX_RETRY_S)
        # After it has worked for long it is a new failure.
        now = iter((0.0, 2 * bus.MAX_RETRY_S))
        self.patch(bus.time, "monotonic", lambda: next(now))  # type: ignore[attr-defined]
        sender._try()
        self.assertEqual(pauses[-1], bus.RETRY_S)
        await deferLater(reactor, 0)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 13)

    async def test_chats_in_two_schemas_do_not_hear_each_other(self) -> None:
        with psycopg.connect(self.url, autocommit=True) as db:
            db.execute("CREATE SCHEMA other")
        a, b = await self.both(("", "&options=-csearch_path%3Dother"))
        c = await self.begin("c")
        self.heard.clear()
        b.notify({1: 1})
        c.notify({2: 2})
        await self.until(lambda: ("a", {2: 2}) in self.heard)
        d = await self.begin("d", "&options=-csearch_path%3Dother")
        d.notify({3: 3})
        await self.until(lambda: ("b", {3: 3}) in self.heard)
        self.assertNotIn(("a", {1: 1}), self.heard)
        self.assertNotIn(("a", {3: 3}), self.heard)

    async def test_what_waits_to_be_sent_has_a_bound(self) -> None:
        a = PgBus(reactor, PostgresDatabase(self.url))
        sender = a._sender
        for number in range(2 * MAX_EVENTS):
            a.relay.send(RoomTyping(number, 1, "Ann"))
        heads = dict.fromkeys(range(MAX_ROOMS), 1)
        a.notify(heads)
        payloads = sender._take()
        rooms = [f"{a._id} {one}" for one in rooms_payloads(heads)]
        self.assertEqual(payloads[:-MAX_EVENTS], rooms)
        a.notify(dict.fromkeys(range(MAX_ROOMS + 1), 1))
        a.notify({1: 1})
        self.assertEqual(sender._take(), [f"{a._id} *"])

    async def test_what_waits_at_the_end_is_sent(self) -> None:
        a, b = await self.both()
        a.notify({7: 3})
        a.stop()
        await self.until(lambda: ("b", {7: 3}) in self.heard)

    async def test_it_stops_at_once(self) -> None:
        self.patch(bus, "WAIT_S", 1000)
        a, b = await self.both()
        await gatherResults([a.stop(), b.stop()])
        b.notify({1: 1})
        b.relay.send(RoomTyping(1, 1, "Ann"))
        await PgBus(reactor, PostgresDatabase(self.url)).stop()
        self.assertEqual(self.heard, [])
