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
    #: The `seq` of the reply is an entry of the room that is not pushed to this connection.
    ENTRY_STORED = enum.auto()
    #: The user is in the room of the reply, if it has one.
    ROOM_ENTERED = enum.auto()
    #: The user is no longer in the room of the request.
    ROOM_LEFT = enum.auto()
    ROOMS_LISTED = enum.auto()


class Repeat(enum.Enum):
    """Whether a command may be sent again when the connection was lost before its reply."""

    #: It is unknown whether the server has executed it.
    NEVER = "no"
    ALWAYS = "always"
    #: The server detects the duplicate by its `txn`.
    WITH_TXN = "txn"


@attrs.frozen
class ClientCommand:
    """A row of the table.

    Attributes:
        repeat, effect: see there.
        own_rate: whether `rate_limited` may come from a limit other than that of all commands, so
            that the user decides whether to wait.
    """

    repeat: Repeat = Repeat.NEVER
    effect: Effect = Effect.NONE
    own_rate: bool = False


_NO, _ALWAYS, _TXN = Repeat.NEVER, Repeat.ALWAYS, Repeat.WITH_TXN

COMMANDS: dict[str, ClientCommand] = {
    "hello": ClientCommand(_ALWAYS),
    "ping": ClientCommand(_ALWAYS),
    "register": ClientCommand(_NO, own_rate=True),
    "login": ClientCommand(_NO, Effect.LOGGED_IN, own_rate=True),
    "resume": ClientCommand(_ALWAYS, Effect.RESUMED, own_rate=True),
    "logout": ClientCommand(_NO, Effect.LOGGED_OUT),
    "update_pwd": ClientCommand(_NO, Effect.PASSWORD_CHANGED, own_rate=True),
    "get_profile": ClientCommand(_ALWAYS),
    "set_profile": ClientCommand(_ALWAYS),
    "export_account": ClientCommand(_NO, own_rate=True),
    "delete_account": ClientCommand(_NO, Effect.LOGGED_OUT, own_rate=True),
    "get_sessions": ClientCommand(_ALWAYS),
    "create_login_link": ClientCommand(_NO, own_rate=True),
    "find_invite_link": ClientCommand(_ALWAYS),
    "get_invite_links": ClientCommand(_ALWAYS),
    "end_session": ClientCommand(_ALWAYS),
    "end_other_sessions": ClientCommand(_ALWAYS),
    "get_room_list": ClientCommand(_ALWAYS, Effect.ROOMS_LISTED),
    "get_user_list": ClientCommand(_ALWAYS),
    "get_room_user_list": ClientCommand(_ALWAYS),
    "create_room": ClientCommand(_TXN, Effect.ROOM_ENTERED),
    "join_room": ClientCommand(_TXN, Effect.ROOM_ENTERED),
    "invite_reply": ClientCommand(_TXN, Effect.ROOM_ENTERED),
    "leave_room": ClientCommand(_TXN, Effect.ROOM_LEFT),
    "delete_room": ClientCommand(_TXN, Effect.ROOM_LEFT),
    "set_room": ClientCommand(_TXN, Effect.ENTRY_STORED),
    "kick": ClientCommand(_TXN, Effect.ENTRY_STORED),
    "set_role": ClientCommand(_TXN, Effect.ENTRY_STORED),
    "ban": ClientCommand(_TXN, Effect.ENTRY_STORED),
    "unban": ClientCommand(_TXN, Effect.ENTRY_STORED),
    "mute": ClientCommand(_TXN, Effect.ENTRY_STORED),
    "unmute": ClientCommand(_TXN, Effect.ENTRY_STORED),
    "get_moderation": ClientCommand(_ALWAYS),
    "delete_messages": ClientCommand(_ALWAYS),
    "report": ClientCommand(_ALWAYS, own_rate=True),
    "get_reports": ClientCommand(_ALWAYS),
    "answer_report": ClientCommand(_ALWAYS),
    "add_member": ClientCommand(_TXN, Effect.ENTRY_STORED),
    "remove_member": ClientCommand(_TXN, Effect.ENTRY_STORED),
    "invite": ClientCommand(_TXN),
    "speak": ClientCommand(_TXN, Effect.ENTRY_STORED),
    "whisper": ClientCommand(_TXN, Effect.ENTRY_STORED),
    # Changes of messages are pushed to the connection that asked, too: no effect.
    "edit": ClientCommand(_TXN),
    "delete": ClientCommand(_TXN),
    "react": ClientCommand(_TXN, own_rate=True),
    "pin": ClientCommand(_TXN),
    "unpin": ClientCommand(_TXN),
    "broadcast": ClientCommand(_NO, own_rate=True),
    "versions": ClientCommand(_ALWAYS),
    "history": ClientCommand(_ALWAYS),
    "search": ClientCommand(_ALWAYS, own_rate=True),
    "get_mentions": ClientCommand(_ALWAYS),
    "get_direct_list": ClientCommand(_ALWAYS),
    "mark_read": ClientCommand(_ALWAYS),
    "mark_unread": ClientCommand(_ALWAYS),
    "set_notify": ClientCommand(_ALWAYS),
    "typing": ClientCommand(_ALWAYS, own_rate=True),
    "block": ClientCommand(_ALWAYS),
    "unblock": ClientCommand(_ALWAYS),
    "set_address": ClientCommand(_ALWAYS),
    "get_address": ClientCommand(_NO),
    "allow": ClientCommand(_NO),
    "deny": ClientCommand(_NO),
}
#: Error codes that go away with time (docs/protocol.md, "Codes").
TEMPORARY_ERRORS = frozenset({"rate_limited", "over_quota", "locked_out", "not_stored", "internal"})
#: Error codes of the login in place of a resume that go away with time, too ("Resuming a session").
LOGIN_AGAIN_ERRORS = TEMPORARY_ERRORS | {"already_logged_in"}
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
