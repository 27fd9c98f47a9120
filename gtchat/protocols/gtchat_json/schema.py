"""The JSON Schema of all requests, replies and pushes, made from their types: docs/schema.json.

`python -m gtchat.protocols.gtchat_json.schema` writes it to standard output. `typescript` makes
declarations for TypeScript from it.

Sources: JSON Schema 2020-12, https://json-schema.org/draft/2020-12
"""

from __future__ import annotations

import copy
import inspect
import json
from typing import Any, get_args, get_type_hints

import msgspec
from msgspec import UnsetType

from gtchat.chat.annotations import Deletion, Reaction, ReplyTo
from gtchat.chat.events import Edited, Entry, Reacted
from gtchat.protocols.gtchat_json import (
    event_pushes,
    invite_links,
    moderation,
    pushes,
    reports,
    responses,
    room_info,
)
from gtchat.protocols.gtchat_json.commands import BY_CMD, COMMANDS
from gtchat.protocols.gtchat_json.requests import Request

Schema = dict[str, Any]

_REF = "#/$defs/{name}"
#: Structs of pushes that are no `c_event`, and the values of `cmd` that they are sent with.
_PUSHES: dict[type[msgspec.Struct], tuple[str, ...]] = {
    pushes.CAnnotatedSpeak: ("c_speak",),  # the others have some of its fields
    pushes.CWhisper: ("c_whisper",),
    pushes.CBroadcast: ("c_broadcast",),
    pushes.CInvited: ("c_invited", "c_invite_reply"),
}
#: Objects in replies and pushes, which have definitions of their own.
OBJECTS: tuple[type, ...] = (
    room_info.RoomInfo,
    room_info.RoomDetails,
    responses.DirectInfo,
    responses.Invitation,
    responses.SessionInfo,
    invite_links.InviteLinkInfo,
    responses.Resumption,
    responses.Version,
    moderation.SanctionInfo,
    reports.ReportInfo,
    Deletion,
    Reaction,
    ReplyTo,
)


def schema() -> Schema:
    """Return the schema.

    `$defs` has `request.COMMAND`, `reply.COMMAND`, `reply.error`, `push.CMD` and
    `push.c_event.TYPE`, which `request`, `reply` and `push` list, the names of `OBJECTS`, and
    `entry`. A program of another language can be made from it; clients ignore what it does not
    name.
    """
    definitions = {
        **{f"request.{cmd}": _struct(kind) for cmd, kind in BY_CMD.items()},
        **{f"reply.{cmd}": _replies(cmd, kind) for cmd, kind in BY_CMD.items()},
        "reply.error": _reply(responses.ErrorReply, {"status": {"const": "error"}}),
        **{f"push.{cmd}": _push(kind, cmd) for kind, cmds in _PUSHES.items() for cmd in cmds},
        **_events(),
        **{kind.__name__: _sent(kind) for kind in OBJECTS},
        "entry": _entries(),
    }
    groups = {
        group: {"anyOf": [_ref(name) for name in definitions if name.startswith(f"{group}.")]}
        for group in ("request", "reply", "push")
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Frames of GTChat, JSON over WebSocket",
        "anyOf": [_ref(group) for group in groups],
        "$defs": {**groups, **definitions},
    }


def text() -> str:
    """Return the contents of docs/schema.json."""
    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"


def _ref(name: str) -> Schema:
    return {"$ref": _REF.format(name=name)}


def _struct(kind: type) -> Schema:
    """Return the schema of a Struct, or of a class of attrs; it refers to `OBJECTS` by name."""
    _, parts = msgspec.json.schema_components([kind], ref_template=_REF)
    found: Schema = parts[kind.__name__]
    del found["title"]
    found["description"] = inspect.cleandoc(found["description"])
    return found


def _sent(kind: type) -> Schema:
    """Return the schema of a Struct, or of a class of attrs, that the server sends.

    Nothing is left out of it but what is unset, so all other fields are required.
    """
    found = _struct(kind)
    hints = get_type_hints(kind)
    for properties in found["properties"].values():
        properties.pop("default", None)
    found["required"] = [
        name
        for name in hints
        if UnsetType not in get_args(hints[name]) and "deprecated" not in found["properties"][name]
    ]
    return found


def _with(found: Schema, properties: Schema) -> Schema:
    """Return a schema with some of its properties replaced."""
    return {**found, "properties": {**found["properties"], **properties}}


def _reply(kind: type[responses.Reply], properties: Schema) -> Schema:
    return _with(_sent(kind), {"cmd": {"const": "c_response"}, **properties})


def _replies(cmd: str, request: type[Request]) -> Schema:
    """Return the schema of the replies to a command that was done."""
    returned = get_type_hints(COMMANDS[request].handler)["return"]
    kinds = list(get_args(returned)) or [returned]
    fixed: Schema = {"status": {"const": "ok"}, "last_cmd": {"const": cmd}}
    found = [_reply(kind, fixed) for kind in kinds]
    return found[0] if len(found) == 1 else {"anyOf": found}


def _push(kind: type[msgspec.Struct], cmd: str) -> Schema:
    return _with(_sent(kind), {"cmd": {"const": cmd}})


def _events() -> dict[str, Schema]:
    """Return the schemas of `c_event`: its fields depend on its `type`."""
    base = _sent(event_pushes.CEvent)
    found: dict[str, Schema] = {}
    for kind, name in event_pushes.EVENT_TYPES.items():
        fields = event_pushes.EVENT_FIELDS[kind]
        former = event_pushes.FORMER_NAMES.get(kind, {})
        names = [*base["required"], *fields, *former]
        properties = {field: copy.deepcopy(base["properties"][field]) for field in names}
        properties |= {"cmd": {"const": "c_event"}, "type": {"const": name}}
        properties |= {field: {**properties[field], "deprecated": True} for field in former}
        if issubclass(kind, Edited | Reacted):
            properties["blocked"] = {"const": True}
        properties |= {
            field: {"const": True} for field in event_pushes.TRUE_ONLY & properties.keys()
        }
        needed = [
            name for name in names if name not in event_pushes.PLACES or "target_user" not in names
        ]
        needed = [name for name in needed if name not in {*event_pushes.optional(kind), *former}]
        description = (kind.__doc__ or "").partition("\n")[0]
        previous = found.setdefault(
            f"push.c_event.{name}",
            {
                "description": description,
                "type": "object",
                "properties": properties,
                "required": needed,
            },
        )
        # Two events of one type: what only one of them has is optional.
        previous["properties"] |= properties
        previous["required"] = [field for field in previous["required"] if field in names]
    return found


def _entries() -> Schema:
    """Return the schema of the entries of a log, in `history` and `resume`."""
    kinds = [name for kind, name in event_pushes.EVENT_TYPES.items() if issubclass(kind, Entry)]
    return {
        "anyOf": [
            *map(_ref, ("push.c_speak", "push.c_whisper")),
            *(_ref(f"push.c_event.{kind}") for kind in kinds),
        ]
    }


if __name__ == "__main__":
    print(text(), end="")
