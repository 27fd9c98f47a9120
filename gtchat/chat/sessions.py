"""Sessions: resume them after a lost connection, list them, and end them.

The id of a session is a secret that resumes it. How sessions begin is in `logins`, those that are
connected are in `live_sessions`, the accounts of temporary users in `guests`.
"""

from __future__ import annotations

import hmac
from collections import Counter
from collections.abc import Mapping

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from gtchat.chat.accounts import Accounts, login_key
from gtchat.chat.audit import AT_CONSOLE, NO_ACTOR, Actor, AuditRecord, write_line
from gtchat.chat.background import run_in_background
from gtchat.chat.devices import SessionRules
from gtchat.chat.errors import (
    BadRequest,
    BadSession,
    NoSuchUser,
    NotLoggedIn,
    PasswordMismatch,
    SelfTarget,
)
from gtchat.chat.foreign_sessions import ForeignSessions
from gtchat.chat.guests import GUEST_GRACE_S, Guests
from gtchat.chat.interfaces import EndedSession, IConnection, IEncoder
from gtchat.chat.limits import network_key
from gtchat.chat.live_sessions import LiveSessions, token_hash
from gtchat.chat.names import password
from gtchat.chat.node_records import EpochBegun, ForeignHandlers
from gtchat.chat.read_state import read_account
from gtchat.chat.resume import (
    BACKLOG_LIMIT,
    LOGS_SHORTENED,
    RESUME_WINDOW_S,
    ResumedSession,
    find_rooms,
    find_stored,
    known_ids,
    missed_by_name,
    missed_directs,
)
from gtchat.chat.session_records import ListedSession, listed_id
from gtchat.chat.state import State
from gtchat.chat.users import Session

_log = Logger()


