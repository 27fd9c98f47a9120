"""Exports of what is stored of an account: who gets one and when, and what is in it.

A session asks with the password, and gets a link that is good once, at any server, as long as the
session goes on. The export is made while the link is fetched, in slices that the store reads beside
its other work, and sent as fast as the client reads. How it is written is in the server
(`IExportFiles`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import attrs
from zope.interface import Interface

from gtchat.chat.account_deletion import authenticate_own
from gtchat.chat.accounts import Accounts
from gtchat.chat.admin_store import AuditQuery, ListedAccount
from gtchat.chat.audit import Actor, AuditRecord, write_line
from gtchat.chat.audit_names import names_of, records
from gtchat.chat.background import Progress, no_progress
from gtchat.chat.entries import Entry
from gtchat.chat.errors import BadCredentials, ChatError, NoSuchUser, NotAllowed, RateLimited
from gtchat.chat.events import MessageSent
from gtchat.chat.export_store import StoredExportLink
from gtchat.chat.history_records import HistoryQuery
from gtchat.chat.interfaces import Account
from gtchat.chat.limits import network_key
from gtchat.chat.live_sessions import token_hash
from gtchat.chat.message_rules import whisper_of
from gtchat.chat.resume import RESUME_WINDOW_S
from gtchat.chat.session_records import listed_session_id
from gtchat.chat.state import State
from gtchat.chat.users import Session

#: Seconds between two exports of an account, after one that was not sent whole, and for which a
#: link is good.
INTERVAL_S, RETRY_S, LINK_S = 24 * 3600, 600, 600
#: Exports that a server sends at a time: to all users, and to those of an address (of IPv6 a /64).
MAX_SENT, MAX_SENT_ADDRESS = 10, 3
#: Items of a page that is read at a time.
PAGE = 200

#: A part of an export: the name of its file, and some of its lines, entries or objects.
Part = tuple[str, Sequence[Mapping[str, Any] | Entry]]
#: Takes a piece of an export, and returns when the next one can follow. A piece without bytes says
#: that the export is still being made.
TakePiece = Callable[[bytes], Awaitable[None]]


class IExportFiles(Interface):
    """Writes exports."""

    def send(parts: AsyncIterator[Part], take: TakePiece) -> Awaitable[None]:
        """Make an export piece by piece.

        Args:
            parts: what is in it.
            take: takes the pieces; what it raises ends the export.

        Raises:
            NotStored: what is in it can't be read.
        """

    def write(parts: AsyncIterator[Part], path: str) -> Awaitable[None]:
        """Write an export to a file, which must not exist.

        Raises:
            BadRequest: there is such a file, or it can't be made.
            NotStored: it can't be written, or what is in it can't be read.
        """

    def stop() -> None:
        """Write no more."""


@attrs.frozen
class ExportLink:
    """A link to an export; `token` is the secret in it, `expires_at` when it ends."""

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
        #: Network key of an address -> how many are being sent to its users.
        self._sent: Counter[str] = Counter()
        #: Ids of these users.
        self._receiving: set[int] = set()
        self._is_writing = False

    # For users.

    async def ask(
        self, session: Session, secret: str | None = None, uuid: str | None = None
    ) -> ExportLink:
        """Return a link to an export of a user, in place of the one before.

        Args:
            session: a session of the user.
            secret, uuid: as in `authenticate_own`.

        Raises:
            BadRequest, BadCredentials, LockedOut.
            NotAllowed: the account is temporary, or this server makes no exports.
            RateLimited: the account had one within a day, or one began ten minutes ago.
            NotStored.
        """
        user, now = session.user, self._users.now()
        if not user.registered:
            raise NotAllowed("A temporary account has no export.")
        self._require_files()
        await authenticate_own(self._accounts, session, secret, uuid)
        token, expires_at = self._state.token(), now + LINK_S * 1000
        stored = StoredExportLink(user.id, session.token_hash)
        since = now - INTERVAL_S * 1000
        await self._store.add_export_link(stored, token_hash(token), expires_at, since)
        return ExportLink(token, expires_at)

    def _require_files(self) -> IExportFiles:
        """Return what writes exports. Raises NotAllowed."""
        if self.files is None:
            raise NotAllowed("This server makes no exports.")
        return self.files

    async def send(self, token: str, take: TakePiece) -> bool:
        """Send the export of a link, which is good no more. Return False if it was not before.

        Args:
            token: the secret in the link.
            take: takes the pieces; what it raises ends the export, which was not sent whole then.

        Raises:
            RateLimited: as many are being sent, or one to the user; the link stays good.
            NotStored: it can't be made, or not be completed.
        """
        link_hash = token_hash(token)
        link = await self._store.find_export_link(link_hash, self._users.now())
        actor = None if link is None else await self._holder(link)
        if link is None or actor is None:
            return False
        files = self._require_files()
        network = network_key(actor.address)
        if self._sent.total() >= MAX_SENT or self._sent[network] >= MAX_SENT_ADDRESS:
            raise RateLimited("Too many exports are being sent.", retry_after=30)
        if link.account_id in self._receiving:
            raise RateLimited("An export of this account is being sent.", retry_after=30)
        self._sent[network] += 1
        self._receiving.add(link.account_id)
        try:
            return await self._use(link, link_hash, actor, files, take)
        finally:
            self._receiving.remove(link.account_id)
            self._sent -= Counter({network: 1})  # which leaves out what is 0

    async def _holder(self, link: StoredExportLink) -> Actor | None:
        """Return who has asked for a link, None if that session has ended or the user is banned."""
        oldest = self._users.now() - RESUME_WINDOW_S * 1000
        one = await self._store.listed_account(link.account_id)
        for record in await self._store.sessions(link.account_id, oldest, 0):
            if one is not None and record.token_hash == link.session:
                account = Account(one.id, one.name, one.key, True, operator=one.operator)
                with suppress(ChatError):
                    self._state.bans.check(account, record.address)
                    return Actor(one.name, listed_session_id(link.session), record.address)
        return None

    async def _use(
        self,
        link: StoredExportLink,
        link_hash: bytes,
        actor: Actor,
        files: IExportFiles,
        take: TakePiece,
    ) -> bool:
        """Use up a link, and send the export; see `send`."""
        now = self._users.now()
        counts_from = now - (INTERVAL_S - RETRY_S) * 1000
        record = self._audit.record("own_export", actor, name=actor.name, address=actor.address)
        try:
            await self._store.use_export_link(link, link_hash, now, counts_from, record)
        except BadCredentials:
            return False
        write_line(record)
        await files.send(self._parts(link.account_id), take)
        with suppress(ChatError):  # the user has it, and can have another one
            await self._store.count_export(link.account_id, now)
        return True

    def stop(self) -> None:
        """Make no more."""
        if self.files is not None:
            self.files.stop()

    # For operators at the server.

    async def write(
        self, account: Account, path: str, actor: Actor, progress: Progress = no_progress
    ) -> None:
        """Write an export of an account to a file.

        Args:
            account: the account.
            path: of the file, which must not exist.
            actor: who does it.
            progress: shows how far it is.

        Raises:
            NotAllowed, RateLimited, BadRequest, NotStored.
        """
        files = self._require_files()
        if self._is_writing:
            raise RateLimited("Another export is being made.", retry_after=30)
        self._state.quota.check_space()
        record = self._audit.record("account_exported", actor, name=account.name)
        self._is_writing = True
        try:
            await files.write(self._recorded(record, self._parts(account.id, progress)), path)
        finally:
            self._is_writing = False

    async def _recorded(
        self, record: AuditRecord, parts: AsyncIterator[Part]
    ) -> AsyncIterator[Part]:
        """Yield parts of an export, once it is recorded: no file has more than is recorded."""
        await self._store.record(record)
        write_line(record)
        async for part in parts:
            yield part

    # What is in it.

    async def _parts(
        self, account_id: int, progress: Progress = no_progress
    ) -> AsyncIterator[Part]:
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
        async for part in self._entries(account_id, progress):
            yield part
        async for part in self._directs(account_id):
            yield part

    async def _audited(self, account: ListedAccount) -> AsyncIterator[Mapping[str, Any]]:
        """Yield what the audit log has of what an account did since it has its name.

        The log knows names only: guests, and accounts that were renamed, may have had it before.
        """
        known = await names_of(self._store, account.name, account.created_at)
        async for one in records(self._store, AuditQuery(since=known.since, names=known.names)):
            if one.who in known.names:  # not what operators did, with their addresses
                yield {"at": one.at, "code": one.code, **one.what}

    async def _entries(self, account_id: int, progress: Progress) -> AsyncIterator[Part]:
        """Yield the entries of rooms that are about an account, and what mentions it."""
        after: int | None = 0
        while after is not None:
            page = await self._store.own_entries(account_id, after)
            progress(page.newest if page.next is None else page.next, page.newest)
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
