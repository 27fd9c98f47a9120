"""What a store does with sessions and devices: begin, resume, list and end them.

It is part of `interfaces.IStore`, whose conventions hold.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from twisted.internet.defer import Deferred
from zope.interface import Interface

from gtchat.chat.audit import AuditRecord
from gtchat.chat.records import Account, AccountState, ResumeResult
from gtchat.chat.session_records import EndedSession, NewSession, SessionRecord


class ISessionStore(Interface):
    """Keeps sessions until they end or expire, and the devices that they are on.

    A device is there as long as it has a session or a valid token. It was connected last when one
    of its sessions was.
    """

    def login(account_id: int, proved: str | None, session: NewSession) -> Deferred[AccountState]:
        """Begin a session of a registered account. Return the state of the account.

        Args:
            account_id: the account.
            proved: the password hash of the account when its credential was checked; not used
                where the device proved a token, or a link was opened.
            session: the session, and those that end with it.

        Raises:
            NoSuchUser: there is no such account.
            BadCredentials: the account has another password by now, or the device no longer has
                the token, or the account the link; nothing has changed.
            AlreadyLoggedIn: the login is refused (`NewSession.refuses`); nothing has changed.
        """

    def login_guest(name: str, key: str, session: NewSession) -> Deferred[int]:
        """Create a temporary account with a session, which has no device. Return its id.

        Args:
            name, key: its name.
            session: the session, and those that end with it.

        Raises:
            NameTaken: nothing has changed.
        """

    def find_device(token_hash: bytes, tokens_after: int) -> Deferred[tuple[Account, str] | None]:
        """Return the account and the device that a token is for, None if it is not valid (read).

        Args:
            token_hash: of the token, 32 bytes.
            tokens_after: as in `SessionLimits`.
        """

    def resume(
        token_hash: bytes,
        at: int,
        oldest: int,
        seen: Mapping[int, int],
        liveness_ms: int,
        limit: int,
        network: str,
        marks_read: bool = False,
        address: str = "",
        known: Collection[int] = (),
    ) -> Deferred[ResumeResult]:
        """Resume a session. Return the state of its account, and what its client missed.

        A room whose name had another log before is `reset`, unless the client was certainly
        connected when the old room was deleted: the connection was lost more than `liveness_ms`
        later, or the session began later.

        What the client received counts as read, unless the session used `mark_read`.

        If the client received an entry before the last start that was not stored before that
        start, a copy of the database was put back: all rooms are `reset`, and a new epoch begins.
        It begins once in a start, and not for a temporary account, since a client can claim that.

        Args:
            token_hash: names the session.
            at: now; the session counts as connected from then on.
            oldest: the session must have begun, or lost its connection, after this time.
            seen: room id -> last `seq` that the client received.
            liveness_ms: milliseconds after which a dead connection is noticed.
            limit: a room with more missed entries is `behind`; beyond `REPLY_BYTES` so are others.
            network, address, known: as in `NewSession`.
            marks_read: True as in `NewSession`; False leaves it as it is.

        Raises:
            BadSession: there is no such session, or it is too old.
        """

    def session_lost(session: EndedSession, at: int) -> Deferred[None]:
        """Take note that the connection of a session is lost; it can be resumed.

        A session that was resumed at another node meanwhile goes on.

        Args:
            session: the session. What it was sent counts as read, unless it marks it itself.
            at: now.
        """

    def sessions(
        account_id: int, oldest: int, tokens_after: int
    ) -> Deferred[Sequence[SessionRecord]]:
        """Return the sessions of an account, oldest first, then its devices without one (read).

        Args:
            account_id: the account.
            oldest: as in `resume`.
            tokens_after: as in `SessionLimits`.
        """

    def sessions_at(network: str, oldest: int) -> Deferred[Sequence[tuple[str, SessionRecord]]]:
        """Return the sessions of all accounts whose client has an address, newest first (read).

        Args:
            network: the address as `network_key` returns it.
            oldest: as of `sessions`.

        Returns:
            Name of the account as displayed, and the session; at most `LISTED_SESSIONS`.
        """

    def end_session(
        session: EndedSession,
        at: int,
        forget: bool = False,
        audit: AuditRecord | None = None,
        reason: str = "ended",
    ) -> Deferred[None]:
        """End a session for good.

        Args:
            session: the session. What it was sent counts as read, unless it marks it itself.
            at: now.
            forget: whether the token of its device is revoked, if it has a device.
            audit: a record of the audit log; see `IStore`.
            reason: as of `end_other_sessions`.
        """

    def end_other_sessions(
        account_id: int,
        keep: bytes | None,
        connected: Sequence[EndedSession],
        at: int | None = None,
        reason: str = "ended",
        audit: AuditRecord | None = None,
    ) -> Deferred[frozenset[bytes]]:
        """End all sessions of an account but one, or all.

        Args:
            account_id: the account.
            keep: token hash of the session that goes on; its device keeps its token. None ends
                all, at other nodes also those of protocols whose sessions are not stored.
            connected: what the other connected sessions were sent.
            at: now, if devices keep their tokens; None to revoke those of all other devices, and
                the account's login link.
            reason: as of `IConnection.close`, for the connections that they have at other nodes.

        Returns:
            The token hashes of the sessions that have ended.
        """

    def forget_device(
        account_id: int, device: str, audit: AuditRecord | None = None
    ) -> Deferred[None]:
        """Revoke the token of a device.

        Args:
            account_id: the account.
            device: the device.
        """

    def set_password(
        account_id: int,
        proved: str | None,
        password_hash: str,
        keep: bytes | None,
        ended: Sequence[EndedSession],
        new_token: bytes | None = None,
        audit: AuditRecord | None = None,
    ) -> Deferred[bool]:
        """Change a password, end all sessions of the account but one, and revoke all tokens.

        Its login link ends, too.

        Args:
            account_id: the account.
            proved: the password hash that the old password was checked against; None if the account
                has no password.
            password_hash: Argon2id hash as text.
            keep: token hash of the session that goes on, None for no session.
            ended: what the other sessions that are connected were sent.
            new_token: hash of a token, which the device of `keep` gets if it had one.

        Returns:
            Whether it had one.

        Raises:
            BadCredentials: the account has another password by now.
        """