class Sessions:
    """Resumes, lists and ends sessions.

    Args:
        state: the chat's shared objects.
        accounts: checks credentials.
        guests: ends temporary accounts.
        live: the sessions that are connected.
        rules: how many places an account can be logged in at.

    Attributes:
        epoch: names all logs of the store together; it changes when a backup or another copy of
            the database is put back.
    """

    def __init__(
        self,
        state: State,
        accounts: Accounts,
        guests: Guests,
        live: LiveSessions,
        rules: SessionRules,
    ) -> None:
        self._state = state
        self._store = state.store
        self._users = state.users
        self._rooms = state.rooms
        self._loader = state.loader
        self._accounts = accounts
        self._guests = guests
        self._live = live
        self._rules = rules
        self._foreign = ForeignSessions(guests, live)
        #: Token hashes of the sessions that are being resumed, and how often.
        self._resuming: Counter[bytes] = Counter()
        self.epoch = ""

    async def resume(
        self,
        token: str,
        epoch: str,
        seen: Mapping[str, int],
        encoder: IEncoder,
        connection: IConnection,
        marks_read: bool = False,
        seen_directs: Mapping[int, int] | None = None,
    ) -> ResumedSession:
        """Continue a session whose connection was lost.

        Args:
            token: the id of the session.
            epoch: the epoch that the client was given at login.
            seen: name of a room -> last `seq` that the client received.
            encoder, connection, marks_read: as in `Logins.login`.
            seen_directs: id of a direct conversation -> last `seq` that the client received.

        Raises:
            BadSession: there is no such session, or it has ended.
            NotLoggedIn: the connection was lost meanwhile.
            Banned: the account or the address is; the session ends.
            NotStored.
        """
        self._state.bans.check_address(connection.address)
        hashed = token_hash(token)
        # Before anything that costs more: many have no valid token.
        own, unread = await read_account(self._state, None, hashed)
        stored = await find_stored(self._state, seen)
        if stored:  # what came meanwhile has not been counted
            own, unread = await read_account(self._state, None, hashed)
        if connection.closed:
            # The client may have resumed over another connection already: do not end that.
            raise NotLoggedIn()
        rooms = find_rooms(self._rooms, seen, own, stored)
        directs = known_ids(self._rooms, seen_directs)
        seen_by_id: dict[int, int] = {}
        is_epoch = hmac.compare_digest(epoch.encode("utf-8", "replace"), self.epoch.encode())
        if is_epoch:
            seen_by_id = {id_: seen[name] for name, id_ in rooms.items() if id_ is not None}
            seen_by_id |= directs
        now, limits = self._users.now(), self._state.limits
        liveness_ms = int((limits.ping_interval + limits.ping_timeout) * 1000)
        self._resuming[hashed] += 1
        try:
            with self._loader.holding(own) as known:
                resumed = await self._store.resume(
                    hashed,
                    now,
                    _resumable_since(now),
                    seen_by_id,
                    liveness_ms,
                    BACKLOG_LIMIT,
                    network_key(connection.address),
                    marks_read,
                    connection.address,
                    known,
                )
        finally:
            self._resuming[hashed] -= 1
            if not self._resuming[hashed]:
                del self._resuming[hashed]
        if resumed.epoch is not None:
            self.epoch = resumed.epoch
            _log.warn(LOGS_SHORTENED)
        account_id = resumed.account_state.account.id
        for old in self._live.of(account_id):
            if old.token_hash == hashed:
                self._live.replace(old, connection.address)
        self._live.check_banned(resumed.account_state.account, connection, token)
        user = self._users.get_by_id(account_id)
        if user is not None and user.ending:
            raise BadSession()
        session = self._live.begin(
            resumed.account_state, unread, encoder, connection, token, marks_read
        )
        user = session.user
        missed = missed_by_name(user, self._rooms.lobby, rooms, resumed.missed, is_epoch)
        return ResumedSession(session, missed, missed_directs(user, directs, resumed, is_epoch))

    async def listed(self, session: Session) -> list[ListedSession]:
        """Return where the user of a session is logged in, oldest first.

        Args:
            session: the session that asks.
        """
        now = self._users.now()
        records = await self._store.sessions(
            session.user.id, _resumable_since(now), self._rules.tokens_after(now)
        )
        return [
            ListedSession(listed_id(one), one, one.token_hash == session.token_hash)
            for one in records
        ]

    async def end(self, session: Session, listed_id: str) -> None:
        """End another session of a user, and forget the device that it is on.

        Nothing is done if it has ended already.

        Args:
            session: the session that asks.
            listed_id: a `ListedSession.id`.

        Raises:
            SelfTarget: it is the session that asks.
            NotStored.
        """
        user = session.user
        listed = next((one for one in await self.listed(session) if one.id == listed_id), None)
        if listed is None:
            return
        if listed.is_current:
            raise SelfTarget("This is the session that you use. Log out instead.")
        record, audit = listed.record, self._ended(session)
        if record.token_hash is not None:
            ended = EndedSession(user.id, record.token_hash, {})
            for live in self._live.of(user.id):
                if live.token_hash == record.token_hash:
                    ended = self._live.record(live)
            await self._store.end_session(ended, self._users.now(), True, audit)
            self._close(user.id, frozenset([record.token_hash]))
        else:
            await self._store.forget_device(user.id, record.device or "", audit)
        write_line(audit)

    async def end_others(self, session: Session) -> None:
        """End all other sessions of a user, and forget all other devices.

        Args:
            session: the session that asks, and goes on.

        Raises:
            NotStored.
        """
        user, keep = session.user, session.token_hash
        connected = [one for one in self._live.of(user.id) if one is not session]
        audit = self._ended(session)
        records = self._live.records(connected)
        ended = await self._store.end_other_sessions(user.id, keep, records, audit=audit)
        self._close(user.id, ended)
        write_line(audit)

    def _ended(self, session: Session) -> AuditRecord:
        """Return the record of a user who ends sessions."""
        fields = {"name": session.user.name, "address": session.connection.address}
        return self._state.audit.record("sessions_ended", session.actor, **fields)

    def _close(self, account_id: int, ended: frozenset[bytes]) -> None:
        """Close the connections of sessions that have ended in the store."""
        for session in self._live.of(account_id):
            if session.token_hash in ended:
                self._live.close(session, "ended")

    async def logout(self, session: Session, forget: bool = False) -> None:
        """End a session for good, and a temporary account with it.

        Args:
            session: the session.
            forget: whether its device needs the password at the next login.

        Raises:
            NotStored: the session goes on.
        """
        await self._store.end_session(self._live.record(session), self._users.now(), forget)
        if session not in session.user.sessions:
            return
        self._live.detach(session, arrived=True)
        if not session.user.registered:
            await self._guests.end(session.user)

    async def disconnect_user(self, name: str, actor: Actor = AT_CONSOLE) -> str:
        """End all sessions of a user, on the operator's order. The user may log in again.

        Args:
            name: the name as it was typed.
            actor: the operator.

        Returns:
            The name as displayed.

        Raises:
            NoSuchUser: no user with that name is logged in, here or at another node.
            NotStored.
        """
        key = login_key(name)
        here = self._users.get(key)
        is_here = here is not None and here.sessions
        found = here if is_here else await self._store.find_account(key, None)
        if found is None or not self._users.is_online(found.id):
            raise NoSuchUser()
        connected, now = self._live.records(self._live.of(found.id)), self._users.now()
        record = self._state.audit.record("put_out", actor, name=found.name)
        await self._store.end_other_sessions(found.id, None, connected, now, "kicked", record)
        for session in self._live.of(found.id):
            self._live.close(session, "kicked")
        user = self._users.get_by_id(found.id)
        if user is not None and not user.registered:
            await self._guests.end(user)
        write_line(record)
        return found.name

    def connection_lost(
        self, session: Session, clean: bool, arrived: bool = False
    ) -> Deferred[None]:
        """Take note that the connection of a session is lost. Clients of some protocols resume it.

        Args:
            session: the session.
            clean: whether the user closed the client. A temporary account ends then.
            arrived: whether its client closed it in order, and so received what was sent to it.

        Returns:
            Fires when that is stored, with what its client has received, or can't be.
        """
        user = session.user
        if session not in user.sessions:
            return succeed(None)
        self._live.detach(session, arrived=clean or arrived)
        if not user.registered and not user.sessions:
            self._guests.start_grace_period(user, 0 if clean else GUEST_GRACE_S)
        return self._store_loss(session, self._live.record(session))

    def _store_loss(self, session: Session, ended: EndedSession) -> Deferred[None]:
        """Store that the connection of a session is lost; see `connection_lost`."""
        if session.token_hash in self._resuming:
            # It would be stored after the resume, and the session taken for lost from then on.
            self._live.not_stored(ended)
            return succeed(None)
        store = self._store
        store_end = store.session_lost if session.connection.resumable else store.end_session
        lost = store_end(ended, self._users.now()).addErrback(self._not_stored, ended)
        run_in_background(lost, "storing a lost connection")
        return lost

    def _not_stored(self, failure: Failure, ended: EndedSession) -> Failure:
        self._live.not_stored(ended)
        return failure

    async def change_password(
        self,
        session: Session | None,
        name: str | None,
        old: str,
        new: str,
        again: str,
        address: str,
    ) -> str | None:
        """Change the password of an account, end its other sessions and forget its devices.

        Args:
            session: a session of the account; None if `name` says which account it is.
            name: the user name, None with a session.
            old: the old password.
            new, again: the new password, twice.
            address: IP address of the client.

        Returns:
            The new token of the session's device, None if it had none.

        Raises:
            PasswordMismatch, WeakPassword, BadRequest, BadCredentials, LockedOut, RateLimited,
            NotStored.
        """
        if new != again:
            raise PasswordMismatch()
        password(new)
        if session is None:
            if name is None:
                raise BadRequest("usr: this field is missing.")
            return await self._change_password(None, name, old, new, address)
        account_id, changes = session.user.id, self._accounts.password_changes
        await changes.finished(account_id)
        changes.begin(account_id)
        try:
            return await self._change_password(session, session.user.name, old, new, address)
        finally:
            changes.end(account_id)

    async def _change_password(
        self, session: Session | None, name: str, old: str, new: str, address: str
    ) -> str | None:
        account = await self._accounts.authenticate(name, old, address)
        keep = session.token_hash if session is not None else None
        ended = self._live.records(one for one in self._live.of(account.id) if one is not session)
        token = self._state.token()
        actor = session.actor if session is not None else NO_ACTOR
        record = self._state.audit.record("password_changed", actor, name=name, address=address)
        remembered = await self._accounts.change_password(
            account, new, keep, ended, token_hash(token), record
        )
        for other in self._live.of(account.id):
            if other.token_hash != keep:
                self._live.close(other, "password")
        write_line(record)
        return token if remembered else None

    def foreign_handlers(self) -> ForeignHandlers:
        """Return what this part does with system entries of other nodes."""
        return {**self._foreign.handlers(), EpochBegun: self._epoch_begun}

    def _epoch_begun(self, node_id: int, entry: EpochBegun) -> None:
        self.epoch = entry.epoch


def _resumable_since(now: int) -> int:
    """Return since when a session must have been connected to be resumed, as `now` in ms."""
    return now - RESUME_WINDOW_S * 1000
