"""The commands of the protocol as a client sees them: one table.

A column says whether a command may be sent again after a lost connection, another what its reply
means for the state of a client. A command without a row may not be repeated and means nothing.
Source: docs/protocol.md, section "Commands".
"""

from __future__ import annotations

import enum

import attrs


class Effect(enum.Enum):
    """What a reply with status `ok` means for the state of a client."""

    NONE = enum.auto()
    LOGGED_IN = enum.auto()
    RESUMED = enum.auto()
    LOGGED_OUT = enum.auto()
    PASSWORD_CHANGED = enum.auto()
    MESSAGE_STORED = enum.auto()
    #: The user is in the room of the reply, if it has one.
    ROOM_ENTERED = enum.auto()
    #: The room of the request has another entry.
    ROOM_CHANGED = enum.auto()
    #: The user is no longer in the room of the request.
    ROOM_LEFT = enum.auto()
    ROOMS_LISTED = enum.auto()


class Repeat(enum.Enum):
    """Whether a command may be sent again when the connection was lost before its reply."""

    #: It is unknown whether the server has executed it.
    NEVER = enum.auto()
    ALWAYS = enum.auto()
    #: The server detects the duplicate by its `txn`.
    WITH_TXN = enum.auto()


@attrs.frozen
class ClientCommand:
    """A row of the table.

    Attributes:
        effect, repeat: see there.
        own_rate: whether `rate_limited` may come from a limit other than that of all commands, so
            that the user decides whether to wait.
    """

    effect: Effect = Effect.NONE
    repeat: Repeat = Repeat.NEVER
    own_rate: bool = False


COMMANDS: dict[str, ClientCommand] = {
    "hello": ClientCommand(repeat=Repeat.ALWAYS),
    "ping": ClientCommand(repeat=Repeat.ALWAYS),
    "register": ClientCommand(own_rate=True),
    "login": ClientCommand(Effect.LOGGED_IN, own_rate=True),
    "resume": ClientCommand(Effect.RESUMED, Repeat.ALWAYS, own_rate=True),
    "logout": ClientCommand(Effect.LOGGED_OUT),
    "update_pwd": ClientCommand(Effect.PASSWORD_CHANGED, own_rate=True),
    "get_sessions": ClientCommand(repeat=Repeat.ALWAYS),
    "end_session": ClientCommand(repeat=Repeat.ALWAYS),
    "end_other_sessions": ClientCommand(repeat=Repeat.ALWAYS),
    "get_room_list": ClientCommand(Effect.ROOMS_LISTED, Repeat.ALWAYS),
    "get_user_list": ClientCommand(repeat=Repeat.ALWAYS),
    "get_room_user_list": ClientCommand(repeat=Repeat.ALWAYS),
    "create_room": ClientCommand(Effect.ROOM_ENTERED, Repeat.WITH_TXN),
    "join_room": ClientCommand(Effect.ROOM_ENTERED, Repeat.WITH_TXN),
    "invite_reply": ClientCommand(Effect.ROOM_ENTERED, Repeat.WITH_TXN),
    "set_room": ClientCommand(Effect.ROOM_CHANGED, Repeat.WITH_TXN),
    "add_member": ClientCommand(Effect.ROOM_CHANGED, Repeat.WITH_TXN),
    "remove_member": ClientCommand(Effect.ROOM_CHANGED, Repeat.WITH_TXN),
    "kick": ClientCommand(Effect.ROOM_CHANGED, Repeat.WITH_TXN),
    "invite": ClientCommand(repeat=Repeat.WITH_TXN),
    "leave_room": ClientCommand(Effect.ROOM_LEFT, Repeat.WITH_TXN),
    "delete_room": ClientCommand(Effect.ROOM_LEFT, Repeat.WITH_TXN),
    "speak": ClientCommand(Effect.MESSAGE_STORED, Repeat.WITH_TXN),
    "edit": ClientCommand(repeat=Repeat.WITH_TXN),
    "delete": ClientCommand(repeat=Repeat.WITH_TXN),
    "react": ClientCommand(repeat=Repeat.WITH_TXN, own_rate=True),
    "pin": ClientCommand(repeat=Repeat.WITH_TXN),
    "unpin": ClientCommand(repeat=Repeat.WITH_TXN),
    "versions": ClientCommand(repeat=Repeat.ALWAYS),
    "mark_read": ClientCommand(repeat=Repeat.ALWAYS),
    "mark_unread": ClientCommand(repeat=Repeat.ALWAYS),
    "set_notify": ClientCommand(repeat=Repeat.ALWAYS),
    "get_mentions": ClientCommand(repeat=Repeat.ALWAYS),
    "whisper": ClientCommand(Effect.MESSAGE_STORED, Repeat.WITH_TXN),
    "get_direct_list": ClientCommand(repeat=Repeat.ALWAYS),
    "broadcast": ClientCommand(own_rate=True),
    "typing": ClientCommand(repeat=Repeat.ALWAYS, own_rate=True),
    "history": ClientCommand(repeat=Repeat.ALWAYS),
    "search": ClientCommand(repeat=Repeat.ALWAYS, own_rate=True),
    "block": ClientCommand(repeat=Repeat.ALWAYS),
    "unblock": ClientCommand(repeat=Repeat.ALWAYS),
    "set_address": ClientCommand(repeat=Repeat.ALWAYS),
}
_UNKNOWN = ClientCommand()


def effect_of(cmd: str) -> Effect:
    """Return what the reply to a command means for the state of a client."""
    return COMMANDS.get(cmd, _UNKNOWN).effect


def repeat_of(cmd: str) -> Repeat:
    """Return whether a command may be sent again."""
    return COMMANDS.get(cmd, _UNKNOWN).repeat


def waits(cmd: str) -> bool:
    """Return whether a command that is refused with `rate_limited` is sent again later."""
    return not COMMANDS.get(cmd, _UNKNOWN).own_rate
