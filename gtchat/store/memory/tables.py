"""All that `MemoryStore` keeps. Several stores over the same tables are the nodes of one chat."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Protocol, TypeVar

from gtchat.chat.admin_store import OwnFacts, OwnRoom
from gtchat.chat.deletion_rules import Erasure
from gtchat.chat.interfaces import EndedSession, StoredGuest, StoredState
from gtchat.chat.node_records import (
    NO_FAILURES,
    CountFailures,
    FailureCount,
    NodeGone,
    SystemEntry,
)
from gtchat.chat.room_store import FIRST_LISTED
from gtchat.store.memory.accounts import AccountTable
from gtchat.store.memory.administration import AdminTable
from gtchat.store.memory.bans import BanTable
from gtchat.store.memory.deletions import DeletionTable
from gtchat.store.memory.devices import DeviceTable
from gtchat.store.memory.export_links import ExportLinks
from gtchat.store.memory.invite_calls import InviteTable
from gtchat.store.memory.mailbox import Mailbox
from gtchat.store.memory.mentions import MentionTable
from gtchat.store.memory.reports import ReportTable
from gtchat.store.memory.room_calls import RoomLists
from gtchat.store.memory.rooms import RoomTable
from gtchat.store.memory.rows import AccountRow, SessionRow
from gtchat.store.memory.sessions import SessionTable
from gtchat.store.memory.storage import StorageTable

T = TypeVar("T")


class WokenNode(Protocol):
    """What nodes use of each other: a `MemoryStore`."""

    def wake(self) -> None:
        """Look soon for what other nodes have written."""


class MemoryTables:
    """Accounts, rooms and messages, and the nodes that use them.

    Attributes:
        epoch: names all logs together; see `StoredState.epoch`.
        rooms: the rooms with their logs.
        accounts: the accounts.
        devices: the devices of the accounts.
        sessions: the sessions of the accounts.
        mailbox: what users send to rooms and to each other.
        mentions: the mentions of accounts in messages.
        admin: what operators do, and the audit log.
        storage: what the texts of messages take, and quotas.
        bans: the bans from the server.
        reports: the reports of messages.
        deletions: the accounts that are being deleted.
        exports: the links to exports of accounts.
        room_lists: the rooms as records, and lists of them.
        invites: the links with which users register.
        nodes: node id -> the node, of those that have not ended.
        online: node id -> account id -> name as displayed, of who is online there.
        system: the system log: (node id, entry); of `NodeGone` the node that takes over the guests.
        failures: (name, network) -> wrong guesses; see `INodeStore.count_failures`.
        wakes: whether a node that has written wakes the others.
    """

    def __init__(self) -> None:
        self.epoch = secrets.token_urlsafe(9)
        self.rooms = RoomTable()
        self.accounts = AccountTable(self.rooms)
        self.devices = DeviceTable(self.accounts)
        self.sessions = SessionTable(self.accounts, self.devices, self.rooms)
        self.mailbox = Mailbox(self.rooms, self.accounts)
        self.admin = AdminTable(self.accounts, self.rooms)
        self.storage = StorageTable(self.accounts, self.rooms)
        self.sessions.use_login_link = self.admin.use_login_link
        self.bans = BanTable(self.accounts, self.sessions)
        self.reports = ReportTable()
        self.deletions = DeletionTable(self.accounts, self.rooms, self.mailbox.directs)
        self.exports = ExportLinks(self.accounts)
        self.mentions = MentionTable(self.rooms, self.accounts, self.mailbox.directs)
        self.room_lists = RoomLists(self.rooms, self.accounts)
        self.invites = InviteTable(self.accounts)
        self.nodes: dict[int, WokenNode] = {}
        self.online: dict[int, dict[int, str]] = {}
        self.system: list[tuple[int, SystemEntry]] = []
        self.failures: dict[tuple[str, str], FailureCount] = {}
        self.wakes = True
        self._last_node = 0

    def load(self, guests: tuple[StoredGuest, ...], me: int | None = None) -> StoredState:
        """Return what a chat begins with.

        Args:
            guests: the temporary accounts that it takes over.
            me: the node that loads; None for one that is alone.
        """
        lists = self.room_lists
        online: dict[int, tuple[str, set[int]]] = {}
        for node_id, accounts in self.online.items() if me is not None else ():
            for account_id, name in accounts.items() if node_id != me else ():
                online.setdefault(account_id, (name, set()))[1].add(node_id)
        return StoredState(
            epoch=self.epoch,
            rooms=lists.lobby(),
            guests=guests,
            online=tuple((one, name, frozenset(ids)) for one, (name, ids) in online.items()),
            public=lists.listed(None, FIRST_LISTED),
            ownerless=lists.ownerless(),
            choices=dict(self.admin.choices),
            bans=self.bans.stored(),
        )

    def enter(self, node: WokenNode, at: int) -> int:
        """Begin a node, which takes over what belongs to no other. Return its id.

        Args:
            node: the node.
            at: now, in milliseconds since 1970, UTC.
        """
        if not self.nodes:  # what a node that joins finds was not lost by a restart
            self.rooms.begin_start()
        self._last_node += 1
        node_id = self._last_node
        self.nodes[node_id], self.online[node_id] = node, {}
        for session in self.accounts.sessions.values():
            if session.node_id not in self.nodes:
                session.node_id = node_id
                self._lose(session, at)
        return node_id

    def _lose(self, session: SessionRow, at: int) -> None:
        """Let a session expire from a time if it is connected."""
        if session.expires_from is None:
            session.expires_from = at
            self.devices.seen(session, at)

    def orphans(self, me: int) -> tuple[StoredGuest, ...]:
        """Return the temporary accounts that a node which begins takes over."""
        return tuple(
            self._guest(row)
            for row in self.accounts.accounts.values()
            if not (row.registered or self.is_online(row.id))
            and {self.accounts.sessions[one].node_id for one in row.sessions} <= {me}
        )

    def _guest(self, row: AccountRow) -> StoredGuest:
        return StoredGuest(row.record(), row.network, bool(row.sessions))

    def is_online(self, account_id: int, but: int | None = None) -> bool:
        """Return whether an account is online at a node; `but`: at another one than this."""
        return any(account_id in ids for node_id, ids in self.online.items() if node_id != but)

    def end_node(self, gone: int, adopter: int | None, at: int) -> None:
        """End a node: its sessions lose their connections, its guests go to another node.

        Args:
            gone: the node.
            adopter: the node that takes over, None for any other.
            at: now, in milliseconds since 1970, UTC.
        """
        del self.nodes[gone]
        was_online = self.online.pop(gone)
        to = adopter if adopter is not None else min(self.nodes, default=None)
        theirs = [one for one in self.accounts.sessions.values() if one.node_id == gone]
        guests = {*was_online, *(session.account_id for session in theirs)}
        adopted = [
            self._guest(row)
            for row in map(self.accounts.accounts.get, sorted(guests))
            if row is not None and not row.registered and not self.is_online(row.id)
        ]
        for session in theirs:
            session.node_id = to
            self._lose(session, at)
        self.system.append((to or 0, NodeGone(gone, tuple(adopted))))

    def set_online(self, node_id: int, came: dict[int, str], went: tuple[int, ...]) -> None:
        """Take note of who has come online at a node, and who is not online there any more."""
        self.online[node_id].update(came)
        for account_id in went:
            self.online[node_id].pop(account_id, None)

    def find_guest(self, key: str, of_several: bool) -> StoredGuest | None:
        """Return a temporary account that is connected nowhere; see `INodeStore.find_guest`.

        Args:
            key: the name.
            of_several: whether a node of several asks; one that is alone knows who is connected.
        """
        found = self.accounts.find(key, None)
        if found is None or found.registered:
            return None
        if of_several and self._is_connected(found.id, None):
            return None
        return self._guest(self.accounts.accounts[found.id])

    def count_failures(
        self, keys: Sequence[tuple[str, str]], change: CountFailures[T]
    ) -> tuple[T, FailureCount]:
        """Run a rule on counts of wrong guesses; see `INodeStore.count_failures`."""
        result, after = change([self.failures.get(key, NO_FAILURES) for key in keys])
        for key, count in zip(keys, after, strict=True):
            self.failures.pop(key, None)
            if count != NO_FAILURES:
                self.failures[key] = count
        return result, after[0]

    def move(self, token_hash: bytes, node_id: int) -> None:
        """Take note that a session is at a node; a temporary account is online at no other one."""
        session = self.accounts.sessions[token_hash]
        session.node_id = node_id
        if not self.accounts.accounts[session.account_id].registered:
            for other, accounts in self.online.items():
                if other != node_id:
                    accounts.pop(session.account_id, None)

    def begin_deletion(
        self,
        account_id: int,
        proved: str | None,
        erasure: Erasure,
        connected: Sequence[EndedSession],
    ) -> None:
        """Begin to delete an account; see `IAdminStore.begin_deletion`."""
        row = self.sessions.check_proof(account_id, proved)
        self.deletions.begin(row, erasure)
        self.sessions.end_other_sessions(account_id, None, connected)
        self.admin.delete_login_link(account_id)
        self.invites.delete_account(account_id)
        self.mailbox.delete_received(account_id)

    def end_guest(self, account_id: int) -> bool:
        """Delete an account that ends; see `IStore.end_guest`."""
        is_deleted = self.deletions.prepare_end(account_id)
        if is_deleted:
            self.mailbox.delete_sent(account_id)
        self.mailbox.end_guest(account_id)
        if account_id not in self.accounts.accounts:
            self.mentions.delete_account(account_id)
            self.exports.delete_account(account_id)
            self.deletions.end(account_id)
        return is_deleted

    def own_facts(self, account_id: int) -> OwnFacts:
        """Return what is stored of an account; see `IAdminStore.own_facts`."""
        row, others = self.accounts.require_account(account_id), self.accounts.accounts
        rooms = sorted((self.rooms.rooms[one] for one in row.rooms), key=lambda room: room.key)
        blocked = sorted((others[one] for one in row.blocks), key=lambda other: other.key)
        numbers = {one.account_id: one.number for one in self.accounts.phones()}
        reserved = self.accounts.reserved.items()
        return OwnFacts(
            rooms=tuple(
                OwnRoom(one.name, one.joined[row.id], one.read[row.id], _notify(row, one.id))
                for one in rooms
            ),
            lobby_read_seq=row.lobby_read_seq,
            blocked=tuple(other.name for other in blocked),
            networks=tuple(sorted(row.networks.items())),
            number=numbers.get(row.id, ""),
            reserved=tuple(sorted(key for key, one in reserved if one.account_id == row.id)),
        )

    def begin_ending(self, account_id: int, me: int | None) -> tuple[int, ...] | None:
        """End the sessions of an account that ends; see `INodeStore.begin_ending`.

        Args:
            account_id: the account.
            me: the node that asks, None for one that is alone: it knows who is connected.
        """
        row = self.accounts.accounts.get(account_id)
        if row is None or (row.registered and not row.is_ending):
            return None
        if not row.registered and me and self._is_connected(account_id, me):
            return None
        self.accounts.end_sessions(row, None)
        return tuple(room.id for room in self.accounts.rooms_of(row))

    def _is_connected(self, account_id: int, me: int | None) -> bool:
        """Return whether an account has a connected session or is online, at another node than me.

        Args:
            account_id: the account.
            me: the node that does not count; None to count all.
        """
        row = self.accounts.accounts[account_id]
        sessions = map(self.accounts.sessions.__getitem__, row.sessions)
        connected = (one.node_id for one in sessions if one.expires_from is None)
        return any(node_id != me for node_id in connected) or self.is_online(account_id, me)


def _notify(row: AccountRow, room_id: int) -> str:
    return row.notify.get(room_id, "all")
