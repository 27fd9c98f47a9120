"""docs/schema.json and docs/gtchat.d.ts: made from the types, and what they say is true."""

from __future__ import annotations

import json
import re
from typing import Any

from jsonschema import Draft202012Validator
from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat.errors import CODES
from gtchat.protocols.gtchat_json import event_pushes, typescript
from gtchat.protocols.gtchat_json.commands import BY_CMD
from gtchat.protocols.gtchat_json.schema import schema, text
from tests.frames import SCHEMA_FILE, check, closed, definition_of

TYPES_FILE = SCHEMA_FILE.with_name("gtchat.d.ts")

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
        for kind in event_pushes.EVENT_TYPES.values():
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


class TypeScript(SynchronousTestCase):
    def setUp(self) -> None:
        self.text = typescript.text()
        self.declared = dict(re.findall(r"^export (?:interface|type) (\w+) (.*)", self.text, re.M))

    def test_the_file_is_what_the_types_say(self) -> None:
        self.assertEqual(
            TYPES_FILE.read_text(),
            self.text,
            "write it anew: python -m gtchat.protocols.gtchat_json.typescript > docs/gtchat.d.ts",
        )

    def test_each_definition_of_the_schema_has_a_type_of_its_own(self) -> None:
        definitions = schema()["$defs"]
        names = {typescript.type_name(name) for name in definitions}
        self.assertEqual(len(names), len(definitions))
        self.assertEqual(set(self.declared), names | {"Commands", "Code"})
        self.assertEqual(self.text.count("\nexport "), len(self.declared))

    def test_each_type_that_is_named_is_declared(self) -> None:
        code = re.sub(r'/\*\*.*?\*/|//[^\n]*|"[^"]*"', "", self.text, flags=re.S)
        named = set(re.findall(r"\b[A-Z]\w*", code)) - {"Record"}
        self.assertEqual(named - set(self.declared), set())

    def test_brackets_and_lines_end(self) -> None:
        code = re.sub(r'/\*\*.*?\*/|//[^\n]*|"[^"]*"', "", self.text, flags=re.S)
        for opening, closing in ("{}", "[]", "()", "<>"):
            self.assertEqual(code.count(opening), code.count(closing), opening)
        lines = [line.strip() for line in code.splitlines()]
        members = [line for line in lines if re.match(r"\w+\??:", line)]
        self.assertEqual([line for line in members if line[-1] not in ";{"], [])

    def test_a_field_that_may_be_absent_is_optional(self) -> None:
        speak = self.text.split("export interface SpeakPush {", 1)[1].split("\n}", 1)[0]
        self.assertIn("\n  seq: number;", speak)
        self.assertIn("\n  reactions?: Reaction[];", speak)
        self.assertIn("\n  marks?: [number, number][];", speak)

    def test_it_has_the_types_of_each_command_and_each_code(self) -> None:
        commands = self.text.split("export interface Commands {", 1)[1].split("\n}", 1)[0]
        self.assertEqual(re.findall(r"^  (\w+): \{ request", commands, re.M), list(BY_CMD))
        codes = self.text.split("export type Code =", 1)[1]
        self.assertEqual(re.findall(r'"(\w+)"', codes), list(CODES))


def _references(schema: Any) -> list[str]:
    """Return all `$ref` of a schema."""
    if isinstance(schema, list):
        return [name for part in schema for name in _references(part)]
    if not isinstance(schema, dict):
        return []
    found = [name for part in schema.values() for name in _references(part)]
    return [*found, schema["$ref"]] if "$ref" in schema else found
