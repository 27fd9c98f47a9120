"""Deletion of accounts, by their users and by operators.

It begins with one transaction, which ends all with which the user could come in. Then the account
leaves its rooms one after the other, and those that it owns get other owners or are deleted; then
the store deletes it (`deletion_rules` says what is left). If something can't be stored, or the
server is killed, that goes on later, at any node: each step finds what is still to be done.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from gtchat.chat.accounts import Accounts
from gtchat.chat.audit import AuditRecord, write_line
from gtchat.chat.background import run_in_background
from gtchat.chat.deletion_rules import DELETED_USER, Erasure
from gtchat.chat.errors import BadCredentials, BadRequest, ChatError, NotAllowed
from gtchat.chat.interfaces import Account
from gtchat.chat.live_sessions import LiveSessions
from gtchat.chat.membership import Membership
from gtchat.chat.moderators import Moderators
from gtchat.chat.node_records import ForeignHandlers, NodeGone
from gtchat.chat.state import State
from gtchat.chat.users import Session, User

#: Seconds after which a deletion goes on that could not; it is twice as long each time up to the
#: second.
RETRY_S, LONGEST_RETRY_S = 60, 3600
#: Seconds within which all nodes know that the sessions of an account have ended, as a node that
#: does not answer for three is lost. What the account has said is complete then.
KNOWN_S = 5

_log = Logger()


async def authenticate_own(
    accounts: Accounts, session: Session, secret: str | None, uuid: str | None
) -> Account:
    """Check that who uses a session has the password or the UUID of its account. Return that.

    Args:
        accounts: checks passwords.
        session: the session, of a registered user.
        secret: the password, None for an account with a UUID.
        uuid: the UUID, None for an account with a password.

    Raises:
        BadRequest, BadCredentials, LockedOut, RateLimited, NotStored.
    """
    user, address = session.user, session.connection.address
    if uuid is not None:
        account = await accounts.authenticate_uuid(uuid, address)
    elif secret is not None:
        account = await accounts.authenticate(user.name, secret, address)
    else:
        raise BadRequest("pwd or uuid is required.")
    if account.id != user.id:
        raise BadCredentials()
    return account


class AccountDeletions:
    """Deletes accounts.

    Args:
        state: the chat's shared objects.
        accounts: checks passwords.
        live: the sessions that are connected.
        membership: ends memberships, and finds owners for rooms.
        moderators: takes roles.
    """

    def __init__(
        self,
        state: State,
        accounts: Accounts,
        live: LiveSessions,
        membership: Membership,
        moderators: Moderators,
    ) -> None:
        self._state = state
        self._store = state.store
        self._accounts = accounts
        self._live = live
        self._membership = membership
        self._moderators = moderators
        #: Account id -> what goes on with its deletion later, None while it goes on.
        self._under_way: dict[int, IDelayedCall | None] = {}
        #: Account id -> how often its deletion could not go on.
        self._failures: dict[int, int] = {}
        self._is_stopped = False

    async def delete_own(
        self,
        session: Session,
        secret: str | None,
        uuid: str | None,
        messages: str | None,
        directs: str | None,
    ) -> None:
        """Delete the account of a user. The session that asks is to be ended with `leave`.

        Args:
            session: the session.
            secret: the password, None for an account with a UUID.
            uuid: the UUID, None for an account with a password.
            messages, directs: "keep" or "erase": what becomes of messages in rooms, and of direct
                ones; None for what the operator has set, or else to keep them.

        Raises:
            NotAllowed: the account is temporary, or the operator allows no such choice.
            BadRequest, BadCredentials, LockedOut, RateLimited, NotStored.
        """
        user, address = session.user, session.connection.address
        if not user.registered:
            raise NotAllowed("A temporary account ends when you log out.")
        erasure = self.erasure(messages, directs)
        account = await authenticate_own(self._accounts, session, secret, uuid)
        record = self._state.audit.record(
            "own_account_deleted", session.actor, name=user.name, address=address
        )
        await self.begin(account, erasure, record, session)

    def erasure(self, messages: str | None, directs: str | None) -> Erasure:
        """Return what loses its text of what a user, or an operator, wants.

        Args:
            messages, directs: as in `delete_own`.

        Raises:
            BadRequest: they are neither "keep" nor "erase".
            NotAllowed: the operator has set something else for all.
        """
        mode = self._state.access.deleted_messages
        default = "keep" if mode == "choice" else mode
        wanted = [default if one is None else one for one in (messages, directs)]
        if not {*wanted} <= {"keep", "erase"}:
            raise BadRequest("messages, directs: must be keep or erase.")
        if mode != "choice" and {*wanted} != {mode}:
            raise NotAllowed(f"This server has set for all deleted accounts: {mode} messages.")
        return Erasure(*(one == "erase" for one in wanted))

    async def begin(
        self, account: Account, erasure: Erasure, record: AuditRecord, keep: Session | None = None
    ) -> None:
        """Begin to delete an account, which goes on in the background.

        Args:
            account: the account, as the right to do this was checked.
            erasure: what of its messages loses its text.
            record: the record that is stored with it.
            keep: the session that asks, which is not closed.

        Raises:
            NoSuchUser: it is being deleted.
            BadCredentials: its password was changed meanwhile.
            NotStored.
        """
        connected = self._live.records(self._live.of(account.id))
        proved = account.password_hash
        await self._store.begin_deletion(account.id, proved, erasure, connected, record)
        write_line(record)
        for session in self._live.of(account.id):
            if session is not keep:
                self._live.close(session, "ended")
        self._go_on(account)

    def leave(self, session: Session) -> None:
        """End the session that has asked for the deletion of its account."""
        if session in session.user.sessions:
            self._live.close(session, "ended")

    # How it goes on.

    def resume(self) -> None:
        """Go on with all deletions that have begun, at any node."""
        run_in_background(Deferred.fromCoroutine(self._resume()), "looking for deleted accounts")

    async def _resume(self) -> None:
        for account in await self._store.deletions():
            if account.id not in self._under_way:
                self._go_on(account)

    def foreign_handlers(self) -> ForeignHandlers:
        """Return what this part does with system entries of other nodes."""
        return {NodeGone: lambda node_id, entry: self.resume()}

    def _go_on(self, account: Account) -> None:
        self._run(self._leave_rooms, account)

    def _run(self, step: Callable[[Account], Coroutine[Any, Any, None]], account: Account) -> None:
        """Take a step, which says when the next one is."""
        self._under_way[account.id] = None
        taking = Deferred.fromCoroutine(self._take(step, account))
        run_in_background(taking, "deleting an account")

    async def _take(
        self, step: Callable[[Account], Coroutine[Any, Any, None]], account: Account
    ) -> None:
        try:
            await step(account)
        except Exception as error:
            if isinstance(error, ChatError):
                _log.warn("an account can't be deleted yet: {code}", code=error.code)
            else:
                _log.failure("an account can't be deleted yet")
            failures = self._failures.get(account.id, 0)
            self._failures[account.id] = failures + 1
            seconds = min(RETRY_S * 2**failures, LONGEST_RETRY_S)
            self._later(seconds, self._leave_rooms, account)

    def _later(
        self,
        seconds: float,
        step: Callable[[Account], Coroutine[Any, Any, None]],
        account: Account,
    ) -> None:
        if not self._is_stopped:
            timer = self._state.clock.callLater(seconds, self._run, step, account)
            self._under_way[account.id] = timer

    async def _leave_rooms(self, account: Account) -> None:
        """End what an account is in rooms; then end it once all nodes know of that."""
        user = User(account.id, account.name, account.key, registered=True)
        for room_id in await self._store.begin_ending(account.id) or ():
            room = await self._state.loader.get(room_id)
            if room is not None:
                await self._membership.withdraw(room, user)
        await self._moderators.drop_role(self._state.rooms.lobby, user)
        self._later(KNOWN_S if self._store.is_shared else 0, self._end, account)

    async def _end(self, account: Account) -> None:
        await self._store.end_guest(account.id)
        self._state.users.forget_account(account.id)
        self._state.rooms.rename(account.id, DELETED_USER, is_deleted=True)
        del self._under_way[account.id]
        self._failures.pop(account.id, None)

    def stop(self) -> None:
        """Cancel all timers. What has begun goes on at the next start."""
        self._is_stopped = True
        for timer in self._under_way.values():
            if timer is not None and timer.active():
                timer.cancel()
