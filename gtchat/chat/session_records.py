"""Records of sessions and devices that the chat and its store exchange: data only.

Times are milliseconds since 1970, UTC. Secrets are hashed before they are here (SHA-256).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from enum import Enum

import attrs

from gtchat.chat.audit import AuditRecord

#: Most sessions and devices in a list.
LISTED_SESSIONS = 1_000


def listed_session_id(token_hash: bytes) -> str:
    """Return a name for a session that tells nothing of its secret."""
    return hashlib.sha256(b"listed " + token_hash).hexdigest()[:12]


@attrs.frozen
class EndedSession:
    """A session that has ended, or whose connection was lost.

    Attributes:
        account_id: its account.
        token_hash: names the session, 32 bytes.
        sent: room id -> last `seq` that was sent to it.
    """

    account_id: int
    token_hash: bytes
    sent: Mapping[int, int]


class Replaces(Enum):
    """Which other sessions of its account a login ends, connected or not."""

    NOTHING = "nothing"
    #: Those without a device, of the same protocol.
    WITHOUT_DEVICE = "without device"
    #: All of the same protocol.
    PROTOCOL = "protocol"
    ALL = "all"


@attrs.frozen
class SessionLimits:
    """How many sessions an account can have; 0 for no limit.

    Beyond that a login ends those that were connected longest ago; of those that are connected, the
    one that began first.

    Attributes:
        devices: devices of the account; a device ends with all of its sessions.
        sessions: sessions of one device; for a session without a device, sessions without one.
        tokens_after: device tokens are valid if their device was connected after this time.
    """

    devices: int = 0
    sessions: int = 0
    tokens_after: int = 0


@attrs.frozen
class NewDevice:
    """The device of a session that begins.

    Attributes:
        device: names it among the devices of the account.
        name: for users; None keeps the name it has.
        token_hash: of a token that begins now, 32 bytes; None keeps the one it has.
        proved: hash of the token that the login was proved with, None for a login with a password.
    """

    device: str
    name: str | None = None
    token_hash: bytes | None = None
    proved: bytes | None = None


@attrs.frozen
class NewSession:
    """A session that begins.

    Attributes:
        token_hash: names it, 32 bytes; None if it cannot be resumed and need not be stored.
        at: now.
        network: `network_key` of the client's address.
        ended: sessions that end with it, in the same transaction, unless another node has them.
        marks_read: whether its client marks what was read, so that what it is sent does not count.
        protocol: the client's protocol; see `IConnection.protocol`.
        address: IP address of the client.
        connected: what the account's other connected sessions were sent, for those that end.
        device: its device, None for none.
        replaces: which other sessions of the account end.
        limits: how many sessions the account can have.
        refuses: whether it does not begin (AlreadyLoggedIn) while another session of the account
            is connected, at any node.
        link: hash of the login link that it was proved with, which ends; None for none.
        audit: the record that is stored with it, None for none.
        known: ids of the rooms of the account that are in memory; see `AccountState.rooms`.
    """

    token_hash: bytes | None
    at: int
    network: str
    ended: tuple[EndedSession, ...] = ()
    marks_read: bool = False
    protocol: str = ""
    address: str = ""
    connected: tuple[EndedSession, ...] = ()
    device: NewDevice | None = None
    replaces: Replaces = Replaces.NOTHING
    limits: SessionLimits = SessionLimits()
    refuses: bool = False
    link: bytes | None = None
    audit: AuditRecord | None = None
    known: frozenset[int] = frozenset()


@attrs.frozen
class SessionRecord:
    """A session of an account, or a device that can begin one.

    Attributes:
        token_hash: names the session, 32 bytes; None for a device without a session.
        protocol: the protocol of its client, "" without a session.
        address: IP address of its client, "" without a session.
        began_at: when the session began, or the device was first used.
        seen_at: when it was connected last, None as long as it is connected.
        device: names its device, None for a session without one.
        device_name: the name of its device, "" for none.
        remembered: whether its device has a valid token.
    """

    token_hash: bytes | None
    protocol: str
    address: str
    began_at: int
    seen_at: int | None
    device: str | None = None
    device_name: str = ""
    remembered: bool = False


@attrs.frozen
class ListedSession:
    """A session of an account, or a device that can begin one, as its user sees it.

    Attributes:
        id: names it in `Sessions.end`; it is no secret.
        record: what is known of it.
        is_current: whether it is the session that asks.
    """

    id: str
    record: SessionRecord
    is_current: bool


def listed_id(record: SessionRecord) -> str:
    """Return a name for a session, or a device without one, that tells nothing of the secrets."""
    return listed_session_id(record.token_hash or b"device " + (record.device or "").encode())
