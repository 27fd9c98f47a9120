"""Every parser stands junk that is nearly right; so do the instruments that watch it."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.logger import Logger
from twisted.trial.unittest import SynchronousTestCase

from tests.stress.__main__ import FUZZED
from tests.stress.fuzz.seeds import dictionary, seeds
from tests.stress.fuzz.targets import CUTS, TARGETS, Fault, cut, watching

#: What breaks parsers: ends, separators, numbers at their limits, halves of characters.
NASTY = (
    *(b"\0", b"\n", b"\r", b"|", b"\\", b'"', b"{" * 40, b"[" * 40, b",", b":", b"=", b" "),
    *(b"-1", b"65536", b"4294967296", b"9223372036854775808", b"1e999", b"9" * 5000, b"NaN"),
    *(b"\xff", b"\xc3", b"\xed\xa0\x80", b"\\ud800", "\u202e\u0301\u2028".encode()),
    *(b"\x81\xfe\xff\xff", b"\xff\xff\xff\xff", b"%00", b"%2e%2e/", b"\r\n\r\n"),
)


@st.composite
def junk(draw: st.DrawFn, target: str) -> bytes:
    """A seed with some parts doubled, taken away, or replaced by what is nasty."""
    data = draw(st.sampled_from(seeds(target)))
    part = st.sampled_from([*NASTY, *dictionary(target)]) | st.binary(max_size=8)
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(data)))
        end = draw(st.integers(start, min(len(data), start + 12)))
        data = data[:start] + draw(part) * draw(st.sampled_from((1, 1, 2, 50))) + data[end:]
    return data


class Junk(SynchronousTestCase):
    def stands(self, name: str, examples: int = 150) -> None:
        """A target takes whatever it is given."""
        target, pieces = TARGETS[name](), CUTS.get(name, cut)
        for seed in seeds(name):
            target(pieces(seed))

        @settings(
            max_examples=examples,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
        )
        @given(junk(name))
        def feed(data: bytes) -> None:
            target(pieces(data))

        feed()

    def test_the_json_api(self) -> None:
        self.stands("json")

    def test_randomchat(self) -> None:
        self.stands("randomchat")

    def test_message_center(self) -> None:
        self.stands("message_center")

    def test_pa1(self) -> None:
        self.stands("pa1")

    def test_livechat(self) -> None:
        self.stands("livechat")

    def test_frames(self) -> None:
        self.stands("frames")

    def test_the_opening_handshake(self) -> None:
        self.stands("handshake")

    def test_the_site(self) -> None:
        self.stands("site")

    def test_the_settings(self) -> None:
        self.stands("config")


class Watched(SynchronousTestCase):
    def test_the_command_knows_all_targets(self) -> None:
        self.assertEqual(FUZZED, tuple(TARGETS))

    def test_what_is_logged_as_a_failure_is_a_fault(self) -> None:
        def failing() -> None:
            with watching():
                try:
                    raise ZeroDivisionError
                except ZeroDivisionError:
                    Logger().failure("a bug")

        self.assertIn("ZeroDivisionError", str(self.assertRaises(Fault, failing)))
        self.flushLoggedErrors(ZeroDivisionError)

    def test_pieces_are_the_whole(self) -> None:
        self.assertEqual(cut(b""), [])
        self.assertEqual(cut(b"\0abc"), [b"abc"])
        self.assertEqual(b"".join(cut(b"\3\x20\xff\x80" + b"abcdef" * 9)), b"abcdef" * 9)
        self.assertEqual(len(cut(b"\3\x20\xff\x80" + b"abcdef" * 9)), 4)
