"""The quick path for text frames has the same result as Autobahn, however the bytes arrive."""

from __future__ import annotations

from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat.limits import Limits
from gtchat.protocols.websocket import connection
from gtchat.protocols.websocket.frames import header_size, text_frame, text_messages
from tests import example_count
from tests.protocols.websocket.fakes import CLOSE, PING, PONG, TestFactory, frame

LARGEST = 300

texts = st.one_of(
    st.text(max_size=40).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.binary(max_size=20),
    st.sampled_from([124, 125, 126, 127, 200, 299, 300, 301, 400]).map(lambda size: b"x" * size),
)
frames = st.one_of(
    st.builds(frame, texts),
    st.builds(frame, texts, st.just(1), final=st.booleans()),
    st.builds(frame, texts, st.sampled_from([0, 2]), final=st.booleans()),
    st.builds(frame, st.binary(max_size=125), st.sampled_from([PING, PONG])),
    st.builds(frame, texts, st.integers(0, 15), rsv=st.integers(0, 7), masked=st.booleans()),
    st.builds(frame, st.sampled_from([b"", b"\x03\xe8", b"\x03\xe8bye", b"\x03"]), st.just(CLOSE)),
    st.builds(frame, texts, length=st.sampled_from([0, 5, 126, 300, 70_000, 2**63 - 1])),
)


def outcome(pieces: list[bytes], quick: bool) -> tuple[list[bytes], bytes, bool]:
    """Send bytes to a connection, read by read.

    Args:
        pieces: the bytes of each read.
        quick: whether the quick path is used.

    Returns:
        The messages received, the bytes written, and whether the connection is closed.
    """
    factory = TestFactory(Limits(message_bytes=LARGEST, commands_per_second=0))
    socket = factory.open()
    decode = text_messages if quick else lambda data, start, largest, limit: ([], start)
    with patch.object(connection, "text_messages", decode):
        for piece in pieces:
            if socket.transport.disconnecting:
                break
            socket.receive(piece)
    return socket.api.received, socket.transport.written, socket.transport.disconnecting


class QuickPath(SynchronousTestCase):
    """`text_messages` and `text_frame` (RFC 6455 section 5.2)."""

    @settings(max_examples=example_count(400))
    @given(st.lists(frames, max_size=6), st.data())
    def test_any_input_has_the_same_result_as_in_autobahn(
        self, sent: list[bytes], data: st.DataObject
    ) -> None:
        stream = b"".join(sent)
        cuts = sorted(data.draw(st.sets(st.integers(0, len(stream)), max_size=8)))
        pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
        expected = outcome([piece for piece in pieces if piece], quick=False)
        self.assertEqual(outcome([piece for piece in pieces if piece], quick=True), expected)
        self.assertEqual(outcome([stream], quick=True)[0], expected[0])

    def test_all_messages_of_one_read_are_decoded(self) -> None:
        payloads = [b"a", b"b" * 126, "ü".encode(), b"", b"c" * 65_000]
        data = b"".join(frame(payload) for payload in payloads)
        self.assertEqual(text_messages(data, 0, 65_536, 64), (payloads, len(data)))
        self.assertEqual(text_messages(data, 0, 65_536, 2)[0], payloads[:2])

    def test_every_other_frame_is_left_to_autobahn(self) -> None:
        for other in (
            frame(b"x", opcode=2),
            frame(b"x", opcode=PING),
            frame(b"x", final=False),
            frame(b"x", rsv=4),
            frame(b"x", masked=False),
            frame(b"\xff"),
            frame(b"x" * 11),
            frame(b"x")[:-1],
            b"\x81\xfe\x00\x05" + bytes(4) + b"xxxxx",
        ):
            self.assertEqual(text_messages(frame(b"a") + other, 0, 10, 64), ([b"a"], 7))

    def test_a_text_frame_has_a_header_of_the_right_size(self) -> None:
        for size in (0, 1, 125, 126, 65_535, 65_536):
            written = text_frame(b"x" * size)
            self.assertEqual(written[-size or len(written) :], b"x" * size)
            self.assertEqual(header_size(written, 0), len(written) - size)
