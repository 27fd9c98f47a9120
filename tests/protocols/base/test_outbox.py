"""Outboxes: one write a reactor iteration, order, full transports, slow readers."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.abstract import FileDescriptor
from twisted.internet.task import Clock
from twisted.protocols.tls import _AggregateSmallWrites
from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat.limits import Limits
from gtchat.protocols.base import outbox as outbox_module
from gtchat.protocols.base import unsent
from gtchat.protocols.base.outbox import Outbox, WriteBatcher


class FakeTransport:
    """A transport that records writes, and pauses its producer after `room` of them."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.producer: Any = None
        self.aborted = self.broken = False
        self.room: int | None = None

    def write(self, data: bytes) -> None:
        if self.broken:
            raise OSError("broken")
        self.writes.append(data)
        if self.room is not None:
            self.room -= 1
            if self.room <= 0:
                self.producer.pauseProducing()

    def abortConnection(self) -> None:
        self.aborted = True

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        if self.producer is not None:
            raise RuntimeError("a producer is registered")
        self.producer = producer

    def unregisterProducer(self) -> None:
        self.producer = None

    @property
    def written(self) -> bytes:
        return b"".join(self.writes)


class DirectTransport(FakeTransport):
    """A transport with `send_now`, whose kernel takes `room` bytes."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting = b""

    def send_now(self, data: bytes) -> int:
        assert not self.waiting, "buffered bytes are overtaken"
        if self.room == 0:
            raise BlockingIOError
        taken = data[: self.room]
        self.writes.append(taken)
        if self.room is not None:
            self.room -= len(taken)
        return len(taken)

    def write_later(self, data: bytes) -> None:
        self.waiting += data
        self.producer.pauseProducing()

    def write_direct(self, data: bytes) -> int:
        sent = 0
        if not self.waiting and self.room != 0:
            sent = self.send_now(data)
        self.waiting += data[sent:]
        return len(data) - sent

    def drain(self, room: int | None) -> None:
        """Let the kernel take this many bytes again, None for any number."""
        self.room, waiting, self.waiting = room, self.waiting, b""
        if waiting:
            try:
                self.waiting = waiting[self.send_now(waiting) :]
            except BlockingIOError:
                self.waiting = waiting
            if not self.waiting:
                self.producer.resumeProducing()


class Writing(SynchronousTestCase):
    """One batcher and its outboxes, which hold at most 100 bytes, and 250 in all."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.batcher = WriteBatcher(self.clock, Limits(outbox_bytes=100, unsent_bytes_total=250))
        self.overflowed: list[FakeTransport] = []
        self.patch(outbox_module, "BUFFERS_BYTES", 0)

    def outbox(self) -> tuple[Outbox, FakeTransport]:
        transport = FakeTransport()
        outbox = Outbox(self.batcher, transport, lambda: self.overflowed.append(transport))
        return outbox, transport

    def test_frames_of_an_iteration_are_one_write(self) -> None:
        outbox, transport = self.outbox()
        outbox.write(b"a")
        self.batcher.write_all([outbox], b"b")
        outbox.write(b"c")
        self.assertEqual(transport.writes, [])
        self.clock.advance(0)
        outbox.write(b"d")
        self.clock.advance(0)
        self.assertEqual(transport.writes, [b"abc", b"d"])

    def test_frames_appended_by_a_flush_wait_for_the_next_iteration(self) -> None:
        first, _ = self.outbox()
        second, transport = self.outbox()
        first.send = lambda data: second.write(b"then")
        first.write(b"now")
        self.batcher.flush()
        self.assertEqual(transport.writes, [])
        self.batcher.flush()
        self.assertEqual(transport.writes, [b"then"])

    def test_outboxes_with_the_same_frames_share_the_joined_bytes(self) -> None:
        pairs = [self.outbox() for _ in range(3)]
        for data in (b"a", b"b"):
            self.batcher.write_all([outbox for outbox, _ in pairs], data)
        self.clock.advance(0)
        pieces = {id(transport.writes[0]) for _, transport in pairs}
        self.assertEqual(len(pieces), 1)

    def test_a_broken_transport_does_not_affect_the_others(self) -> None:
        broken, bad = self.outbox()
        other, good = self.outbox()
        bad.broken = True
        self.batcher.write_all([broken, other], b"x")
        self.clock.advance(0)
        self.assertEqual((bad.aborted, good.writes), (True, [b"x"]))
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)

    def test_a_full_transport_gets_the_rest_piece_by_piece(self) -> None:  # G02
        outbox, transport = self.outbox()
        transport.producer.pauseProducing()
        for data in (b"a", b"b", b"c"):
            outbox.write(data)
            self.clock.advance(0)
        self.assertEqual((transport.writes, outbox.held), ([], 3))
        transport.room = 2
        transport.producer.resumeProducing()
        self.assertEqual((transport.writes, outbox.held), ([b"a", b"b"], 1))
        transport.room = None
        transport.producer.resumeProducing()
        self.assertEqual((transport.writes, outbox.buffered_bytes), ([b"a", b"b", b"c"], 0))

    def test_what_the_kernel_did_not_take_is_sent_first(self) -> None:
        transport = DirectTransport()
        outbox = Outbox(self.batcher, transport, lambda: None)
        transport.room = 2
        for data in (b"abc", b"d", b"e"):
            outbox.write(data)
            self.clock.advance(0)
        self.assertEqual((transport.written, transport.waiting, outbox.held), (b"ab", b"c", 2))
        self.assertEqual((outbox.in_transport, outbox.buffered_bytes), (1, 3))
        transport.drain(2)
        self.assertEqual((transport.written, transport.waiting), (b"abcd", b"e"))
        transport.drain(None)
        self.assertEqual((transport.written, outbox.buffered_bytes), (b"abcde", 0))

    def test_an_outbox_beyond_its_limit_overflows_once(self) -> None:
        outbox, transport = self.outbox()
        transport.producer.pauseProducing()
        for _ in range(3):
            outbox.write(b"x" * 50)
            self.clock.advance(0)
        self.assertEqual(self.overflowed, [transport])
        self.assertEqual((outbox.held, outbox.buffered_bytes), (0, 151))
        outbox.write(b"late")
        self.clock.advance(0)
        self.assertEqual(self.overflowed, [transport])

    def test_beyond_the_total_limit_the_largest_outbox_overflows(self) -> None:  # G03
        pairs = [self.outbox() for _ in range(4)]
        for size, (outbox, transport) in zip((60, 90, 70, 40), pairs, strict=True):
            transport.producer.pauseProducing()
            outbox.write(b"x" * size)
            self.clock.advance(0)
        self.assertEqual(self.overflowed, [pairs[1][1]])

    def test_what_a_full_transport_had_taken_before_counts(self) -> None:
        self.patch(outbox_module, "BUFFERS_BYTES", 100)
        self.batcher = WriteBatcher(self.clock, Limits(outbox_bytes=0, unsent_bytes_total=302))
        pairs = [self.outbox() for _ in range(3)]
        for number, (outbox, transport) in enumerate(pairs):
            self.assertEqual(self.overflowed, [], number)
            transport.producer.pauseProducing()
            transport.producer.pauseProducing()
            outbox.write(b"x")
            self.assertEqual(outbox.in_transport, 100)
        self.clock.advance(0)
        self.assertEqual(len(self.overflowed), 1)
        for _, transport in pairs:
            transport.producer.stopProducing()
        self.assertEqual(self.batcher.limits.total, 0)

    def test_a_transport_that_is_empty_again_counts_no_longer(self) -> None:
        self.patch(outbox_module, "BUFFERS_BYTES", 100)
        for outbox, transport, counted in (
            (*self.outbox(), 100),
            (*self.direct_outbox(None), 0),  # its rest is counted when it is given
        ):
            transport.producer.pauseProducing()
            self.assertEqual(outbox.in_transport, counted)
            transport.producer.resumeProducing()
            self.assertEqual((outbox.in_transport, self.batcher.limits.total), (0, 0))

    def test_the_buffers_of_twisted_are_no_larger_than_what_is_counted(self) -> None:
        buffers = FileDescriptor.bufferSize + _AggregateSmallWrites.MAX_BUFFER_SIZE
        self.assertLessEqual(buffers, unsent.BUFFERS_BYTES)

    def direct_outbox(self, room: int | None) -> tuple[Outbox, DirectTransport]:
        transport = DirectTransport()
        transport.room = room
        return Outbox(self.batcher, transport, lambda: self.overflowed.append(transport)), transport

    def test_a_full_transport_gets_one_piece_of_what_was_written_together(self) -> None:  # G02
        self.patch(unsent, "PIECE_BYTES", 10)
        outbox, transport = self.direct_outbox(12)
        for data in (b"a" * 8, b"b" * 8, b"c" * 8, b"d" * 2):
            outbox.write(data)
        self.clock.advance(0)
        self.assertEqual((transport.written, transport.waiting), (b"a" * 8 + b"b" * 4, b"b" * 4))
        self.assertEqual((outbox.in_transport, outbox.held), (4, 10))
        transport.drain(None)
        self.assertEqual(transport.written[16:], b"c" * 8 + b"d" * 2)
        self.assertEqual((outbox.in_transport, outbox.held), (0, 0))

    def test_a_transport_that_buffers_all_gets_one_piece_too_many(self) -> None:
        for module in (unsent, outbox_module):
            self.patch(module, "PIECE_BYTES", 10)
        outbox, transport = self.outbox()
        transport.room = 1
        for letter in b"abc":
            outbox.write(bytes([letter]) * 8)
        self.clock.advance(0)
        self.assertEqual(transport.writes, [b"a" * 8])
        self.assertEqual((outbox.in_transport, outbox.held), (8, 16))
        transport.room = None
        transport.producer.resumeProducing()
        self.assertEqual(transport.written, b"a" * 8 + b"b" * 8 + b"c" * 8)
        self.assertEqual(outbox.buffered_bytes, 0)

    def test_one_write_may_be_larger_than_the_limit(self) -> None:
        for outbox, transport in (self.outbox(), self.direct_outbox(30)):
            if not isinstance(transport, DirectTransport):
                transport.room = 1
            outbox.write(b"x" * 150)
            self.clock.advance(0)
            self.assertEqual(self.overflowed, [])
            self.assertGreater(outbox.in_transport, 100)
            outbox.write(b"y")
            self.clock.advance(0)
            self.assertEqual(self.overflowed, [transport])
            outbox.stopProducing()
            self.overflowed.clear()

    def test_many_large_replies_of_an_iteration_overflow_in_it(self) -> None:  # G29
        self.patch(outbox_module, "PIECE_BYTES", 40)
        for outbox, transport in (self.outbox(), self.direct_outbox(30)):
            transport.room = 1
            outbox.write(b"before")
            for _ in range(4):
                outbox.write_reply(b"x" * 40)
                if not isinstance(transport, DirectTransport):
                    transport.producer.pauseProducing()
            self.assertEqual(self.overflowed, [transport])
            self.assertLessEqual(outbox.held + outbox.in_transport, 100 + 40)
            outbox.stopProducing()
            self.overflowed.clear()

    def test_a_small_reply_waits_for_the_end_of_the_iteration(self) -> None:
        outbox, transport = self.outbox()
        outbox.write_reply(b"x")
        self.assertEqual(transport.writes, [])

    def test_what_transports_hold_counts_for_the_total_limit(self) -> None:  # G03
        pairs = [self.direct_outbox(0) for _ in range(3)]
        for size, (outbox, _) in zip((90, 85, 80), pairs, strict=True):
            outbox.write(b"x" * size)
            self.clock.advance(0)
        self.assertEqual(self.overflowed, [pairs[0][1]])

    def test_what_a_closed_connection_has_not_sent_counts_until_it_is_lost(self) -> None:  # G03
        closed, transport = self.direct_outbox(0)
        closed.write(b"x" * 200)
        closed.close()
        self.assertEqual((closed.in_transport, closed.buffered_bytes), (200, 200))
        other, _ = self.direct_outbox(0)
        other.write(b"y" * 60)
        self.clock.advance(0)
        self.assertEqual((transport.aborted, self.overflowed), (True, []))
        self.assertEqual(closed.in_transport, 0)
        lost, _ = self.direct_outbox(0)
        lost.write(b"z" * 200)
        lost.close()
        lost.stopProducing()
        self.assertEqual(lost.in_transport, 0)
        other.write(b"y")
        self.clock.advance(0)
        self.assertEqual((self.overflowed, other.in_transport), ([], 60))

    def test_frames_are_joined_to_pieces(self) -> None:
        self.patch(unsent, "PIECE_BYTES", 4)
        for frames, pieces in (
            ([], [b""]),
            ([b"", b"ab", b"cd", b"e"], [b"abcd", b"e"]),
            ([b"abcde", b"f"], [b"abcde", b"f"]),
            ([b"a", memoryview(b"bcdef"), b"g"], [b"a", b"bcdef", b"g"]),
        ):
            self.assertEqual(unsent.join_frames(frames), pieces)

    def test_close_gives_the_transport_all_frames(self) -> None:
        outbox, transport = self.outbox()
        transport.producer.pauseProducing()
        outbox.write(b"held ")
        self.clock.advance(0)
        outbox.write(b"pending")
        outbox.close()
        outbox.write(b"late")
        self.clock.advance(0)
        self.assertEqual((transport.written, transport.producer), (b"held pending", None))
        outbox.close()

    def test_what_had_not_left_at_the_close_counts_as_buffered(self) -> None:
        for full, held, pending, left in (
            (True, b"held ", b"pending", 12),
            (True, b"", b"pending", 7),
            (True, b"", b"", 1),
            (False, b"", b"pending", 0),
            (False, b"", b"", 0),
        ):
            outbox, transport = self.outbox()
            if full:
                transport.producer.pauseProducing()
            if held:
                outbox.write(held)
                self.clock.advance(0)
            if pending:
                outbox.write(pending)
            outbox.close()
            outbox.stopProducing()
            self.assertEqual(outbox.buffered_bytes, left, (full, held, pending))

    def test_what_the_kernel_does_not_take_at_the_close_counts_as_buffered(self) -> None:
        for room, left in ((0, 7), (3, 4), (7, 0), (None, 0)):
            outbox, transport = self.direct_outbox(room)
            outbox.write(b"pending")
            outbox.close()
            self.assertEqual(outbox.buffered_bytes, left)
            outbox.stopProducing()
            self.assertEqual(outbox.buffered_bytes, left)

    def test_a_lost_connection_discards_its_frames(self) -> None:
        outbox, transport = self.outbox()
        outbox.write(b"x")
        transport.producer.stopProducing()
        self.clock.advance(0)
        outbox.abort()
        self.assertEqual((transport.writes, transport.aborted), ([], False))

    def test_buffered_bytes_include_what_was_never_sent(self) -> None:
        for held, pending, buffered_bytes in (
            (b"", b"", 0),
            (b"", b"four", 4),
            (b"three", b"four", 10),
        ):
            outbox, transport = self.outbox()
            if held:
                transport.producer.pauseProducing()  # the transport's own counts as one
                outbox.write(held)
                self.clock.advance(0)
            if pending:
                outbox.write(pending)
            transport.producer.stopProducing()
            outbox.stopProducing()
            self.assertEqual((outbox.held, outbox.buffered_bytes), (0, buffered_bytes))

    def test_the_producer_of_twisted_web_is_replaced(self) -> None:
        transport = FakeTransport()
        transport.producer = object()
        outbox = Outbox(self.batcher, transport, lambda: None)
        self.assertIs(transport.producer, outbox)


