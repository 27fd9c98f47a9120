"""Audit log: events that an operator may have to look up later.

Each is a line in the log and a record in the store. The code stays the same. No field is ever a
password, a session id, a link or a key; names are those of accounts and rooms, which have no
control characters. How records are stored and found is in `admin_store`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Protocol

import attrs
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from gtchat.chat.background import run_in_background

#: Stands for the operator at a console of the server, and for one whose server is stopped; no
#: account can have such a name.
CONSOLE, COMMAND_LINE = "(console)", "(offline)"


@attrs.frozen
class AuditKind:
    """A kind of event.

    Attributes:
        text: the line; the words in braces are fields of the event.
        who: the field that names who did it, "" where that is said by the `Actor`.
        subject: the field that names the account that it is about, "" for none or the same.
        counted: whether users cause such records, of which only a number is kept.
    """

    text: str
    who: str = "by"
    subject: str = "name"
    counted: bool = True


def _own(text: str) -> AuditKind:
    """Return a kind of what a user does with the own account."""
    return AuditKind(text, who="name", subject="")


def _admin(text: str, subject: str = "name") -> AuditKind:
    """Return a kind of what an administrative command does."""
    return AuditKind(text, who="by", subject=subject, counted=False)


#: Code -> kind.
AUDIT: dict[str, AuditKind] = {
    "started": AuditKind("started with {settings}", who="", subject="", counted=False),
    "reloaded": AuditKind(
        "settings and certificates read again, now {settings}", who="", subject="", counted=False
    ),
    "registered": _own("{name} registered from {address}"),
    "invited": _own("{name} registered from {address} with an invitation of {inviter}"),
    "first_operator": _own("{name} registered from {address} as the first operator"),
    "login": _own("{name} logged in from {address}"),
    "login_failed": AuditKind("wrong password for {name} from {address}", who=""),
    "locked_out": AuditKind("{name} is locked out from {address} for {seconds} s", who=""),
    "password_changed": _own("{name} changed the password from {address}"),
    "sessions_ended": _own("{name} ended other sessions from {address}"),
    "put_out": _admin("the operator disconnected {name}"),
    "kicked": AuditKind("{by} kicked {name} from {room}"),
    "room_role": AuditKind("{by} made {name} {role} in {room}"),
    "room_muted": AuditKind("{by} muted {name} in {room}"),
    "room_unmuted": AuditKind("{by} unmuted {name} in {room}"),
    "room_banned": AuditKind("{by} banned {name} from {room}"),
    "room_unbanned": AuditKind("{by} unbanned {name} from {room}"),
    "removed": AuditKind("{by} removed {name} from {room}"),
    "room_set": AuditKind(
        "{by} changed {room}: public {public}, max {max}, owner {owner}", subject="owner"
    ),
    "message_deleted": AuditKind("{by} deleted message {seq} of {name} in {room}"),
    "reported": AuditKind("{by} reported message {seq} of {name} in {room}"),
    "report_answered": AuditKind("{by} answered report {id} about {name} in {room}: {outcome}"),
    "room_deleted": AuditKind("{by} deleted {room}", subject=""),
    "blocked": AuditKind("{by} blocked {name}"),
    "unblocked": AuditKind("{by} unblocked {name}"),
    "broadcast": _own("{name} sent a broadcast"),
    "broadcast_refused": _own("{name} sent a broadcast with a wrong key"),
    "account_created": _admin("{by} created the account {name}"),
    "account_deleted": _admin("{by} deleted the account {name}"),
    "own_account_deleted": _own("{name} deleted the account from {address}"),
    "own_export": _own("{name} exported the own data from {address}"),
    "account_exported": _admin("{by} exported the data of {name}"),
    "account_renamed": _admin("{by} renamed {name} to {new_name}"),
    "password_set": _admin("{by} set the password of {name}"),
    "login_link": _admin("{by} made a login link for {name}"),
    "own_login_link": _own("{name} made a login link from {address}"),
    "operator_link": _admin("{by} made a link for the first operator", subject=""),
    "account_quota": _admin("{by} set the quota of {name} to {quota}"),
    "operator_on": _admin("{by} made {name} an operator"),
    "operator_off": _admin("{by} took the operator mark from {name}"),
    # Members make and revoke invitations, too, in any number.
    "invite_link": AuditKind("{by} made an invitation for {uses} within {days}", subject=""),
    "invite_link_revoked": AuditKind("{by} revoked invitation {id}", subject=""),
    "chosen": _admin("{by} set {setting} to {value}", subject=""),
    "admin_sessions_ended": _admin("{by} ended {sessions} of {name}"),
    "admin_room_set": _admin("{by} made {owner} the owner of {room}", subject="owner"),
    "admin_room_keep": _admin(
        "{by} set for {room}: keep_messages {keep_messages}, keep_days {keep_days}", subject=""
    ),
    "admin_room_role": _admin("{by} made {name} {role} in {room}"),
    "admin_room_deleted": _admin("{by} deleted the room {room}", subject=""),
    "admin_room_quota": _admin("{by} set the quota of {room} to {quota}", subject=""),
    "ban_added": _admin("{by} banned {kind} {name} {end}: {reason}"),
    "ban_removed": _admin("{by} ended the ban of {kind} {name}"),
    "filter_added": _admin(
        "{by} added rule {rule} to the word filter: {action} {pattern} in {room}", subject=""
    ),
    "filter_removed": _admin(
        "{by} removed rule {rule} from the word filter: {action} {pattern} in {room}", subject=""
    ),
    "filter_flagged": _own(
        "rule {rule} of the word filter flagged a text of {name} in {room}: message {seq}"
    ),
    "filter_refused": _own("rule {rule} of the word filter refused a text of {name} in {room}"),
    "space_given_back": _admin("{by} had the database give back {bytes} bytes", subject=""),
    "announced": _admin("{by} sent an announcement to {to}", subject=""),
    "admin_read": AuditKind("{by} asked for {command}", subject=""),
    "admin_refused": AuditKind("{by} was refused {command}: {reason}", subject=""),
}

_log = Logger()


@attrs.frozen
class Actor:
    """Who does something.

    Attributes:
        name: the name of the account as displayed; `CONSOLE` or `COMMAND_LINE` for an operator
            at the server.
        session: names the session as lists of sessions do, "" for none; it is no secret.
        address: IP address of the client, "" for none.
    """

    name: str = ""
    session: str = ""
    address: str = ""

    @property
    def at_server(self) -> bool:
        """Whether it is an operator at the server itself, not over a connection of an account."""
        return self.name in (CONSOLE, COMMAND_LINE)


NO_ACTOR = Actor()
AT_CONSOLE, OFFLINE = Actor(CONSOLE), Actor(COMMAND_LINE)


@attrs.frozen
class AuditRecord:
    """An event as it is stored.

    Attributes:
        at: when, in milliseconds since 1970, UTC.
        code: a key of `AUDIT`.
        who: name of the account that did it, "" if none did or it is not known.
        session, address: as of `Actor`.
        subject: name of the account that it is about, "" for none or `who`.
        what: the fields of its line.
        id: its number; 0 as long as it is not stored.
    """

    at: int
    code: str
    who: str = ""
    session: str = ""
    address: str = ""
    subject: str = ""
    what: Mapping[str, Any] = MappingProxyType({})
    id: int = 0


def audit_record(code: str, at: int, actor: Actor = NO_ACTOR, **fields: Any) -> AuditRecord:
    """Return the record of an event.

    Args:
        code: a key of `AUDIT`.
        at: now, in milliseconds since 1970, UTC.
        actor: who did it, as far as the fields do not say so.
        fields: the fields that the text of the kind names.
    """
    kind = AUDIT[code]
    if kind.who == "by":
        fields.setdefault("by", actor.name)
    who = actor.name or str(fields.get(kind.who, ""))
    subject = str(fields.get(kind.subject, ""))
    return AuditRecord(
        at,
        code,
        who,
        actor.session,
        actor.address or str(fields.get("address", "")),
        "" if subject == who else subject,
        fields,
    )


def write_line(record: AuditRecord) -> None:
    """Write the line of an event to the log."""
    kind, fields = AUDIT[record.code], dict(record.what)
    if "{by}" not in kind.text:
        fields.pop("by", None)
    _log.info("{code}: " + kind.text, code=record.code, **fields)


class RecordStore(Protocol):
    """What the audit log uses of the store; see `IAdminStore`."""

    def record(self, audit: AuditRecord) -> Deferred[None]:
        """Store a record."""


class Audit:
    """Writes the audit log of a chat.

    Args:
        store: stores the records.
        now: returns the time in milliseconds since 1970, UTC.
    """

    def __init__(self, store: RecordStore, now: Callable[[], int]) -> None:
        self._store = store
        self._now = now

    def record(self, code: str, actor: Actor = NO_ACTOR, **fields: Any) -> AuditRecord:
        """Return the record of an event that is about to be stored, and is stored with it.

        Args:
            code, actor, fields: as of `audit_record`.
        """
        return audit_record(code, self._now(), actor, **fields)

    def note(self, code: str, actor: Actor = NO_ACTOR, **fields: Any) -> None:
        """Write the line of an event and store its record, where nothing else is stored.

        Args:
            code, actor, fields: as of `audit_record`.
        """
        record = self.record(code, actor, **fields)
        write_line(record)
        run_in_background(self._store.record(record), "storing a record of the audit log")
