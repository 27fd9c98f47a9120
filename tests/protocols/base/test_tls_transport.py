"""Connections with TLS on real sockets, step by step; the peer is honest, slow or hostile."""

from __future__ import annotations

import contextlib
import socket
import ssl
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Factory
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from gtchat.chat.limits import Limits
from gtchat.protocols.base import tls_port, tls_transport
from gtchat.protocols.base.outbox import Outbox, WriteBatcher
from gtchat.protocols.base.tls_port import HANDSHAKE_SECONDS, TLSPort
from gtchat.protocols.base.tls_transport import EMPTY_PRICE, READ_BYTES, RecordCounter
from tests import example_count
from tests.e2e.certificate import trusting_all
from tests.protocols.base.tls_pair import (
    ALERT,
    Pair,
    RawClient,
    Recorder,
    SteppedReactor,
    credentials,
)

#: More than the buffers of both sockets hold.
MUCH = 600_000


def content(size: int) -> bytes:
    """Return bytes that are not the same anywhere."""
    return b"".join(number.to_bytes(4, "big") for number in range(size // 4))


def two_versions() -> list[ssl.SSLContext]:
    """Return clients with TLS 1.2 and 1.3."""
    contexts = [trusting_all(), trusting_all()]
    contexts[0].maximum_version = ssl.TLSVersion.TLSv1_2
    return contexts


class Case(SynchronousTestCase):
    def pair(self, *args: Any, **options: Any) -> Pair:
        """Return a pair that is closed at the end."""
        pair = Pair(*args, **options)
        self.addCleanup(pair.close)
        return pair

    def raw(self) -> RawClient:
        """Return a client that writes records itself."""
        client = RawClient()
        self.addCleanup(client.pair.close)
        return client

    def outbox(self, pair: Pair) -> tuple[Outbox, WriteBatcher]:
        """Return an outbox of a connection."""
        batcher = WriteBatcher(pair.reactor, Limits(outbox_bytes=0, unsent_bytes_total=0))
        return Outbox(batcher, pair.transport, lambda: None), batcher


class Greeting(Recorder):
    """A protocol that writes before the handshake."""

    def connectionMade(self) -> None:
        transport: Any = self.transport
        outbox = Outbox(
            WriteBatcher(transport.reactor, Limits(outbox_bytes=0, unsent_bytes_total=0)),
            transport,
            lambda: None,
        )
        transport.write(b"one ")
        transport.writeSequence([b"t", b"wo "])
        outbox.write(b"three ")
        outbox.flush()
        outbox.write(b"four ")
        outbox.flush()
        outbox.close()
        transport.write_direct(b"five ")


class Opening(Case):
    def test_segments_of_any_size_complete_it(self) -> None:
        for context in two_versions():
            for size in (1, 7, 1000):
                pair = self.pair(context=context)
                while True:
                    try:
                        pair.tls.do_handshake()
                        break
                    except ssl.SSLWantReadError:
                        pair.flush(size)
                        pair.reactor.settle()
                        pair.receive(size * 50)
                pair.send(b"data", size)
                pair.reactor.settle()
                self.assertEqual(pair.protocol.received, b"data")

    def test_what_is_written_before_its_end_follows_it_in_order(self) -> None:
        for context in two_versions():
            pair = self.pair(Greeting(), context=context).open()
            self.assertEqual(pair.exchange(), b"one two three four five ")

    def test_what_is_written_before_its_end_is_sent_before_a_close(self) -> None:
        pair = self.pair(Greeting())
        pair.transport.loseConnection()
        self.assertTrue(pair.transport.disconnecting)
        pair.transport.startWriting()  # as if a part of the handshake were sent
        pair.reactor.step()
        pair.open()
        self.assertEqual(pair.exchange(), b"one two three four five ")
        self.assertEqual((pair.ended, pair.at_end()), (True, True))

    def test_an_outbox_holds_frames_until_its_end(self) -> None:
        pair = self.pair()
        outbox, batcher = self.outbox(pair)
        for frame in (b"first ", b"second ", b"third"):
            outbox.write(frame)
            batcher.flush()
        self.assertEqual(outbox.held, len(b"second third"))
        pair.open()
        self.assertEqual(pair.exchange(), b"first second third")
        self.assertEqual(outbox.buffered_bytes, 0)

    def test_a_close_before_its_end_is_immediate_if_nothing_was_written(self) -> None:
        pair = self.pair()
        pair.transport.loseConnection()
        pair.reactor.advance(0)
        self.assertTrue(pair.protocol.lost.check(ConnectionAborted))

    def test_a_client_that_is_not_one_of_tls_is_disconnected(self) -> None:
        for sent, answer in (
            (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b""),
            (b"\x16\x03\x01\x00\x04abcd", bytes([ALERT])),
            (bytes(99), b""),
        ):
            pair = self.pair()
            pair.peer.send(sent)
            pair.reactor.settle()
            self.assertTrue(pair.protocol.lost.check(ConnectionLost), sent)
            self.assertEqual(pair.protocol.received, b"")
            self.assertEqual(pair.receive()[:1], answer, sent)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_its_end_is_acknowledged_at_once(self) -> None:
        pair = self.pair()
        before = list(pair.transport.socket.options)
        pair.open()
        expected = getattr(socket, "TCP_QUICKACK", None)
        found = pair.transport.socket.options[len(before) :]
        self.assertEqual(found, [] if expected is None else [expected])

    def test_it_has_to_end_in_time(self) -> None:
        first = self.pair()
        first.peer.send(b"\x16\x03\x01\x02\x00")
        first.reactor.settle()
        first.reactor.advance(1)
        second, third = (self.pair(port=first.port) for _ in range(2))
        second.open()
        first.reactor.advance(HANDSHAKE_SECONDS - 1)
        first.reactor.advance(0)
        self.assertTrue(first.protocol.lost.check(ConnectionAborted))
        self.assertIsNone(third.protocol.lost)
        first.reactor.advance(1)
        first.reactor.advance(0)
        self.assertTrue(third.protocol.lost.check(ConnectionAborted))
        self.assertIsNone(second.protocol.lost)
        self.assertEqual(first.reactor.getDelayedCalls(), [])

    def test_the_first_one_is_aborted_if_there_are_too_many(self) -> None:
        self.patch(tls_port, "MAX_HANDSHAKES", 2)
        port = TLSPort(credentials(), 0, Factory(), reactor=SteppedReactor())
        self.pair(port=port).open()  # counts no longer
        slow = [self.pair(port=port) for _ in range(5)]
        port.reactor.advance(0)  # type: ignore[attr-defined]
        self.assertEqual([one.protocol.lost is None for one in slow], [False] * 3 + [True] * 2)
        slow[-1].open()

    def test_a_lost_connection_has_no_deadline(self) -> None:
        pair = self.pair()
        pair.peer.close()
        pair.reactor.settle()
        self.assertIsNotNone(pair.protocol.lost)
        self.assertEqual(pair.reactor.getDelayedCalls(), [])


class NeedsRead:
    """TLS that cannot write before it has read.

    Args:
        tls: does all else.
    """

    def __init__(self, tls: ssl.SSLObject) -> None:
        self.read = tls.read

    def write(self, data: bytes) -> int:
        raise ssl.SSLWantReadError


class Writing(Case):
    def test_what_the_kernel_did_not_take_follows_in_order(self) -> None:
        expected = content(MUCH)
        for method in ("write", "write_direct"):
            pair = self.pair().open()
            for start in range(0, MUCH, 50_000):
                getattr(pair.transport, method)(expected[start : start + 50_000])
            self.assertEqual(pair.exchange(), expected, method)

    def test_write_direct_returns_what_is_left(self) -> None:
        pair = self.pair().open()
        self.assertEqual(pair.transport.write_direct(b"x"), 0)
        left = pair.transport.write_direct(bytes(MUCH))
        self.assertTrue(0 < left < MUCH, left)
        self.assertEqual(len(pair.exchange()), MUCH + 1)

    def test_an_outbox_is_paused_while_the_kernel_is_full(self) -> None:
        pair, expected = self.pair().open(), content(MUCH)
        outbox, batcher = self.outbox(pair)
        for start in range(0, MUCH, 10_000):
            outbox.write(expected[start : start + 10_000])
        batcher.flush()
        # Encrypted is little more than the kernel took: the outbox can still drop the rest.
        self.assertLess(len(pair.transport.dataBuffer) + pair.transport._tempDataLen, 100_000)
        self.assertGreater(outbox.held, MUCH // 10)
        self.assertEqual(pair.exchange(), expected)
        self.assertEqual(outbox.buffered_bytes, 0)
        outbox.write(b"then")
        batcher.flush()
        self.assertEqual(pair.exchange(), expected + b"then")

    def test_a_frame_does_not_overtake_what_the_kernel_did_not_take(self) -> None:
        pair, expected = self.pair().open(), content(60_000)
        outbox, batcher = self.outbox(pair)
        outbox.write(expected)
        batcher.flush()
        pair.receive()  # now the kernel has room again
        outbox.write(b" then")
        batcher.flush()
        self.assertEqual(pair.exchange(), expected + b" then")

    def test_a_write_that_needs_a_read_waits_for_it(self) -> None:
        """OpenSSL may ask for it. Which peer it takes depends on the version and its settings."""
        pair = self.pair().open()
        tls = pair.transport._tls
        pair.transport._tls = NeedsRead(tls)
        outbox, batcher = self.outbox(pair)
        for frame in (b"first ", b"second"):
            outbox.write(frame)
            batcher.flush()
        pair.transport._tls = tls
        pair.send(b"what it needs")
        self.assertEqual(pair.exchange(), b"first second")
        self.assertEqual(pair.protocol.received, b"what it needs")

    def test_a_small_frame_is_sent_immediately_in_one_record(self) -> None:
        pair = self.pair().open()
        outbox, batcher = self.outbox(pair)
        outbox.write(b"now")
        batcher.flush()
        self.assertLess(len(pair.receive()), 50)
        pair.decrypt()
        self.assertEqual(pair.read, b"now")

    def test_one_frame_of_any_size_is_sent(self) -> None:
        for size in (1, 16_384, 16_385, 32_768, 32_772, 1_000_000):
            pair = self.pair().open()
            outbox, batcher = self.outbox(pair)
            outbox.write(bytes(size))
            batcher.flush()
            self.assertEqual(len(pair.exchange()), size)

    def test_an_outbox_of_a_broken_connection_raises_nothing(self) -> None:
        pair = self.pair().open()
        outbox, batcher = self.outbox(pair)
        pair.peer.close()
        for _ in range(3):
            outbox.write(bytes(100_000))
            batcher.flush()
            pair.reactor.settle()
        self.assertTrue(outbox.closed)
        self.assertIsNotNone(pair.protocol.lost)
        pair.transport.write(b"x")
        self.assertEqual(pair.transport.write_direct(b"x"), 0)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_nothing_is_left_for_another_connection_of_the_port(self) -> None:
        first = self.pair().open()
        second = self.pair(port=first.port).open()
        first.peer.close()
        first.transport.write(b"lost")
        first.reactor.settle()
        first.transport.write(b"after the end")
        second.transport.write(b"kept")
        self.assertEqual(second.exchange(), b"kept")


@implementer(IHalfCloseableProtocol)
class HalfClosing(Recorder):
    """A protocol that answers when the peer has written all."""

    def readConnectionLost(self) -> None:
        transport: Any = self.transport
        transport.write(b"answer to " + self.received)
        transport.loseConnection()

    def writeConnectionLost(self) -> None:
        """Do nothing."""


class Closing(Case):
    def test_all_is_sent_and_then_close_notify_and_the_end(self) -> None:
        expected = content(MUCH)
        for context in two_versions():
            pair = self.pair(context=context).open()
            pair.transport.write(expected)
            pair.transport.loseConnection()
            self.assertEqual(pair.exchange(), expected)
            self.assertEqual((pair.ended, pair.at_end()), (True, True))
            self.assertTrue(pair.protocol.lost.check(ConnectionDone))

    def test_frames_left_in_an_outbox_are_sent_before_the_end(self) -> None:
        pair = self.pair().open()
        outbox, _ = self.outbox(pair)
        outbox.write(content(MUCH))
        outbox.close()
        pair.transport.loseConnection()
        self.assertEqual(pair.exchange(), content(MUCH))
        self.assertTrue(pair.ended)

    def test_close_notify_of_the_peer_is_answered(self) -> None:
        for context in two_versions():
            pair = self.pair(context=context).open()
            pair.tls.write(b"last")
            self.assertRaises(ssl.SSLWantReadError, pair.tls.unwrap)
            pair.flush()
            pair.reactor.settle()
            self.assertEqual(pair.protocol.received, b"last")
            self.assertTrue(pair.protocol.lost.check(ConnectionDone))
            pair.receive()
            pair.tls.unwrap()  # raises if there is no close_notify

    def test_an_end_without_close_notify_may_have_lost_something(self) -> None:
        pair = self.pair().open()
        pair.send(b"cut o")
        pair.peer.close()
        pair.reactor.settle()
        self.assertEqual(pair.protocol.received, b"cut o")
        self.assertTrue(pair.protocol.lost.check(ConnectionLost))

    def test_a_protocol_may_answer_after_the_peer_has_written_all(self) -> None:
        pair = self.pair(HalfClosing()).open()
        pair.send(b"question")
        self.assertRaises(ssl.SSLWantReadError, pair.tls.unwrap)
        pair.flush()
        self.assertEqual(pair.exchange(), b"answer to question")
        self.assertTrue(pair.protocol.lost.check(ConnectionDone))

    def test_the_peer_may_write_after_the_server_has_written_all(self) -> None:
        pair = self.pair(HalfClosing()).open()
        pair.transport.write(bytes(MUCH))
        pair.transport.loseWriteConnection()
        self.assertEqual(len(pair.exchange()), MUCH)
        self.assertEqual((pair.ended, pair.at_end()), (True, True))
        pair.transport.write(b"too late")
        pair.send(b"still here")
        pair.reactor.settle()
        self.assertEqual(pair.protocol.received, b"still here")
        self.assertIsNone(pair.protocol.lost)

    def test_a_write_side_closed_before_the_end_of_the_handshake_is_closed_after_it(self) -> None:
        for written in (b"all", b""):
            pair = self.pair(HalfClosing())
            pair.transport.write(written)
            pair.transport.loseWriteConnection()
            pair.reactor.settle()
            pair.open()
            self.assertEqual(pair.exchange(), written)
            self.assertTrue(pair.ended)

    def test_an_aborted_connection_sends_nothing_more(self) -> None:
        pair = self.pair().open()
        pair.transport.abortConnection()
        pair.reactor.advance(0)
        self.assertEqual(pair.receive(), b"")
        self.assertTrue(pair.protocol.lost.check(ConnectionAborted))

    def test_nothing_is_delivered_after_a_close(self) -> None:
        pair = self.pair().open()
        pair.tls.write(b"late")
        pair.transport.loseConnection()
        pair.flush()
        pair.reactor.settle()
        self.assertEqual(pair.protocol.received, b"")


class Hostile(Case):
    """What a peer may send after the handshake."""

    def test_a_key_update_is_answered_and_data_goes_on(self) -> None:
        client = self.raw()
        pair = client.pair
        pair.peer.send(client.key_update(requested=True) + client.record(b"after"))
        pair.reactor.settle()
        self.assertEqual(pair.protocol.received, b"after")
        pair.transport.write(b"with new keys")
        self.assertEqual(pair.exchange(), b"with new keys")

    def test_a_key_update_while_the_kernel_is_full_keeps_the_order(self) -> None:
        client = self.raw()
        pair, expected = client.pair, content(MUCH)
        outbox, _ = self.outbox(pair)
        outbox.write(expected[: MUCH // 2])
        outbox.flush()
        pair.receive()  # now the kernel has room again
        pair.peer.send(client.key_update(requested=True))
        pair.transport.doRead()
        outbox.write(expected[MUCH // 2 :])
        outbox.flush()
        self.assertEqual(pair.exchange(), expected)

    def test_answers_that_are_not_read_end_the_connection(self) -> None:
        self.patch(tls_transport, "ANSWER_BYTES", 5_000)
        client = self.raw()
        pair = client.pair
        pair.transport.write(content(MUCH))
        pair.reactor.settle()  # now the kernel is full
        waiting = pair.transport._waiting
        for _ in range(3):
            self.assertIsNone(pair.protocol.lost)
            updates = b"".join(client.key_update(requested=True) for _ in range(90))
            pair.peer.send(updates + client.record(b"."))
            pair.reactor.step()
        self.assertTrue(pair.protocol.lost.check(ConnectionLost))
        self.assertLess(pair.transport._waiting - waiting, 5_000 + READ_BYTES)

    def test_answers_that_are_read_do_not_count(self) -> None:
        self.patch(tls_transport, "ANSWER_BYTES", 5_000)
        client = self.raw()
        pair = client.pair
        for _ in range(2):
            pair.transport.write(content(MUCH))
            pair.reactor.settle()
            updates = b"".join(client.key_update(requested=True) for _ in range(100))
            pair.peer.send(updates + client.record(b"."))
            pair.transport.doRead()
            pair.exchange()
        self.assertEqual((pair.protocol.received, pair.protocol.lost), (b"..", None))
        self.assertEqual(pair.read, 2 * content(MUCH))

    def test_records_without_data_hold_the_server_up_for_one_read_at_a_time(self) -> None:
        self.patch(tls_transport, "EMPTY_RECORDS", 1_000)
        client = self.raw()
        pair = client.pair
        counts: list[int] = []
        receive = pair.transport._receive
        self.patch(pair.transport, "_receive", lambda count: counts.append(count) or receive(count))
        flood = b"".join(client.key_update() for _ in range(2 * READ_BYTES // 27))
        while flood and pair.protocol.lost is None:
            with contextlib.suppress(BlockingIOError):
                flood = flood[pair.peer.send(flood) :]
            pair.reactor.step()
        pair.reactor.settle()
        self.assertLessEqual(max(counts), READ_BYTES // 27 + 1)
        self.assertTrue(pair.protocol.lost.check(ConnectionLost))
        self.assertLessEqual(sum(counts), 1_000 + READ_BYTES // 27 + 1)

    def test_data_between_key_updates_makes_them_acceptable(self) -> None:
        """As many bytes as they cost; a byte in each read does not pay for them."""
        self.patch(tls_transport, "EMPTY_RECORDS", 100)
        for size, expected in ((10 * EMPTY_PRICE, None), (1, ConnectionLost)):
            client = self.raw()
            pair = client.pair
            for _ in range(15):
                updates = b"".join(client.key_update() for _ in range(10))
                pair.peer.send(updates + client.record(bytes(size)))
                pair.reactor.settle()
                if pair.protocol.lost is not None:
                    break
            self.assertEqual(pair.protocol.lost and pair.protocol.lost.type, expected)
            self.assertEqual(len(pair.protocol.received), size * (15 if expected is None else 11))

    def test_records_with_data_cost_nothing(self) -> None:
        self.patch(tls_transport, "EMPTY_RECORDS", 3)
        client = self.raw()
        pair = client.pair
        for size in (13, 1_000):  # at first neither headers nor records arrive as a whole
            sealed = b"".join(client.record(b"x", padding=number) for number in range(40))
            for start in range(0, len(sealed), size):
                pair.peer.send(sealed[start : start + size])
                pair.reactor.settle()
        self.assertEqual((pair.protocol.received, pair.protocol.lost), (b"x" * 80, None))
        self.assertEqual(pair.transport._credit, 3 * EMPTY_PRICE)

    def test_padding_and_empty_records_are_accepted(self) -> None:
        client = self.raw()
        pair = client.pair
        pair.peer.send(
            client.record(b"") + client.record(b"x", padding=1_000) + client.record(b"", padding=9)
        )
        pair.reactor.settle()
        self.assertEqual(pair.protocol.received, b"x")

    def test_data_before_an_invalid_record_is_received(self) -> None:
        for invalid in (
            b"\x17\x03\x03\x00\x20" + bytes(32),
            b"plain text",
            b"\x17\x03\x03\xff\xff",
        ):
            client = self.raw()
            client.pair.peer.send(client.record(b"valid") + invalid)
            client.pair.reactor.settle()
            self.assertTrue(client.pair.receive())  # an alert
            self.assertEqual(client.pair.protocol.received, b"valid")
            self.assertTrue(client.pair.protocol.lost.check(ConnectionLost))
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_an_alert_does_not_overtake_what_the_kernel_did_not_take(self) -> None:
        client = self.raw()
        pair, expected = client.pair, content(60_000)
        pair.transport.write_direct(expected)
        pair.receive()  # now the kernel has room again
        pair.peer.send(b"\x17\x03\x03\x00\x20" + bytes(32))
        pair.transport.doRead()
        pair.receive()
        pair.decrypt()  # raises if a record is missing
        self.assertTrue(expected.startswith(pair.read))

    def test_an_alert_ends_the_connection(self) -> None:
        client = self.raw()
        client.pair.peer.send(client.record(b"\x02\x50", ALERT))  # fatal, internal_error
        client.pair.reactor.settle()
        self.assertTrue(client.pair.protocol.lost.check(ConnectionLost))

    def test_records_that_arrive_together_are_one_call_of_the_protocol(self) -> None:
        client = self.raw()
        client.pair.peer.send(b"".join(client.record(b"%d " % number) for number in range(5)))
        client.pair.reactor.settle()
        self.assertEqual(client.pair.protocol.received, b"0 1 2 3 4 ")
        self.assertEqual(client.pair.protocol.sizes, [10])

    def test_a_paused_protocol_receives_nothing(self) -> None:
        pair = self.pair().open()
        pair.transport.pauseProducing()
        pair.send(b"later")
        pair.reactor.settle()
        self.assertEqual(pair.protocol.received, b"")
        pair.transport.resumeProducing()
        pair.reactor.settle()
        self.assertEqual(pair.protocol.received, b"later")


class Records(SynchronousTestCase):
    def test_each_record_counts_once_however_it_arrives(self) -> None:
        @settings(max_examples=example_count(60), deadline=None, derandomize=True)
        @given(
            st.lists(st.integers(0, 300), max_size=20),
            st.lists(st.integers(1, 40), min_size=1, max_size=9),
        )
        def check(sizes: list[int], parts: list[int]) -> None:
            stream = b"".join(
                b"\x17\x03\x03" + size.to_bytes(2, "big") + b"\xff" * size for size in sizes
            )
            counter, count, parts = RecordCounter(), 0, [*parts]
            while stream:
                size = parts.pop(0)
                parts.append(size)
                count += counter.add(stream[:size])
                stream = stream[size:]
            self.assertEqual(count, len(sizes))

        check()


SIZES = st.one_of(st.integers(1, 300), st.integers(1, 70_000))
STEPS = st.one_of(
    st.tuples(st.just("outbox"), SIZES),
    st.tuples(st.just("flush"), st.just(0)),
    st.tuples(st.just("client writes"), SIZES),
    st.tuples(st.just("client reads"), st.integers(1, 60_000)),
    st.tuples(st.just("serve"), st.just(0)),
    st.tuples(st.just("pause"), st.just(0)),
    st.tuples(st.just("resume"), st.just(0)),
)


class AnyOrder(SynchronousTestCase):
    @settings(max_examples=20, deadline=None)
    @given(
        st.lists(st.tuples(st.integers(0, 1), STEPS), max_size=40),
        st.booleans(),
        st.integers(1, 3_000),
    )
    def test_each_side_gets_what_the_other_wrote(
        self, steps: list[tuple[int, tuple[str, int]]], newest: bool, segment: int
    ) -> None:
        """Two connections of a port; steps in any order; then all is sent and both are closed."""
        port = TLSPort(credentials(), 0, Factory(), reactor=SteppedReactor())
        pairs = [Pair(port=port, context=two_versions()[newest]).open() for _ in range(2)]
        batcher = WriteBatcher(pairs[0].reactor, Limits(outbox_bytes=0, unsent_bytes_total=0))
        outboxes = [Outbox(batcher, pair.transport, lambda: None) for pair in pairs]
        to_client, to_server = [b"", b""], [b"", b""]
        source = content(80_000)
        for which, (step, size) in steps:
            pair = pairs[which]
            data = source[which : which + size]
            if step == "outbox":
                outboxes[which].write(data)
                to_client[which] += data
            elif step == "flush":
                batcher.flush()
            elif (
                step == "client writes" and size < 50_000 and pair.transport in pair.reactor.readers
            ):
                pair.send(data, segment)
                to_server[which] += data
            elif step == "client reads":
                pair.receive(size)
                pair.decrypt()
            elif step == "serve":
                pair.reactor.step()
            elif step in ("pause", "resume"):
                getattr(pair.transport, f"{step}Producing")()
            self.assertEqual(port.outgoing.pending, 0)
        batcher.flush()
        for which, pair in enumerate(pairs):
            pair.transport.resumeProducing()
            pair.exchange()
            outboxes[which].close()
            pair.transport.loseConnection()
            self.assertEqual(pair.exchange(), to_client[which])
            self.assertTrue(pair.ended)
            self.assertEqual(pair.protocol.received, to_server[which])
            pair.close()
