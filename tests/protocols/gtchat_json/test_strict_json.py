"""What a message is taken for at a glance it is taken for with care, too."""

from __future__ import annotations

import json

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat.errors import BadRequest
from gtchat.protocols.gtchat_json import api, strict_json
from gtchat.protocols.gtchat_json.requests import Speak
from tests.fakes import TestServer

_KEYS = st.sampled_from(
    ["msg", "room_name", "txn", "tracker", "usr", "broadcast_key", "cmd", "other"]
)
_TEXTS = st.text(st.sampled_from('ab[{}]:,é"\\'), max_size=5)
_VALUES = _TEXTS | st.integers(-5, 2**60) | st.none() | st.booleans() | st.just([{}])
_PAIRS = st.lists(st.tuples(_KEYS, _VALUES), max_size=5)


def written(pairs: list[tuple[str, object]]) -> bytes:
    """A JSON object of these pairs, in which a key may stand twice."""
    inside = ",".join(
        f"{json.dumps(key)}:{json.dumps(value, ensure_ascii=False)}" for key, value in pairs
    )
    return b"{" + inside.encode() + b"}"


class Glance(SynchronousTestCase):
    @given(_PAIRS)
    def test_what_has_no_more_quotes_than_its_fields_has_one_meaning(
        self, pairs: list[tuple[str, object]]
    ) -> None:
        payload = written([("cmd", "speak"), ("msg", "x"), ("room_name", "r"), *pairs])
        try:
            request = msgspec.json.decode(payload, type=Speak)
        except msgspec.MsgspecError:
            return
        if payload.count(b'"') == api._count_quotes(request) and b"\\" not in payload:
            parsed = strict_json.parse(payload)
            for key, value in parsed.items():
                self.assertEqual("speak" if key == "cmd" else getattr(request, key), value)

    @given(st.permutations(["txn", "tracker", "usr", "broadcast_key"]), st.integers(0, 4))
    def test_what_has_each_field_once_needs_no_second_look(self, keys: list[str], n: int) -> None:
        for tracker in ("1", 1):
            pairs = [(key, tracker if key == "tracker" else "x") for key in keys[:n]]
            payload = written([("cmd", "speak"), ("msg", "x"), ("room_name", "r"), *pairs])
            request = msgspec.json.decode(payload, type=Speak)
            self.assertEqual(payload.count(b'"'), api._count_quotes(request))

    def test_each_byte_of_a_string_without_an_end_is_read_once(self) -> None:  # G26
        for start in (b"", b'{"a":'):
            payload = start + b'"' + b'\\"' * 3_000
            self.assertEqual(strict_json._STRING.findall(payload)[-1], payload[-6_001:])
            self.assertRaises(BadRequest, strict_json.parse, payload)

    def test_a_message_with_a_key_twice_is_refused(self) -> None:  # C06
        line = TestServer().guest("ann")
        whole = [("cmd", "speak"), ("room_name", "lobby"), ("msg", "x"), ("tracker", 1)]
        for pair in [*whole, ("usr", "ann"), ("other", 5)]:
            line.raw(written([*whole, pair, pair]).decode())
            [reply] = line.received()
            self.assertEqual((reply["status"], reply["code"]), ("error", "bad_request"), pair)


class Careful(SynchronousTestCase):
    def test_what_two_readers_could_understand_differently_is_refused(self) -> None:
        for payload in (b'{"a":1,"a":1}', b'{"a":{"b":1,"b":2}}', b'["\\ud800"]'):
            with self.assertRaises(BadRequest, msg=payload):
                strict_json.check(payload)
