"""Frames of the JSON API against docs/schema.json."""

from __future__ import annotations

import copy
import functools
import json
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

SCHEMA_FILE = Path(__file__).resolve().parents[1] / "docs/schema.json"
#: Fields whose value, not only its type, decides which schema a frame has.
_DECIDING = frozenset({"cmd", "type", "status", "last_cmd", "state", "delivered", "reply"})


def closed(schema: Any) -> Any:
    """Return a schema that allows no field but those that it names.

    The schema that is published allows more: later versions add fields, and clients ignore them.
    """
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: closed(part) for key, part in schema.items()}
    if "properties" in found and schema.get("type") == "object":
        found["additionalProperties"] = False
    return found


@functools.cache
def _validator(name: str) -> Draft202012Validator:
    """Return the validator of a definition of the schema."""
    schema = _closed_schema()
    if name not in schema["$defs"]:
        raise AssertionError(f"docs/schema.json has no {name}")
    return Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": schema["$defs"]})


@functools.cache
def _closed_schema() -> Any:
    return closed(json.loads(SCHEMA_FILE.read_text()))


def definition_of(frame: dict[str, Any]) -> str:
    """Return the name of the definition that a frame has to fit."""
    cmd = frame["cmd"]
    if cmd == "c_response":
        return "reply.error" if frame["status"] == "error" else f"reply.{frame['last_cmd']}"
    if cmd == "c_event":
        return f"push.c_event.{frame['type']}"
    return f"push.{cmd}" if cmd.startswith("c_") else f"request.{cmd}"


def check(frame: dict[str, Any]) -> None:
    """Check a frame that the server has sent, or a request that it has accepted.

    Frames that have the same fields, of the same types, are checked once.

    Raises:
        AssertionError: it does not fit the schema.
    """
    shape = _shape(frame)
    if shape in _checked:
        return
    name = definition_of(frame)
    errors = sorted(_validator(name).iter_errors(copy.deepcopy(frame)), key=str)
    if errors:
        raise AssertionError(f"{frame} is no {name}: {errors[0].message}")
    _checked.add(shape)


_checked: set[Any] = set()


def _shape(value: Any, field: str = "") -> Any:
    """Return what a frame looks like: its fields and their types."""
    if isinstance(value, dict):
        return tuple(sorted((key, _shape(part, key)) for key, part in value.items()))
    if isinstance(value, list):
        return ("[]", *sorted({repr(_shape(part)) for part in value}))
    return repr(value) if field in _DECIDING else type(value).__name__
