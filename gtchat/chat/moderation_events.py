"""Entries of the log of a room that change its moderation; `Moderation.fold` says what they change.

Who is kicked, and the settings of a room, are in `events`. Events about reports are here, too.
"""

from __future__ import annotations

import attrs

from gtchat.chat.entries import Entry, Event


@attrs.define(kw_only=True)
class RoleChanged(Entry):
    """`by` gave a user a role, or took it: `role` is "" then."""

    kind = "role"
    role: str
    by: str


@attrs.define(kw_only=True)
class Muted(Entry):
    """`by` muted a user.

    Attributes:
        reason: why, "" for no reason.
        until: when it ends, in milliseconds since 1970, UTC; 0 for no end.
    """

    kind = "muted"
    by: str
    reason: str = ""
    until: int = 0


@attrs.define(kw_only=True)
class Unmuted(Entry):
    """`by` ended that a user is muted."""

    kind = "unmuted"
    by: str


@attrs.define(kw_only=True)
class UserBanned(Entry):
    """`by` banned a user who is no member, or all users with a name that fits a pattern.

    A member who is banned is kicked with it: see `Kicked`.

    Attributes:
        usr: the name; without a `subject_id` the name or the pattern as names are compared.
        reason, until: as of `Muted`.
    """

    kind = "banned"
    by: str
    reason: str = ""
    until: int = 0


@attrs.define(kw_only=True)
class UserUnbanned(Entry):
    """`by` ended a ban; `usr` and the account are those of the ban."""

    kind = "unbanned"
    by: str


MODERATION_ENTRIES: tuple[type[Entry], ...] = (
    RoleChanged,
    Muted,
    Unmuted,
    UserBanned,
    UserUnbanned,
)


@attrs.define(kw_only=True)
class ReportMade(Event):
    """`by` has reported a message of `usr`; those who may answer the report are told.

    Attributes:
        report_id: number of the report.
        room_name: the room, "" for a direct message.
        of: number of the message.
        reason: why.
        subject_id: the author's account. Clients are not told.
        log_id: the log that has the message. Clients are not told.
        to_operators: whether operators answer it: it is about a direct message, or no moderator of
            the room may. Clients are not told.
    """

    report_id: int
    room_name: str
    usr: str
    of: int
    by: str
    reason: str
    subject_id: int | None = None
    log_id: int = 0
    to_operators: bool = False


@attrs.define(kw_only=True)
class ReportAnswered(Event):
    """A report was answered; who has made it is told.

    Attributes:
        report_id: number of the report.
        room_name, usr, of: as of `ReportMade`.
        outcome, answer: as of `Report`.
        subject_id: the account that has made it. Clients are not told.
    """

    report_id: int
    room_name: str
    usr: str
    of: int
    outcome: str
    answer: str = ""
    subject_id: int | None = None
