"""docs/protocol.md describes each field of each request, reply and push, as the types have them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import attrs
from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat.limits import Limits
from gtchat.protocols.gtchat_json import contract
from gtchat.protocols.gtchat_json.commands import BY_CMD
from gtchat.protocols.gtchat_json.schema import OBJECTS, schema

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGE = (DOCS / "protocol.md").read_text(encoding="utf-8")
CLIENT_PAGE = (DOCS / "writing-a-client.md").read_text(encoding="utf-8")
DEFINITIONS: dict[str, Any] = schema()["$defs"]
#: What all replies that are no errors, all requests and all pushes have.
ENVELOPE = frozenset({"cmd", "status", "last_cmd", "tracker", "msg"})
#: Fields of any request, and the commands that give `usr` a meaning of their own.
USR_COMMANDS = frozenset({"register", "login", "update_pwd", "search"})
#: "place" in the tables: of a request, and of an event.
PLACE = ("room_name?", "target_user?", "direct?")
EVENT_PLACE = ("room_name?", "target_user?")


@attrs.frozen
class Table:
    """A table of the page.

    Attributes:
        header: the words of its first row.
        rows: the cells of the others.
    """

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def section(heading: str) -> str:
    """Return the text below a heading, `## Title` or `### Title`, up to the next heading."""
    level = heading.split(" ", 1)[0]
    below = PAGE.split(f"\n{heading}\n", 1)[1]
    return re.split(rf"\n#{{2,{len(level)}}} ", below, maxsplit=1)[0]


def tables(text: str) -> list[Table]:
    """Return the tables of a text."""
    found = []
    for block in re.findall(r"(?:^\|.*\n?)+", text, re.M):
        lines = [tuple(cell.strip() for cell in row[1:-1].split("|")) for row in block.split("\n")]
        header, _, *rows = [line for line in lines if line]
        found.append(Table(header, tuple(row for row in rows if len(row) == len(header))))
    return found


def names(cell: str, place: tuple[str, ...] = PLACE) -> list[str]:
    """Return the names of fields in a cell; `place` stands for several."""
    found = [name.strip("` ") for name in cell.split(",") if name.strip()]
    return [one for name in found for one in (place if name in ("place", "place?") else (name,))]


def fields(alternatives: list[Any], without: frozenset[str]) -> list[str]:
    """Return the fields of one of several schemas; `?` is behind those that may be absent."""
    found = {name for one in alternatives for name in one["properties"]} - without
    needed = set.intersection(*(set(one["required"]) for one in alternatives))
    return sorted(name if name in needed else f"{name}?" for name in found)


def type_words(found: Any) -> str:
    """Return a type in the words of the page."""
    if "$ref" in found:
        return str(found["$ref"].rpartition("/")[2])
    if "const" in found:
        return {bool: "boolean", str: "string"}[type(found["const"])]
    if "enum" in found:
        return ", ".join('`""`' if one == "" else f"`{one}`" for one in found["enum"])
    if "anyOf" in found:
        words = [type_words(one) for one in found["anyOf"] if one.get("type") != "null"]
        return " or ".join(words)
    if found["type"] == "array":
        if "prefixItems" in found["items"]:
            return "list of `[start, end]`"
        return f"list of {type_words(found['items'])}"
    if found["type"] == "object":
        values = found.get("additionalProperties")
        return f"object of {type_words(values)}" if values else "object"
    return str(found["type"])


def types_of(groups: list[Any]) -> dict[str, set[str]]:
    """Return the types of each field of schemas, by its name."""
    found: dict[str, set[str]] = {}
    for group in groups:
        for one in group.get("anyOf", [group]):
            for name, kind in one["properties"].items():
                found.setdefault(name, set()).add(type_words(kind))
    return found


def replies(cmd: str) -> list[Any]:
    """Return the schemas of the replies to a command."""
    found = DEFINITIONS[f"reply.{cmd}"]
    return list(found.get("anyOf", [found]))


def described(table: Table) -> dict[str, tuple[str, ...]]:
    """Return the other cells of each name in the first column of a table."""
    return {name: row[1:] for row in table.rows for name in names(row[0])}


class Commands(SynchronousTestCase):
    def setUp(self) -> None:
        self.rows = described(tables(section("## Commands"))[0])

    def test_the_table_has_every_command_and_no_other(self) -> None:
        self.assertEqual(set(self.rows), set(BY_CMD))

    def test_each_command_has_the_fields_of_its_request(self) -> None:
        for cmd in BY_CMD:
            own = set() if cmd in USR_COMMANDS else {"usr"}
            without = frozenset({"cmd", "tracker"} | own)
            wanted = fields([DEFINITIONS[f"request.{cmd}"]], without)
            self.assertEqual(sorted(names(self.rows[cmd][0])), wanted, cmd)

    def test_each_command_has_the_fields_of_its_reply(self) -> None:
        for cmd in BY_CMD:
            wanted = fields(replies(cmd), ENVELOPE)
            self.assertEqual(sorted(names(self.rows[cmd][1])), wanted, cmd)


class Fields(SynchronousTestCase):
    def compare(self, rows: dict[str, tuple[str, ...]], found: dict[str, set[str]]) -> None:
        """Compare names and types of a table with those of schemas."""
        self.assertEqual(set(rows), set(found))
        for name, types in found.items():
            if rows[name][0]:  # else the row refers to another section
                self.assertEqual(rows[name][0].split(" or "), sorted(types, reverse=True), name)

    def test_fields_of_requests(self) -> None:
        rows = described(tables(section("## Fields of requests"))[0])
        found: dict[str, set[str]] = {}
        defaults: dict[str, set[str]] = {}
        for cmd in BY_CMD:
            request = DEFINITIONS[f"request.{cmd}"]
            for name, kind in request["properties"].items():
                found.setdefault(name, set()).update(type_words(kind).split(" or "))
                default = kind.get("default", "–" if name in request["required"] else "?")
                shown = {None: "absent", True: "true", False: "false", "": '""'}
                is_shown = default is None or isinstance(default, bool | str)
                defaults.setdefault(name, set()).add(
                    str(shown.get(default, default)) if is_shown else str(default)
                )
        del found["cmd"], defaults["cmd"]
        self.compare(rows, found)
        for name, values in defaults.items():
            self.assertEqual(set(rows[name][1].split(", ")), values, name)

    def test_fields_of_replies(self) -> None:
        rows = described(tables(section("## Fields of replies"))[0])
        found = types_of([DEFINITIONS[f"reply.{cmd}"] for cmd in BY_CMD])
        self.compare(rows, {name: found[name] for name in found.keys() - ENVELOPE})

    def test_fields_of_all_replies_and_of_errors(self) -> None:
        rows = described(tables(section("## Requests and replies"))[0])
        errors = DEFINITIONS["reply.error"]
        self.assertEqual({name.strip("?") for name in rows}, set(errors["properties"]))
        self.assertEqual({name for name in rows if name[-1] != "?"}, set(errors["required"]))
        for name, (kind, _) in rows.items():
            self.assertEqual(
                kind, type_words({"type": "string"} | errors["properties"][name.strip("?")])
            )

    def test_fields_of_objects(self) -> None:
        for kind in OBJECTS:
            rows = described(tables(section(f"### {kind.__name__}"))[0])
            found = DEFINITIONS[kind.__name__]
            self.assertEqual(sorted(rows), fields([found], frozenset()), kind.__name__)
            for name, cells in rows.items():
                self.assertEqual(cells[0], type_words(found["properties"][name.strip("?")]), name)


class Pushes(SynchronousTestCase):
    def setUp(self) -> None:
        self.pushes, self.fields = tables(section("## Pushes"))
        self.events = tables(section("## Events"))[0]
        self.schemas = {
            name.removeprefix("push."): found
            for name, found in DEFINITIONS.items()
            if name.startswith("push.")
        }

    def test_each_push_has_its_fields(self) -> None:
        rows = described(self.pushes)
        kinds = {name for name in self.schemas if not name.startswith("c_event.")}
        self.assertEqual(set(rows), kinds | {"c_event"})
        for kind in kinds:
            wanted = fields([self.schemas[kind]], frozenset({"cmd", "tracker", "at"}))
            self.assertEqual(sorted(names(rows[kind][1])), wanted, kind)

    def test_each_event_has_its_fields(self) -> None:
        rows = described(self.events)
        kinds = {name.removeprefix("c_event.") for name in self.schemas if "." in name}
        self.assertEqual(set(rows), kinds)
        without = frozenset({"cmd", "tracker", "at", "type"})
        for kind in kinds:
            wanted = fields([self.schemas[f"c_event.{kind}"]], without)
            self.assertEqual(sorted(names(rows[kind][1], EVENT_PLACE)), wanted, kind)

    def test_each_field_of_pushes_is_described_with_its_type(self) -> None:
        rows = described(self.fields)
        found = types_of(list(self.schemas.values()))
        self.assertEqual(set(rows), set(found))
        notes = described(tables(section("## Changes of messages"))[0])
        for name, types in found.items():
            if name in notes:
                self.assertEqual({notes[name][0]}, types, name)
            elif rows[name][0]:
                self.assertEqual({rows[name][0]}, types, name)


class OtherTables(SynchronousTestCase):
    def test_limits_that_a_client_needs_are_limits_of_the_server(self) -> None:
        listed = set(described(tables(section("## Limits"))[0]))
        self.assertEqual(listed - {field.name for field in attrs.fields(Limits)}, set())

    def test_names_of_a_person_are_fields(self) -> None:
        listed = set(described(tables(section("## Names of a person"))[0]))
        known = types_of([one for one in DEFINITIONS.values() if "properties" in one])
        self.assertEqual(listed - known.keys(), set())

    def test_the_page_for_clients_comes_back_from_the_same_close_codes(self) -> None:
        below = CLIENT_PAGE.split("\n## Coming back\n", 1)[1].split("\n## ", 1)[0]
        found = {
            int(code): action
            for ending, action in tables(below)[0].rows
            if "handshake" not in ending
            for code in re.findall(r"\b\d{4}\b", ending)
        }
        self.assertEqual(set(found), set(contract.COME_BACK))
        beginnings = {
            contract.ComeBack.YES: "comes back after its own wait",
            contract.ComeBack.AFTER_WAIT: "comes back after the seconds that the reason tells",
            contract.ComeBack.NO: "stays away",
        }
        for code, action in found.items():
            self.assertTrue(action.startswith(beginnings[contract.COME_BACK[code]]), code)
