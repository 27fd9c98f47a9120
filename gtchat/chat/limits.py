"""Limits: what an operator can set, and the key under which an address is counted.

`Limits` is the `[limits]` table of the settings; names and defaults are those of docs/protocol.md,
"Settings". 0 means no limit, for each of them. A chat and its protocols share one object, which
changes when the operator has the settings read again, or chooses another value (`limit_admin`): a
limit is read where it is applied, never copied. Rates are held by `token_buckets`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import attrs
from attrs.validators import instance_of

from gtchat.chat.token_buckets import Rate

#: Smallest value of a limit but 0, so that the time until something is allowed is a number; and the
#: largest one: so many days in milliseconds are a number of 64 bits.
SMALLEST, LARGEST = 0.000_001, 100_000_000_000
#: Largest reply of a protocol, and most text that is read from the store for one, in bytes.
REPLY_BYTES = 262_144

#: What a user is told who can't have another room, given the limit.
MAX_CREATED = "You can create at most {} rooms."
MAX_MEMBERSHIPS = "A user can be a member of at most {} rooms."
MAX_RECEIVED = "This user has received too many rooms."


def is_limit(value: float) -> bool:
    """Return whether a number can be a limit."""
    return value == 0 or SMALLEST <= value <= LARGEST


def _check(limits: Limits, field: attrs.Attribute[float], value: float) -> None:
    if not is_limit(value):
        raise ValueError(f"{field.name} cannot be {value}")


def _limit(default: float, help_text: str) -> Any:
    """Return an attribute that refuses what is no limit, with its default and its help."""
    checks: list[Any] = [instance_of((int, float)), _check]
    return attrs.field(default=default, validator=checks, metadata={"help": help_text})


@attrs.define(kw_only=True, slots=False)
class Limits:
    """Limits of the chat and its protocols: sizes in bytes, times in seconds, 0 for no limit."""

    message_bytes: int = _limit(65_536, "largest message on the wire, in bytes")
    text_chars: int = _limit(4_000, "longest text of a message, in characters")
    commands_burst: int = _limit(20, "commands that an account can send at once")
    commands_per_second: float = _limit(10.0, "commands a second, for an account")
    failed_logins_per_minute: float = _limit(10.0, "failed logins a minute, for an address")
    registrations_burst: int = _limit(30, "registrations at once, for an address")
    registrations_per_minute: float = _limit(10.0, "registrations a minute, for an address")
    login_links_per_minute: float = _limit(
        6.0, "links a minute that log a user in on another device, for an account"
    )
    previews_per_minute: float = _limit(
        10.0, "previews of rooms that are not joined a minute, for an address"
    )
    connections_per_address: int = _limit(256, "connections open at once, for an address")
    login_timeout: float = _limit(60.0, "seconds that a new connection has to log in")
    ping_interval: float = _limit(20.0, "seconds between pings to a connection")
    ping_timeout: float = _limit(20.0, "seconds to wait for a pong after a ping")
    outbox_bytes: int = _limit(1_048_576, "unsent bytes kept for a slow connection")
    unsent_bytes_total: int = _limit(268_435_456, "unsent bytes kept for all connections")
    heartbeat_timeout: float = _limit(
        45.0, "seconds of silence after which a Message Center or PA1 client counts as lost"
    )
    lockout_tries: int = _limit(3, "wrong passwords in a row before a name is locked out")
    lockout_seconds: float = _limit(60.0, "seconds that a lockout lasts")
    pa1_lockout_seconds: float = _limit(30.0, "seconds that a lockout by logins over PA1 lasts")
    devices_per_account: int = _limit(
        20, "devices that an account can be logged in on; a login on one more ends the oldest"
    )
    sessions_per_device: int = _limit(
        20, "sessions that an account can have on one device; one more ends the oldest"
    )
    session_days: float = _limit(30.0, "days after its last use for which a device stays logged in")
    edit_window: float = _limit(86_400.0, "seconds for which a message can be edited")
    reactions_per_minute: float = _limit(30.0, "reactions a minute, for an account")
    reactions_per_message: int = _limit(20, "different emoji with which a message has reactions")
    reaction_changes: int = _limit(
        20, "changes that a user can make to the own reactions to a message"
    )
    searches_per_minute: float = _limit(30.0, "searches a minute, for an account")
    searches_at_once: int = _limit(1, "searches of an account at the same time")
    search_timeout: float = _limit(2.0, "seconds after which a search ends with what it has found")
    pins_per_room: int = _limit(50, "messages that are pinned in a room")
    mentions_per_message: int = _limit(20, "users that a message mentions")
    mentions_per_account: int = _limit(
        1_000, "mentions that are kept of a user, and of all members of a room"
    )
    invitations_per_user: int = _limit(200, "invitations that wait for the answer of a user")
    invitations_per_pair: int = _limit(
        20, "invitations of one user that wait for the answer of one other"
    )
    invitations_per_inviter: int = _limit(1_000, "invitations of a user that wait for answers")
    typing_interval: float = _limit(
        3.0, "seconds between two typing notifications of a user to a room"
    )
    rooms_per_user: int = _limit(
        100, "rooms that a user can create, and as many that a user can receive"
    )
    members_per_room: int = _limit(0, "members that a room can have")
    memberships_per_user: int = _limit(5_000, "rooms that a user can be a member of")
    stored_whispers_per_user: int = _limit(
        10_000, "whispers kept for a user from senders that the user never wrote to"
    )
    daily_bytes_account: int = _limit(
        52_428_800, "bytes of text that a registered account can store in a day"
    )
    daily_bytes_guest: int = _limit(5_242_880, "bytes of text that a guest can store in a day")
    daily_bytes_guests_address: int = _limit(
        52_428_800, "bytes of text that all guests of an address can store in a day"
    )
    export_bytes: int = _limit(
        1_073_741_824, "most bytes of an export of an account, before they are compressed"
    )
    quota_account_bytes: int = _limit(
        0, "bytes of text that all messages of a registered account can take"
    )
    quota_room_bytes: int = _limit(
        0, "bytes of text that all messages of a room can take, except the lobby"
    )
    audit_days: float = _limit(90.0, "days for which records of the audit log are kept")
    audit_records: int = _limit(
        1_000_000, "records of the audit log that users cause, such as logins, that are kept"
    )
    keep_messages: int = _limit(
        0, "newest messages that are kept of each room and each direct conversation"
    )
    keep_days: float = _limit(
        0.0, "days for which the entries of rooms and of direct conversations are kept"
    )
    admin_commands_per_minute: float = _limit(
        60.0, "administrative commands a minute, for an operator's account"
    )
    panic_slow_seconds: float = _limit(
        10.0, "seconds between two messages of a user while the panic switch is on"
    )
    filter_rules: int = _limit(1_000, "rules of the word filter")
    bans: int = _limit(10_000, "bans from the server that are kept")
    invite_links: int = _limit(
        10_000, "invitations by link that are valid at the same time, in all"
    )
    invite_links_per_account: int = _limit(
        20, "invitations by link of an account that are valid at the same time"
    )
    invite_link_uses: int = _limit(
        100, "accounts that can be registered with an invitation by link of a member"
    )
    roles_per_room: int = _limit(100, "roles that users have in a room")
    mutes_per_room: int = _limit(200, "users that are muted in a room")
    bans_per_room: int = _limit(200, "users and patterns of names that are banned from a room")
    reports_per_hour: float = _limit(
        20.0, "reports of messages an hour, for an account, or all guests of an address"
    )
    reports_per_account: int = _limit(20, "reports of an account that are not answered")
    reports_per_room: int = _limit(200, "reports of messages of a room that are not answered")
    reports: int = _limit(10_000, "reports that are kept")
    report_days: float = _limit(90.0, "days for which reports are kept, and their copies")
    min_free_bytes: int = _limit(67_108_864, "free disk space below which nothing more is stored")

    def __attrs_post_init__(self) -> None:
        self._rates: dict[FindRate, Rate] = {}  # no attribute of attrs: it is no setting

    def replace(self, new: Limits) -> None:
        """Take all values of other limits: they hold from now on, wherever this object is."""
        for field in attrs.fields(Limits):
            setattr(self, field.name, getattr(new, field.name))
        for find, rate in self._rates.items():
            rate.change(*find(self))

    def rate(self, find: FindRate) -> Rate:
        """Return a rate that follows these limits.

        Args:
            find: returns tokens a second and of a full bucket, from the limits; a function of a
                module, since the rate is kept under it.
        """
        if find not in self._rates:
            self._rates[find] = Rate(*find(self))
        return self._rates[find]


#: Returns tokens a second and of a full bucket.
FindRate = Callable[[Limits], tuple[float, float]]


def command_rate(limits: Limits) -> tuple[float, float]:
    """Return the rate of commands (`FindRate`)."""
    return limits.commands_per_second, limits.commands_burst


@lru_cache(maxsize=4096)
def network_key(address: str) -> str:
    """Return the key under which an address is counted, for every limit by address.

    A host with IPv6 usually owns a /64 (RFC 6177, RFC 4291 section 2.5.4), so that all of its
    addresses count as one.

    Args:
        address: an IP address as text; a zone (`%eth0`) does not matter.

    Returns:
        An IPv4 address as it is, an IPv4-mapped one as IPv4, an IPv6 address as its /64 network,
        and text that is no address unchanged.
    """
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv4Address):
        return str(ip)
    if ip.ipv4_mapped is not None:
        return str(ip.ipv4_mapped)
    return str(ipaddress.ip_network((ip, 64), strict=False))
