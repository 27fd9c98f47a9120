"""How sessions end: by a login, by their user, with a new password; and how they are lost.

How they begin is in `sessions`, their devices are in `devices`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import bindparam, delete, func, or_, select, update

from gtchat.chat.devices import CONNECTED_ELSEWHERE
from gtchat.chat.errors import AlreadyLoggedIn, BadCredentials, NoSuchUser
from gtchat.chat.interfaces import Account, EndedSession, NewSession, Replaces
from gtchat.store.sql import accounts, administration, devices, read_state, schema
from gtchat.store.sql.database import Connection, Cursor, PostgresSQL
from gtchat.store.sql.statements import Statement

_sessions = schema.sessions
_is_session = _sessions.c.token_hash == bindparam("token")
_of_account = _sessions.c.account_id == bindparam("account")

#: The order of an account's sessions, those last that end first.
CONNECTED_FIRST = (
    _sessions.c.expires_from.is_(None).desc(),
    func.coalesce(_sessions.c.expires_from, _sessions.c.created_at).desc(),
    _sessions.c.token_hash,
)
_SET_LOST = Statement(
    update(_sessions)
    .where(_is_session, _of_account)
    .values(lost_at=bindparam("at"), expires_from=bindparam("at"))
    .returning(_sessions.c.device)
)
_END = Statement(delete(_sessions).where(_is_session, _of_account).returning(_sessions.c.device))
_REPLACED = Statement(
    select(_sessions.c.token_hash).where(
        _of_account,
        or_(_sessions.c.protocol == bindparam("protocol"), bindparam("any_protocol")),
        or_(_sessions.c.device.is_(None), bindparam("any_device")),
    )
)
_SURPLUS = Statement(
    select(_sessions.c.token_hash)
    .where(_of_account, _sessions.c.device.is_not_distinct_from(bindparam("device")))
    .order_by(*CONNECTED_FIRST)
    .offset(bindparam("kept"))
)
_OTHERS = Statement(
    select(_sessions.c.token_hash).where(
        _of_account, _sessions.c.token_hash.is_distinct_from(bindparam("keep"))
    )
)
_DEVICE = Statement(select(_sessions.c.device).where(_is_session, _of_account))
_CONNECTED = Statement(
    select(_sessions.c.token_hash).where(_of_account, _sessions.c.expires_from.is_(None))
)
#: The node of a session, which only PostgreSQL knows: NULL for none.
_NODE = "SELECT node_id FROM sessions WHERE token_hash = %(token)s"
_LEFT_OTHERS = "DELETE FROM online WHERE account_id = %s AND node_id <> %s"


def own(
    db: Connection, ended: Sequence[EndedSession], node_id: int | None
) -> tuple[EndedSession, ...]:
    """Return those of the sessions of a connection that were not resumed at another node."""
    return tuple(one for one in ended if not is_elsewhere(db, one.token_hash, node_id))


def check_refused(db: Connection, account_id: int, session: NewSession) -> None:
    """Raise AlreadyLoggedIn if a login is refused: a session is connected that goes on with it."""
    if not session.refuses:
        return
    ended = {one.token_hash for one in session.ended}
    if any(row[0] not in ended for row in _CONNECTED(db, account=account_id).fetchall()):
        raise AlreadyLoggedIn(CONNECTED_ELSEWHERE)


def is_elsewhere(db: Connection, token_hash: bytes, node_id: int | None) -> bool:
    """Return whether another node has a session, or waits for its client.

    Args:
        db: the writer's connection, which has the lock of its account.
        token_hash: names the session.
        node_id: this node, None if no other can use the database.
    """
    if node_id is None:
        return False
    row = db.execute(_NODE, {"token": token_hash}).fetchone()
    return row is not None and row[0] not in (None, node_id)


def left_others(db: Connection, account_id: int, node_id: int | None) -> None:
    """Take note that a temporary account is online at no other node, since it goes on at this one.

    It has one session. What the other node had to say of it may come after its end here, which
    would be refused for that, and the account would stay.

    Args:
        db: the writer's connection, within a transaction that has locked the system log.
        account_id: the account.
        node_id: as of `is_elsewhere`.
    """
    if node_id is not None:
        assert isinstance(db, PostgresSQL)
        db.send(_LEFT_OTHERS, (account_id, node_id))


def end_for_login(db: Connection, account_id: int, session: NewSession) -> frozenset[bytes]:
    """End the sessions that a login replaces, and those that are too many with it.

    The device of the new session is stored too.

    Returns:
        The token hashes of the sessions that have ended.
    """
    name, limits = session.device.device if session.device is not None else None, session.limits
    ended: set[bytes] = set()

    def end_found(found: Cursor) -> None:
        hashes = [row[0] for row in found.fetchall()]
        end(db, _records(account_id, hashes, session.connected), session.at)
        ended.update(hashes)

    if session.replaces is not Replaces.NOTHING:
        replaced = _REPLACED(
            db,
            account=account_id,
            protocol=session.protocol,
            any_protocol=session.replaces is Replaces.ALL,
            any_device=session.replaces is not Replaces.WITHOUT_DEVICE,
        )
        end_found(replaced)
    if limits.sessions:
        kept = limits.sessions - 1
        end_found(_SURPLUS(db, account=account_id, device=name, kept=kept))
    if session.device is not None:
        for surplus in devices.begin(db, account_id, session.device, limits, session.at):
            end_found(_SURPLUS(db, account=account_id, device=surplus, kept=0))
            devices.delete_device(db, account_id, surplus)
    return frozenset(ended)


def _records(
    account_id: int, hashes: Iterable[bytes], connected: Iterable[EndedSession]
) -> list[EndedSession]:
    """Return the records of sessions that end: what was sent to them, if they are connected."""
    known = {session.token_hash: session for session in connected}
    return [known.get(one) or EndedSession(account_id, one, {}) for one in hashes]


def check_proof(db: Connection, account: Account | None, proved: str | None) -> None:
    """Check that an account has the password hash that a password was checked against.

    Raises:
        NoSuchUser: the account was deleted, or is being deleted.
        BadCredentials: it has another one by now.
    """
    if account is None:
        raise NoSuchUser()
    if account.password_hash != proved:
        raise BadCredentials()
    # It had none if it was proved by a UUID; the deletion of an account takes both.
    if proved is None and accounts.is_ending(db, account.id):
        raise NoSuchUser()


def set_password(
    db: Connection,
    account_id: int,
    proved: str | None,
    password_hash: str,
    keep: bytes | None,
    ended: Sequence[EndedSession],
    new_token: bytes | None,
) -> bool:
    """Change a password, end sessions, revoke tokens; see `ISessionStore.set_password`."""
    check_proof(db, accounts.get(db, account_id), proved)
    device = _end_others(db, account_id, keep, ended)[0]
    accounts.set_password(db, account_id, password_hash)
    administration.delete_login_link(db, account_id)
    return devices.replace_token(db, account_id, device, new_token)


def end_other_sessions(
    db: Connection,
    account_id: int,
    keep: bytes | None,
    connected: Sequence[EndedSession],
    at: int | None = None,
) -> frozenset[bytes]:
    """End all other sessions, or all; see `ISessionStore.end_other_sessions`."""
    if at is None:
        administration.delete_login_link(db, account_id)
    return _end_others(db, account_id, keep, connected, at)[1]


def _end_others(
    db: Connection,
    account_id: int,
    keep: bytes | None,
    connected: Sequence[EndedSession],
    at: int | None = None,
) -> tuple[str | None, frozenset[bytes]]:
    """End all sessions of an account but one, and revoke other tokens if `at` is None.

    Returns:
        The device of the session that goes on, None for none, and the token hashes of the others.
    """
    device = _DEVICE.scalar(db, token=keep, account=account_id)
    hashes = [row[0] for row in _OTHERS(db, account=account_id, keep=keep).fetchall()]
    end(db, _records(account_id, hashes, connected), at)
    if at is None:
        devices.forget_others(db, account_id, device)
    return device, frozenset(hashes)


def end_session(db: Connection, session: EndedSession, at: int, forget: bool) -> None:
    """End a session for good; see `ISessionStore.end_session`."""
    device = _DEVICE.scalar(db, token=session.token_hash, account=session.account_id)
    end(db, [session], at)
    if forget:
        devices.forget(db, session.account_id, device)


def end(db: Connection, ended: Iterable[EndedSession], at: int | None) -> None:
    """Delete sessions; what they were sent counts as read.

    Args:
        db: the writer's connection.
        ended: the sessions.
        at: when their devices were seen last; None if that does not matter.
    """
    for session in ended:
        read_state.set_sent_read(db, session.account_id, session.token_hash, session.sent)
        account_id = session.account_id
        for row in _END(db, token=session.token_hash, account=account_id).fetchall():
            if at is not None:
                devices.seen(db, account_id, row[0], at)


def session_lost(
    db: Connection, session: EndedSession, at: int, node_id: int | None = None
) -> None:
    """Store that a session's connection was lost; see `ISessionStore.session_lost`.

    Args:
        db: the writer's connection.
        session, at: those of `ISessionStore.session_lost`.
        node_id: as of `is_elsewhere`.
    """
    account_id = session.account_id
    read_state.set_sent_read(db, account_id, session.token_hash, session.sent)
    if is_elsewhere(db, session.token_hash, node_id):
        return  # it was resumed there, before this was stored
    for row in _SET_LOST(db, token=session.token_hash, account=account_id, at=at).fetchall():
        devices.seen(db, account_id, row[0], at)
