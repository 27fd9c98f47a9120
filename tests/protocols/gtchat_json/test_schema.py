"""docs/schema.json: made from the types, and what it says is true."""

from __future__ import annotations

import json
from typing import Any

from jsonschema import Draft202012Validator
from twisted.trial.unittest import SynchronousTestCase

from gtchat.protocols.gtchat_json import pushes
from gtchat.protocols.gtchat_json.commands import BY_CMD
from gtchat.protocols.gtchat_json.schema import text
from tests.frames import SCHEMA_FILE, check, closed, definition_of

SPOKEN = {
    "cmd": "c_speak",
    "tracker": "0",
    "room_name": "lobby",
    "usr": "ann",
    "msg": "hello",
    "id": "0a",
    "seq": 3,
    "at": "2026-01-01T00:00:00.000Z",
}


class Schema(SynchronousTestCase):
    def test_the_file_is_what_the_types_say(self) -> None:
        self.assertEqual(
            SCHEMA_FILE.read_text(),
            text(),
            "write it anew: python -m gtchat.protocols.gtchat_json.schema > docs/schema.json",
        )

    def test_it_is_a_schema_and_all_its_references_lead_somewhere(self) -> None:
        schema = json.loads(text())
        Draft202012Validator.check_schema(schema)
        for name in _references(schema):
            self.assertIn(name.removeprefix("#/$defs/"), schema["$defs"])

    def test_it_has_each_command_and_each_push(self) -> None:
        names = json.loads(text())["$defs"]
        for cmd in BY_CMD:
            self.assertIn(f"request.{cmd}", names)
            self.assertIn(f"reply.{cmd}", names)
        for kind in pushes.EVENT_TYPES.values():
            self.assertIn(f"push.c_event.{kind}", names)

    def test_the_check_finds_what_is_wrong(self) -> None:
        check(SPOKEN)
        missing = {key: SPOKEN[key] for key in SPOKEN if key != "at"}
        for wrong in ({**SPOKEN, "seq": "3"}, {**SPOKEN, "more": 1}, missing):
            with self.assertRaises(AssertionError, msg=str(wrong)):
                check(wrong)

    def test_a_client_may_be_sent_more_than_the_schema_names(self) -> None:
        schema = json.loads(text())
        reference = {"$ref": f"#/$defs/{definition_of(SPOKEN)}", "$defs": schema["$defs"]}
        self.assertTrue(Draft202012Validator(reference).is_valid({**SPOKEN, "more": 1}))
        self.assertFalse(Draft202012Validator(closed(reference)).is_valid({**SPOKEN, "more": 1}))


def _references(schema: Any) -> list[str]:
    """Return all `$ref` of a schema."""
    if isinstance(schema, list):
        return [name for part in schema for name in _references(part)]
    if not isinstance(schema, dict):
        return []
    found = [name for part in schema.values() for name in _references(part)]
    return [*found, schema["$ref"]] if "$ref" in schema else found
