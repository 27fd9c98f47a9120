"""Every field of every request is bounded before it is normalized."""

from __future__ import annotations

import re
import unicodedata
from typing import Any, get_args

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat.limits import Limits
from gtchat.protocols.gtchat_json.requests import Request, Speak, Whole
from tests.fakes import TestServer

#: 16,000 non-starters of which NFC reorders each pair, and names whose start is short in NFC.
HOSTILE = (
    "a" + "\u0315" * 8_000 + "\u0300" * 8_000,
    "\u03b1\u0313\u0342\u0345" * 64 + "\u03b1" * 15_000,
    "\u00e9" * 30_000,
)
LONG_RUN = re.compile("[\u0300\u0313\u0315\u0342\u0345]{31}")
#: Most characters that are normalized of a text of 4,000.
MOST = 16_000


def commands() -> list[type[Request]]:
    """Return the classes of all requests."""
    found, waiting = [], list(Request.__subclasses__())
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        if kind.__struct_config__.tag != kind.__name__:
            found.append(kind)
    return found


def values(kind: type[Request]) -> dict[str, Any]:
    """Return a valid value for each field of a request."""
    found: dict[str, Any] = {}
    for field in msgspec.structs.fields(kind):
        options = get_args(field.type) or (field.type,)
        if str in options:
            found[field.name] = "ann"
        elif Whole == field.type or int in options:
            found[field.name] = 2_000
        elif options and isinstance(options[0], str):
            found[field.name] = options[0]
    del found["usr"]
    return found


class Bounds(SynchronousTestCase):
    def setUp(self) -> None:
        self.normalized: list[str] = []
        normalize = unicodedata.normalize

        def record(form: Any, text: str) -> str:
            self.normalized.append(text)
            return normalize(form, text)

        self.server = TestServer(Limits(commands_per_second=0, registrations_per_minute=0))
        self.patch(unicodedata, "normalize", record)

    def test_no_field_is_normalized_that_is_too_long_or_has_too_many_marks(self) -> None:  # C27
        fields = 0
        for kind in commands():
            valid = values(kind)
            for name in (*(name for name, value in valid.items() if value == "ann"), "usr"):
                fields += 1
                for hostile in HOSTILE:
                    self.check(kind, valid | {name: hostile})
            if "seen" in kind.__struct_fields__:
                for hostile in HOSTILE:
                    self.check(kind, valid | {"seen": {hostile: 1}})
        self.assertGreater(fields, 80)

    def check(self, kind: type[Request], request: dict[str, Any]) -> None:
        """Send a request before login and after it."""
        self.normalized.clear()
        for client in (self.server.connect(), self.server.guest("guest")):
            client.send(str(kind.__struct_config__.tag), **request)
            self.server.run_pending()
            client.drop(clean=True)
        for text in self.normalized:
            self.assertLessEqual(len(text), MOST, kind)
            self.assertIsNone(LONG_RUN.search(text), kind)

    def test_what_is_allowed_is_normalized(self) -> None:
        self.assertIn(Speak, commands())
        client = self.server.guest("Zoe\u0308")
        self.assertIn("Zoe\u0308", self.normalized)
        client.call("speak", room_name="lobby", msg="e\u0301" * 4_000)
        self.assertIn("e\u0301" * 4_000, self.normalized)
