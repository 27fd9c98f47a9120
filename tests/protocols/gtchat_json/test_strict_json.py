"""What a message is taken for at a glance it is taken for with care, too."""

from __future__ import annotations

import json

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat.errors import BadRequest
from gtchat.chat.limits import Limits
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


SURROGATE = b'"\\ud83d"'
DEEP = b"[" * 33 + b"]" * 33


class Envelope(SynchronousTestCase):
    """The command and the tracker of requests that are refused early."""

    def test_a_request_that_is_refused_early_is_answered_with_its_tracker(self) -> None:
        for payload, expected in (
            (b'{"cmd":"ping","cmd":"ping","tracker":"q"}', ("ping", "q")),
            (b'{"cmd":"ping","cmd":"hello","tracker":"q"}', ("", "q")),
            (b'{"tracker":"q","cmd":"speak","msg":%s}' % SURROGATE, ("speak", "q")),
            (b'{"cmd":"ping","tracker":7.5}', ("ping", "0")),
            (b'{"cmd":"ping","tracker":1e3}', ("ping", "0")),
            (b'{"cmd":"ping","tracker":true}', ("ping", "0")),
            (b'{"cmd":"ping","tracker":["q"]}', ("ping", "0")),
            (b'{"cmd":"ping","tracker":%s}' % SURROGATE, ("ping", "0")),
            (b'{"cmd":"ping","tracker":"a","tracker":"b"}', ("ping", "0")),
            (b'{"cmd":"ping","tracker":"a","tracker":{}}', ("ping", "0")),
            (b'{"cmd":"ping","tracker":"a","tracker":"a"}', ("ping", "a")),
            (b'{"cmd":"ping","tracker":-12,"x":NaN}', ("ping", "-12")),
            (b'{"cmd":"ping","tracker":%d}' % 2**60, ("ping", str(2**60))),
            (b'{"cmd":"ping","tracker":%d}' % 10**30, ("ping", "0")),
            (b'{"cmd":"ping","x":%s,"tracker":"q"}' % DEEP, ("ping", "q")),
            (b'{"cmd":"ping","x":{"tracker":"in"},"tracker":"q",}', ("ping", "q")),
            (b'{"cmd":"ping","x":"\\"tracker\\":\\"in\\"","tracker":"q",}', ("ping", "q")),
            (b'{"cmd":"\\u0070ing","tracker":"\\u0071",}', ("ping", "q")),
            (b'{"cmd":"ping","tracker":"q"', ("ping", "q")),
            (b'{"cmd":"ping","tracker":"q', ("ping", "0")),
            (b'{"cmd":"ping","tracker":12', ("ping", "0")),
            (b'{"cmd":"nope\\u0000","tracker":5}', ("nope\0", "5")),
            (b'{"cmd":5,"tracker":5}', ("", "5")),
            (b'[{"cmd":"ping","tracker":5}]', ("", "0")),
            (b'nonsense "tracker": 5 ', ("", "0")),
            (b"", ("", "0")),
        ):
            client = TestServer().connect()
            client.raw(payload)
            [reply] = client.received()
            self.assertEqual((payload, reply["status"]), (payload, "error"))
            self.assertEqual((payload, (reply["last_cmd"], reply["tracker"])), (payload, expected))

    def test_each_reply_to_a_burst_of_refused_requests_has_its_tracker(self) -> None:
        client = TestServer(Limits(commands_burst=2, commands_per_second=1)).connect()
        for number in range(6):
            client.raw(b'{"cmd":"ping","cmd":"ping","tracker":%d}' % number)
        found = [(reply["code"], reply["tracker"]) for reply in client.received()]
        codes = ["bad_request"] * 2 + ["rate_limited"] * 4
        self.assertEqual(found, [(code, str(number)) for number, code in enumerate(codes)])

    @given(_PAIRS)
    def test_what_is_read_of_a_message_is_what_it_says(
        self, pairs: list[tuple[str, object]]
    ) -> None:
        payload = written(pairs)
        [found] = strict_json.read(payload, "tracker")
        values = [value for key, value in pairs if key == "tracker"]
        plain = [one for one in values if type(one) in (str, int)]
        same = len(set(map(repr, values))) == 1 and len(plain) == len(values)
        self.assertEqual(found, values[0] if same else None)

    @given(_PAIRS, st.integers(0, 200))
    def test_what_is_read_of_a_part_of_a_message_is_what_it_says(
        self, pairs: list[tuple[str, object]], size: int
    ) -> None:
        pairs = [pair for pair in pairs if pair[0] != "tracker"]
        payload = written([*pairs, ("tracker", 123), ("msg", "x")])
        self.assertIn(strict_json.read(payload[:size], "tracker"), ([None], [123]))

    @given(st.binary(max_size=100))
    def test_any_bytes_can_be_read(self, payload: bytes) -> None:
        strict_json.read(payload, "tracker")


class Careful(SynchronousTestCase):
    def test_what_two_readers_could_understand_differently_is_refused(self) -> None:
        for payload in (b'{"a":1,"a":1}', b'{"a":{"b":1,"b":2}}', b'["\\ud800"]'):
            with self.assertRaises(BadRequest, msg=payload):
                strict_json.check(payload)
