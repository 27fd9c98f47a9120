"""Declarations of all requests, replies and pushes for TypeScript: docs/gtchat.d.ts.

They are made from the JSON Schema, so both come from the same types.
`python -m gtchat.protocols.gtchat_json.typescript` writes them to standard output.
"""

from __future__ import annotations

import json

from gtchat.chat.errors import CODES
from gtchat.protocols.gtchat_json.commands import BY_CMD
from gtchat.protocols.gtchat_json.schema import Schema, schema

_HEAD = """\
// Types of the JSON API, subprotocol gtchat.v1, made from the types of the server by
// `python -m gtchat.protocols.gtchat_json.typescript`. docs/protocol.md says what they mean.
//
// Later versions add fields, pushes, events and codes: ignore what these types do not name.
"""
#: Types of JSON Schema -> types of TypeScript.
_PLAIN = {
    "string": "string",
    "integer": "number",
    "number": "number",
    "boolean": "boolean",
    "null": "null",
}


def type_name(definition: str) -> str:
    """Return the name in TypeScript of a definition of the schema.

    `request.mark_read` is `MarkReadRequest`, `reply.speak` is `SpeakReply`, `push.c_speak` is
    `SpeakPush`, `push.c_event.join_room` is `JoinRoomEvent`; `RoomInfo` stays.
    """
    if "." not in definition:
        return definition[0].upper() + definition[1:]
    group, _, name = definition.partition(".")
    if name.startswith("c_event."):
        group, name = "event", name.removeprefix("c_event.")
    words = f"{name.removeprefix('c_')}_{group}".split("_")
    return "".join(word.capitalize() for word in words)


def text() -> str:
    """Return the contents of docs/gtchat.d.ts."""
    definitions: dict[str, Schema] = schema()["$defs"]
    parts = [_HEAD, *(_declaration(name, one) for name, one in definitions.items()), _commands()]
    codes = "".join(f"\n  | {json.dumps(code)}" for code in CODES)
    parts.append(
        f"/** `code` of an error. Later versions add some. */\nexport type Code ={codes};\n"
    )
    return "\n".join(parts)


def _commands() -> str:
    """Return the interface by which the types of a command are found."""
    rows = []
    for cmd in BY_CMD:
        request, reply = type_name(f"request.{cmd}"), type_name(f"reply.{cmd}")
        rows.append(f"  {cmd}: {{ request: {request}; reply: {reply} }};")
    body = "\n".join(rows)
    comment = "/** Request and reply of each command; an error is an `ErrorReply`. */"
    return f"{comment}\nexport interface Commands {{\n{body}\n}}\n"


def _declaration(name: str, found: Schema) -> str:
    """Return the declaration of a definition of the schema."""
    comment = found.get("description", "").partition("\n\n")[0].replace("\n", " ")
    head = f"/** {comment} */\n" if comment else ""
    if "properties" in found:
        return f"{head}export interface {type_name(name)} {_type(found)}\n"
    return f"{head}export type {type_name(name)} ={_alternatives(found['anyOf'])};\n"


def _alternatives(found: list[Schema]) -> str:
    return "".join(f"\n  | {_type(one, '  ')}" for one in found)


def _type(found: Schema, indent: str = "") -> str:
    """Return the type of TypeScript that a schema describes.

    Args:
        found: the schema.
        indent: white space before the lines of the declaration that it is in.
    """
    if "$ref" in found:
        return type_name(found["$ref"].removeprefix("#/$defs/"))
    if "const" in found:
        return json.dumps(found["const"])
    if "enum" in found:
        return " | ".join(map(json.dumps, found["enum"]))
    if "anyOf" in found:
        return " | ".join(_type(one, indent) for one in found["anyOf"])
    if found["type"] == "array":
        return _array(found, indent)
    if found["type"] != "object":
        return _PLAIN[found["type"]]
    if "properties" not in found:
        values = found.get("additionalProperties")
        return f"Record<string, {_type(values, indent) if values else 'unknown'}>"
    fields = "".join(
        f"\n{indent}  {_field(name, one, name in found['required'], indent)}"
        for name, one in found["properties"].items()
    )
    return f"{{{fields}\n{indent}}}"


def _field(name: str, found: Schema, required: bool, indent: str) -> str:
    """Return the line of a field of an interface."""
    comment = "/** @deprecated */ " if found.get("deprecated") else ""
    return f"{comment}{name}{'' if required else '?'}: {_type(found, f'{indent}  ')};"


def _array(found: Schema, indent: str) -> str:
    if "prefixItems" in found:
        return f"[{', '.join(_type(one, indent) for one in found['prefixItems'])}]"
    item = _type(found["items"], indent)
    return f"({item})[]" if " | " in item else f"{item}[]"


if __name__ == "__main__":
    print(text(), end="")
