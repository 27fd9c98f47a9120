"""Exports of what is stored of an account: who gets one and when, and what is in it.

A session asks with the password, and again until it is made; it gets a link then that is good once,
and as long as the session goes on. One export is made at a time, in slices that the store reads
beside its other work. How it is written is in the server (`IExportFiles`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from zope.interface import Interface

from gtchat.chat.account_deletion import authenticate_own
from gtchat.chat.accounts import Accounts
from gtchat.chat.admin_store import AuditQuery, ListedAccount
from gtchat.chat.audit import Actor, AuditRecord, write_line
from gtchat.chat.background import run_in_background
from gtchat.chat.entries import Entry
from gtchat.chat.errors import ChatError, NoSuchUser, NotAllowed, RateLimited
from gtchat.chat.events import MessageSent
from gtchat.chat.history_records import HistoryQuery
from gtchat.chat.interfaces import Account
from gtchat.chat.live_sessions import token_hash
from gtchat.chat.message_rules import whisper_of
from gtchat.chat.resume import RESUME_WINDOW_S
from gtchat.chat.state import State
from gtchat.chat.users import Session

#: Seconds between two exports of an account, and for which one is kept and its links are good.
INTERVAL_S, LINK_S = 24 * 3600, 600
#: Exports of users that are kept at a time; the oldest is deleted for another one.
MAX_KEPT = 20
#: Items of a page that is read at a time.
PAGE = 200

#: A part of an export: the name of its file, and some of its lines, entries or objects.
Part = tuple[str, Sequence[Mapping[str, Any] | Entry]]

_log = Logger()


class IExportFiles(Interface):
    """Writes exports; the files are its own."""

    def write(parts: AsyncIterator[Part], path: str | None) -> Awaitable[str]:
        """Write an export. Return the path of the file.

        Args:
            parts: what is in it.
            path: where it is kept for good; None for a file that `delete` deletes.

        Raises:
            BadRequest: there is such a file, or it can't be made.
            NotStored: it can't be written, or what is in it can't be read.
        """

    def delete(path: str) -> None:
        """Delete a file that is not kept for good."""

    def stop() -> None:
        """Write no more."""


@attrs.define(eq=False)
class KeptExport:
    """An export that waits to be fetched.

    Attributes:
        path: of its file.
        session: token hash of the session that has asked for it with the password.
        expires_at: when it is deleted, in milliseconds since 1970, UTC.
        timer: deletes it.
        links: hashes of the tokens of its links.
    """

    path: str
    session: bytes
    expires_at: int
    timer: IDelayedCall
    links: set[bytes] = attrs.field(factory=set)


@attrs.frozen
class ExportLink:
    """A link to an export; `token` is the secret in it, `expires_at` is that of `KeptExport`."""

    token: str
    expires_at: int


class DataExports:
    """Makes exports.

    Args:
        state: the chat's shared objects.
        accounts: checks passwords.

    Attributes:
        files: writes them; None where none are made. The server sets it.
    """

    def __init__(self, state: State, accounts: Accounts) -> None:
        self._state = state
        self._accounts = accounts
        self._store = state.store
        self._audit = state.audit
        self._users = state.users
        self.files: IExportFiles | None = None
        #: The account whose export is being made, 0 for an operator's, and the session that asked.
        self._making: int | None = None
        self._asker = b""
        #: Accounts whose export has failed, which may have another one at once; who asked.
        self._failed: dict[int, bytes] = {}
        self._kept: dict[int, KeptExport] = {}

    # For users.

    async def ask(
        self, session: Session, secret: str | None = None, uuid: str | None = None
    ) -> ExportLink | None:
        """Begin to make an export for a user. Return a link to it once it is made, None before.

        Args:
            session: a session of the user.
            secret, uuid: as in `authenticate_own`; wanted the first time that this session asks.

        Raises:
            BadRequest, BadCredentials, LockedOut.
            NotAllowed: the account is temporary, or this server makes no exports.
            RateLimited: the account had one within a day, or others are being made.
            NotStored.
        """
        user, asker = session.user, session.token_hash
        if not user.registered:
            raise NotAllowed("A temporary account has no export.")
        if asker not in self._askers(user.id):
            await authenticate_own(self._accounts, session, secret, uuid)
        if (kept := self._kept.get(user.id)) is not None:
            kept.session = asker
            return self._link(kept)
        if self._making == user.id:
            self._asker = asker
            return None
        files = self._begin(user.id)
        self._asker = asker
        try:
            await self._check_interval(user.id, user.name)
            record = self._audit.record(
                "own_export", session.actor, name=user.name, address=session.connection.address
            )
            await self._store.record(record)
        except ChatError:
            self._making = None
            raise
        write_line(record)
        making = Deferred.fromCoroutine(self._make(files, user.id))
        run_in_background(making, "making an export")
        return None

    def _askers(self, account_id: int) -> Iterator[bytes]:
        """Yield the sessions of an account that have given the password for an export."""
        if self._making == account_id:
            yield self._asker
        if account_id in self._failed:
            yield self._failed[account_id]
        if (kept := self._kept.get(account_id)) is not None:
            yield kept.session

    def _begin(self, account_id: int) -> IExportFiles:
        """Take note that an export is being made. Raises NotAllowed, RateLimited, NotStored."""
        if self.files is None:
            raise NotAllowed("This server makes no exports.")
        if self._making is not None:
            raise RateLimited("Another export is being made.", retry_after=30)
        self._state.quota.check_space()
        self._making = account_id
        return self.files

    async def _check_interval(self, account_id: int, name: str) -> None:
        """Check that an account had no export within a day. Raises RateLimited, NotStored."""
        if account_id in self._failed:
            del self._failed[account_id]
            return
        since, names = self._users.now() - INTERVAL_S * 1000, {name}
        async for one in self._records(AuditQuery(since=since, code="account_renamed")):
            if one.what.get("new_name") in names:
                names.add(str(one.what["name"]))  # no other account can have it for longer
        for each in names:
            query = AuditQuery(since=since, name=each, code="own_export", limit=1)
            if found := await self._store.audit_records(query):
                wait = (found[0].at - since) / 1000
                raise RateLimited("An account can be exported once a day.", retry_after=wait)

    async def _make(self, files: IExportFiles, account_id: int) -> None:
        """Make an export, and keep it for a while."""
        try:
            path = await files.write(self._parts(account_id), None)
        except ChatError:
            self._failed[account_id] = self._asker
            raise
        finally:
            self._making = None
        if len(self._kept) >= MAX_KEPT:
            self._drop(next(iter(self._kept)))
        timer = self._state.clock.callLater(LINK_S, self._drop, account_id)
        expires_at = self._users.now() + LINK_S * 1000
        self._kept[account_id] = KeptExport(path, self._asker, expires_at, timer)

    def _link(self, kept: KeptExport) -> ExportLink:
        """Return a new link to an export, in place of the one before."""
        token = self._state.token()
        kept.links = {token_hash(token)}
        return ExportLink(token, kept.expires_at)

    def _drop(self, account_id: int) -> None:
        """Delete an export that was not fetched."""
        kept = self._kept.pop(account_id)
        if kept.timer.active():
            kept.timer.cancel()
        self.delete(kept.path)

    async def take(self, token: str) -> KeptExport | None:
        """Return the export of a link, which is good no more; None if it was not.

        The file is the caller's, who calls `delete`.
        """
        wanted = token_hash(token)
        for account_id, kept in list(self._kept.items()):
            if wanted in kept.links:
                kept.links.clear()
                goes_on = await self._goes_on(account_id, kept.session)
                if goes_on and self._kept.get(account_id) is kept:
                    del self._kept[account_id]
                    kept.timer.cancel()
                    return kept
        return None

    async def _goes_on(self, account_id: int, session: bytes) -> bool:
        """Return whether a session has not ended, at whatever node, and its user is not banned."""
        oldest = self._users.now() - RESUME_WINDOW_S * 1000
        with suppress(ChatError):
            one = await self._store.listed_account(account_id)
            for record in await self._store.sessions(account_id, oldest, 0):
                if one is not None and record.token_hash == session:
                    account = Account(one.id, one.name, one.key, True, operator=one.operator)
                    self._state.bans.check(account, record.address)
                    return True
        return False

    def delete(self, path: str) -> None:
        """Delete the file of an export."""
        if self.files is not None:
            self.files.delete(path)

    def stop(self) -> None:
        """Delete what is kept, and make no more."""
        for account_id in list(self._kept):
            self._drop(account_id)
        if self.files is not None:
            self.files.stop()

    # For operators at the server.

    async def write(self, account: Account, path: str, actor: Actor) -> str:
        """Write an export of an account to a file. Return its path.

        Args:
            account: the account.
            path: of the file, which must not exist.
            actor: who does it.

        Raises:
            NotAllowed, RateLimited, BadRequest, NotStored.
        """
        files = self._begin(0)
        record = self._audit.record("account_exported", actor, name=account.name)
        try:
            written = await files.write(self._parts(account.id), path)
            await self._store.record(record)
        finally:
            self._making = None
        write_line(record)
        return written

    # What is in it.

    async def _parts(self, account_id: int) -> AsyncIterator[Part]:
        """Yield what is stored of an account. Raises NoSuchUser, NotStored."""
        store = self._store
        account, facts = await store.listed_account(account_id), await store.own_facts(account_id)
        if account is None:
            raise NoSuchUser()
        yield (
            "account",
            [
                {
                    "name": account.name,
                    "created_at": account.created_at,
                    "operator": account.operator,
                    "has_password": account.has_password,
                    "has_key": account.has_key,
                    "telephone_number": facts.number,
                    "reserved_names": facts.reserved,
                    "lobby_read_seq": facts.lobby_read_seq,
                }
            ],
        )
        profile, _ = await store.find_profile(account_id)
        yield "profile", [attrs.asdict(profile)]
        yield "rooms", [attrs.asdict(room) for room in facts.rooms]
        yield "blocked", [{"name": name} for name in facts.blocked]
        yield "networks", [{"network": one, "seen_at": at} for one, at in facts.networks]
        oldest = self._users.now() - RESUME_WINDOW_S * 1000
        for record in await store.sessions(account_id, oldest, 0):
            fields = attrs.asdict(record)
            del fields["token_hash"]
            yield "sessions", [fields]
        async for audit in self._audited(account):
            yield "audit", [audit]
        async for part in self._entries(account_id):
            yield part
        async for part in self._directs(account_id):
            yield part

    async def _audited(self, account: ListedAccount) -> AsyncIterator[Mapping[str, Any]]:
        """Yield what the audit log has of what an account did since it has its name.

        The log knows names only: guests, and accounts that were renamed, may have had it before.
        """
        name, since = account.name, account.created_at
        async for one in self._records(AuditQuery(since=since, code="account_renamed")):
            if one.what.get("new_name") == name:
                since = one.at
                break
        async for one in self._records(AuditQuery(since=since, name=name)):
            if one.who == name:  # not what operators did, with their addresses
                yield {"at": one.at, "code": one.code, **one.what}

    async def _records(self, query: AuditQuery) -> AsyncIterator[AuditRecord]:
        """Yield records of the audit log, newest first, in pages."""
        query = attrs.evolve(query, limit=PAGE)
        while True:
            found = await self._store.audit_records(query)
            for one in found:
                yield one
            if len(found) < PAGE:
                return
            query = attrs.evolve(query, before=found[-1].id)

    async def _entries(self, account_id: int) -> AsyncIterator[Part]:
        """Yield the entries of rooms that are about an account, and what mentions it."""
        after: int | None = 0
        while after is not None:
            page = await self._store.own_entries(account_id, after)
            yield "room_entries", page.entries
            after = page.next
        before = None
        while True:
            mentions = await self._store.mentions(account_id, before, PAGE)
            yield "mentions", mentions.entries
            before = mentions.next
            if before is None:
                return

    async def _directs(self, account_id: int) -> AsyncIterator[Part]:
        """Yield the direct conversations of an account, and then what is in them."""
        others: dict[int, str] = {}
        before = None
        while True:
            page = await self._store.directs(account_id, before, PAGE)
            fields = ("other", "ended", "read_seq", "notify", "at")
            yield "directs", [{one: getattr(each, one) for one in fields} for each in page.directs]
            others.update((each.id, each.other) for each in page.directs)
            before = page.next
            if before is None:
                break
        for log_id, other in others.items():
            async for entry in self._messages(account_id, log_id, other):
                yield "direct_messages", [entry]

    async def _messages(self, account_id: int, log_id: int, other: str) -> AsyncIterator[Entry]:
        """Yield the messages of a direct conversation as an account sees them, oldest first."""
        after = 0
        while True:
            query = HistoryQuery(after=after, limit=PAGE, viewer=account_id)
            page = await self._store.history(log_id, query)
            for entry in page.entries:
                assert isinstance(entry, MessageSent)  # a page leaves out changes
                yield whisper_of(entry, other if entry.subject_id == account_id else "")
            if not page.entries or not page.more:
                return
            after = page.entries[-1].seq
