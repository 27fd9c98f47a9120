"""Every parser copes with mutated valid input; tests of the instruments that watch it."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.logger import Logger
from twisted.trial.unittest import SynchronousTestCase

from tests.stress.__main__ import FUZZ_TARGETS
from tests.stress.fuzz.seeds import SPLITTERS, dictionary, seeds, split_pieces
from tests.stress.fuzz.targets import TARGETS, Violation, watching

#: Input that often breaks parsers: delimiters, numbers at limits, incomplete characters.
DANGEROUS = (
    *(b"\0", b"\n", b"\r", b"|", b"\\", b'"', b"{" * 40, b"[" * 40, b",", b":", b"=", b" "),
    *(b"-1", b"65536", b"4294967296", b"9223372036854775808", b"1e999", b"9" * 5000, b"NaN"),
    *(b"\xff", b"\xc3", b"\xed\xa0\x80", b"\\ud800", "\u202e\u0301\u2028".encode()),
    *(b"\x81\xfe\xff\xff", b"\xff\xff\xff\xff", b"%00", b"%2e%2e/", b"\r\n\r\n"),
)


@st.composite
def mutated_inputs(draw: st.DrawFn, target: str) -> bytes:
    """Draw an initial input with some parts repeated, removed or replaced by dangerous ones."""
    data = draw(st.sampled_from(seeds(target)))
    part = st.sampled_from([*DANGEROUS, *dictionary(target)]) | st.binary(max_size=8)
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(data)))
        end = draw(st.integers(start, min(len(data), start + 12)))
        data = data[:start] + draw(part) * draw(st.sampled_from((1, 1, 2, 50))) + data[end:]
    return data


class MutatedInput(SynchronousTestCase):
    def check_target(self, name: str, examples: int = 150) -> None:
        """A target handles its initial inputs, and mutations of them.

        Args:
            name: of the target.
            examples: how many mutations.
        """
        target, split = TARGETS[name](), SPLITTERS.get(name, split_pieces)
        for seed in seeds(name):
            target(split(seed))

        @settings(
            max_examples=examples,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
        )
        @given(mutated_inputs(name))
        def feed(data: bytes) -> None:
            target(split(data))

        feed()

    def test_json_api(self) -> None:
        self.check_target("json")

    def test_randomchat(self) -> None:
        self.check_target("randomchat")

    def test_message_center(self) -> None:
        self.check_target("message_center")

    def test_pa1(self) -> None:
        self.check_target("pa1")

    def test_livechat(self) -> None:
        self.check_target("livechat")

    def test_frames(self) -> None:
        self.check_target("frames")

    def test_opening_handshake(self) -> None:
        self.check_target("handshake")

    def test_site(self) -> None:
        self.check_target("site")

    def test_settings(self) -> None:
        self.check_target("config")


class Instruments(SynchronousTestCase):
    def test_command_lists_all_targets(self) -> None:
        self.assertEqual(FUZZ_TARGETS, tuple(TARGETS))

    def test_logged_failure_is_a_violation(self) -> None:
        def failing() -> None:
            with watching():
                try:
                    raise ZeroDivisionError
                except ZeroDivisionError:
                    Logger().failure("a bug")

        self.assertIn("ZeroDivisionError", str(self.assertRaises(Violation, failing)))
        self.flushLoggedErrors(ZeroDivisionError)

    def test_pieces_add_up_to_the_input(self) -> None:
        self.assertEqual(split_pieces(b""), [])
        self.assertEqual(split_pieces(b"\0abc"), [b"abc"])
        self.assertEqual(b"".join(split_pieces(b"\3\x20\xff\x80" + b"abcdef" * 9)), b"abcdef" * 9)
        self.assertEqual(len(split_pieces(b"\3\x20\xff\x80" + b"abcdef" * 9)), 4)
