"""Accounts that are deleted, as `MemoryStore` keeps them; see `store.sql.deletions`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gtchat.chat.deletion_rules import DELETED_USER, AccountDeletion, Erasure, forget_author
from gtchat.chat.errors import NoSuchUser
from gtchat.chat.events import AnnotatedMessage, Entry, RoomChanged
from gtchat.chat.interfaces import Account
from gtchat.store.memory.accounts import AccountTable
from gtchat.store.memory.direct import DirectTable
from gtchat.store.memory.room_log import RoomLog
from gtchat.store.memory.rooms import RoomTable
from gtchat.store.memory.rows import AccountRow


class DeletionTable:
    """The accounts whose deletion has begun.

    Args:
        accounts: the accounts.
        rooms: the rooms with what they have said.
        directs: the direct conversations.
    """

    def __init__(self, accounts: AccountTable, rooms: RoomTable, directs: DirectTable) -> None:
        self._accounts = accounts
        self._rooms = rooms
        self._directs = directs
        self._begun: dict[int, AccountDeletion] = {}

    def begin(self, row: AccountRow, erasure: Erasure) -> None:
        """Begin to delete an account."""
        if not row.registered or row.is_ending:
            raise NoSuchUser()
        self._begun[row.id] = AccountDeletion(row.id, row.name, erasure)
        self._accounts.begin_ending(row)

    def unfinished(self) -> Sequence[Account]:
        """Return the accounts whose deletion has to go on."""
        return [self._accounts.accounts[one].record() for one in self._begun]

    def prepare_end(self, account_id: int) -> bool:
        """Take the name of an account that ends from what others have; return if it is deleted."""
        if account_id not in self._begun:
            return False
        self._directs.rename_other(account_id, DELETED_USER)
        for room in self._rooms.rooms.values():
            room.moderation = room.moderation.renamed(account_id, DELETED_USER)
        return True

    def end(self, account_id: int) -> None:
        """Change what an account has said whose row is gone."""
        deletion = self._begun.pop(account_id, None)
        if deletion is None:
            return
        for room in list(self._rooms.rooms.values()):
            is_direct = self._directs.is_direct(room.id)
            for entry in list(_said(room, deletion)):
                forget_author(room.log[entry.seq - room.first], deletion, is_direct, room.messages)


def _said(room: RoomLog, deletion: AccountDeletion) -> Iterator[Entry]:
    """Yield the entries of a log that have to be changed."""
    for entry in room.log:
        has_set = isinstance(entry, RoomChanged) and entry.usr == deletion.name
        if entry.subject_id == deletion.account_id or has_set:
            yield entry
        elif isinstance(entry, AnnotatedMessage) and entry.reply is not None:
            target = room.messages.find(entry.reply.seq)
            if target is None or target.subject_id == deletion.account_id:
                yield entry
