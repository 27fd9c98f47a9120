"""Logins of temporary users: a few statements for all that follow each other in a batch.

When many guests log in at once, the statements of each would be most of the writer's work.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select

from gtchat.chat.errors import NameTaken
from gtchat.chat.interfaces import NewSession
from gtchat.chat.look_alikes import rivals, skeleton
from gtchat.chat.names import RESERVED
from gtchat.store.jobs import BulkCall
from gtchat.store.sql import schema, session_ends
from gtchat.store.sql.database import Connection
from gtchat.store.sql.log_writer import LogWriter
from gtchat.store.sql.statements import BulkInsert, Lookup, Statement, insert

_accounts = schema.accounts
_reserved = schema.reserved_names

_RIVALS = Lookup(select(_accounts.c.skeleton), _accounts.c.skeleton)
_RESERVED = Lookup(select(_reserved.c.key, _reserved.c.skeleton), _reserved.c.skeleton)
_RESERVED_KEYS = Lookup(select(_reserved.c.key, _reserved.c.skeleton), _reserved.c.key)
_ANY_RESERVED = Statement(select(_reserved.c.key).limit(1))
_CREATE = BulkInsert(
    insert(_accounts).on_conflict_do_nothing().returning(_accounts.c.key, _accounts.c.id),
    ("name", "key", "registered", "created_at", "lobby_read_seq", "skeleton"),
)
_THIS_START = Statement(select(func.max(schema.starts.c.id)))
_BEGIN = BulkInsert(
    insert(schema.sessions),
    (
        "token_hash",
        "account_id",
        "began_at",
        "marks_read",
        "start_id",
        "protocol",
        "address",
        "created_at",
    ),
)
_ADD_NETWORKS = BulkInsert(insert(schema.account_networks), ("account_id", "network", "seen_at"))


def login_guests(
    db: Connection,
    log_writer: LogWriter,
    calls: Sequence[BulkCall],
    node_id: int | None = None,
) -> None:
    """Create temporary accounts with a session each; see `ISessionStore.login_guest`.

    Args:
        db: the writer's connection.
        log_writer: knows the end of the lobby's log.
        calls: their arguments are the name, its key and the session; gets the results.
        node_id: as of `session_ends.is_elsewhere`.
    """
    looks = [skeleton(call.arguments[0]) for call in calls]
    if len({look[1:] for look in looks}) < len(calls):
        # The names look alike: the first one may be created, and then the others may not.
        for call in calls:
            login_guests(db, log_writer, [call], node_id)
        return
    free = _free(db, calls, looks)
    lobby_seq = log_writer.lobby_seq(db)
    ids = dict(
        _CREATE.fetch(
            db,
            [
                value
                for (name, key, session), look in free
                for value in (name, key, False, session.at, lobby_seq, look)
            ],
        )
    )
    for call in calls:
        call.result = ids.get(call.arguments[1])
        call.error = NameTaken() if call.result is None else None
    begun = [(ids[key], session) for (_, key, session), _ in free if key in ids]
    for _, session in begun:
        session_ends.end(db, session_ends.own(db, session.ended, node_id), session.at)
    _begin(db, begun)


def _free(
    db: Connection, calls: Sequence[BulkCall], looks: Sequence[str]
) -> list[tuple[tuple[Any, ...], str]]:
    """Return the arguments and skeletons of those whose name looks like no other, and is free.

    Args:
        db: the writer's connection.
        calls: the logins.
        looks: the skeletons of their names.
    """
    # An old look-alike does not keep the server from its own name.
    of_call = [
        () if call.arguments[1] in RESERVED else rivals(look)
        for call, look in zip(calls, looks, strict=True)
    ]
    rival_looks = sorted({look for pair in of_call for look in pair})
    found = {row[0] for row in _RIVALS(db, rival_looks)}
    keys: set[str] = set()
    if _ANY_RESERVED.scalar(db) is not None:
        by_look = _RESERVED(db, rival_looks)
        by_key = _RESERVED_KEYS(db, [call.arguments[1] for call in calls])
        for key, look in (*by_look, *by_key):
            keys.add(key)
            found.add(look)
    return [
        (call.arguments, look)
        for call, look, pair in zip(calls, looks, of_call, strict=True)
        if found.isdisjoint(pair) and call.arguments[1] not in keys
    ]


def _begin(db: Connection, begun: Sequence[tuple[int, NewSession]]) -> None:
    """Store sessions of new accounts, and the networks that they connect from."""
    start = _THIS_START.scalar(db)
    sessions: list[Any] = []
    networks: list[Any] = []
    for account_id, session in begun:
        networks += (account_id, session.network, session.at)
        if session.token_hash is not None:
            sessions += (
                session.token_hash,
                account_id,
                session.at,
                session.marks_read,
                start,
                session.protocol,
                session.address,
                session.at,
            )
    _BEGIN(db, sessions)
    _ADD_NETWORKS(db, networks)