class Order(SynchronousTestCase):
    """Properties: whatever the transport does, no frame is lost, repeated or overtaken."""

    @given(
        st.lists(
            st.one_of(
                st.binary(min_size=1, max_size=5),
                st.sampled_from(["flush", "full", "room", "more"]),
            )
        )
    )
    def test_frames_arrive_once_and_in_order(self, steps: list[bytes | str]) -> None:
        clock = Clock()
        transport = FakeTransport()
        outbox = Outbox(
            WriteBatcher(clock, Limits(outbox_bytes=0, unsent_bytes_total=0)),
            transport,
            lambda: None,
        )
        written = b""
        for step in steps:
            if isinstance(step, bytes):
                outbox.write(step)
                written += step
            elif step == "flush":
                clock.advance(0)
            elif step == "full":
                transport.producer.pauseProducing()
            else:
                transport.room = 1 if step == "room" else None
                transport.producer.resumeProducing()
        clock.advance(0)
        transport.room = None
        transport.producer.resumeProducing()
        self.assertEqual(transport.written, written)

    @given(
        st.lists(st.one_of(st.binary(min_size=1, max_size=9), st.integers(0, 9), st.just("flush")))
    )
    def test_frames_sent_to_the_kernel_arrive_once_and_in_order(
        self, steps: list[bytes | int | str]
    ) -> None:
        clock = Clock()
        transport = DirectTransport()
        outbox = Outbox(
            WriteBatcher(clock, Limits(outbox_bytes=0, unsent_bytes_total=0)),
            transport,
            lambda: None,
        )
        written = b""
        for step in steps:
            if isinstance(step, bytes):
                outbox.write(step)
                written += step
            elif isinstance(step, int):
                transport.drain(step)
            else:
                clock.advance(0)
                if not transport.waiting:
                    self.assertEqual((transport.written, outbox.buffered_bytes), (written, 0))
        clock.advance(0)
        transport.drain(None)
        self.assertEqual((transport.written, transport.waiting), (written, b""))
