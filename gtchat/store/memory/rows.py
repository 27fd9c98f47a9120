"""Accounts and sessions as `MemoryStore` keeps them."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Protocol

import attrs

from gtchat.chat.interfaces import Account, Direct
from gtchat.chat.profile_store import NO_PROFILE, Profile
from gtchat.chat.records import NETWORK_REFRESH_MS, NETWORKS_PER_ACCOUNT


@attrs.define(eq=False)
class DeviceRow:
    """A device of an account.

    Attributes:
        device: names it among the devices of the account.
        created_at: when it was first used, in milliseconds since 1970, UTC.
        last_seen: when one of its sessions began or was lost last.
        token_hash: hash of its token, 32 bytes; None without one.
        name: for users, "" for none.
    """

    device: str
    created_at: int
    last_seen: int
    token_hash: bytes | None = None
    name: str = ""


@attrs.define(eq=False)
class AccountRow:
    """An account with what belongs to it.

    Attributes:
        id, name, key, registered, password_hash: those of `Account`.
        uuid_hash: credential of 32 bytes, None without one.
        lobby_read_seq: seq up to which it has read the lobby.
        rooms: ids of the rooms that it is a member of.
        blocks: ids of the accounts that it blocks.
        sessions: token hashes of its sessions.
        devices: its devices by name.
        network: network of a temporary account's last login or resume.
        networks: network that it registered or logged in from -> when it last did.
        notify: room id -> `MembershipRecord.notify`, where it is not `all`.
        created_at: when it was created, in milliseconds since 1970, UTC; 0 for a temporary one.
        operator: whether it has the operator mark.
        is_ending: whether it is being deleted.
        invite_id: the invitation whose rooms it has still to join, None for none.
        profile: what its user says.
    """

    id: int
    name: str
    key: str
    registered: bool
    password_hash: str | None = None
    uuid_hash: bytes | None = None
    lobby_read_seq: int = 0
    rooms: set[int] = attrs.field(factory=set)
    blocks: frozenset[int] = frozenset()
    sessions: frozenset[bytes] = frozenset()
    devices: dict[str, DeviceRow] = attrs.field(factory=dict)
    network: str = ""
    networks: dict[str, int] = attrs.field(factory=dict)
    notify: dict[int, str] = attrs.field(factory=dict)
    created_at: int = 0
    operator: bool = False
    is_ending: bool = False
    invite_id: int | None = None
    profile: Profile = NO_PROFILE

    def record(self, asker: int | None = None, network: str | None = None) -> Account:
        """Return the account as the chat loads it.

        Args:
            asker: account id for `Account.blocks_asker`, None to leave it False.
            network: key of a network for `Account.seen_at`, None to leave it 0.
        """
        return Account(
            id=self.id,
            name=self.name,
            key=self.key,
            registered=self.registered,
            password_hash=self.password_hash,
            blocks_asker=asker in self.blocks,
            seen_at=self.networks.get(network, 0) if network is not None else 0,
            operator=self.operator,
            invite_id=self.invite_id,
        )

    def not_counted(self, accounts: Mapping[int, AccountRow]) -> dict[int, str]:
        """Return id and name of the accounts whose messages are not unread for this one."""
        return {other: accounts[other].name for other in (self.id, *self.blocks)}

    def add_network(self, network: str | None, at: int) -> None:
        """Store that the account registered or logged in from a network; None for no network."""
        if network is None or self.networks.get(network, -math.inf) + NETWORK_REFRESH_MS > at:
            return
        self.networks[network] = at
        if len(self.networks) > NETWORKS_PER_ACCOUNT:
            del self.networks[min(self.networks, key=self.networks.__getitem__)]


@attrs.frozen
class ReservedName:
    """A former name that only its account may have.

    Attributes:
        account_id: the account.
        name: the name as displayed.
        until: the end of that, in milliseconds since 1970, UTC.
    """

    account_id: int
    name: str
    until: int


@attrs.define(eq=False)
class SessionRow:
    """A session.

    Attributes:
        account_id: its account.
        start: number of starts of the server until it was last connected.
        began_at: when it began or was resumed, in milliseconds since 1970, UTC; so are the others.
        lost_at: when its connection was lost, None while that is not known.
        expires_from: start of the time after which it expires, None while it is connected.
        marks_read: whether it marks itself what was read.
        device: the device that it is on, None for none.
        protocol, address: of its client.
        created_at: when it began.
        node_id: the node that has its connection, or waits for its user; None if only one node
            uses the tables.
    """

    account_id: int
    start: int
    began_at: int
    lost_at: int | None = None
    expires_from: int | None = None
    marks_read: bool = False
    device: str | None = None
    protocol: str = ""
    address: str = ""
    created_at: int = 0
    node_id: int | None = None


class AccountDirects(Protocol):
    """The direct conversations of accounts; see `DirectTable`."""

    def newest(self, account_id: int, limit: int) -> tuple[Direct, ...]:
        """Return the newest conversations of an account."""

    def others(self, account_id: int) -> dict[int, str]:
        """Return the ids of the conversations of an account, and who the other user is."""

    def of_rooms(self, account_id: int, ids: Collection[int]) -> tuple[Direct, ...]:
        """Return those with some ids."""
