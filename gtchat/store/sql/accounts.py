"""Accounts: find, create, change and delete them; blocks; telephone numbers.

Sessions are in `sessions`.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import bindparam, delete, exists, func, or_, select, update

from gtchat.chat.errors import Blocked, NameTaken, NoSuchUser, NotStored
from gtchat.chat.interfaces import Account, PhoneAccount, StoredGuest
from gtchat.chat.invite_store import Admission
from gtchat.chat.look_alikes import rivals, skeleton
from gtchat.chat.names import RESERVED
from gtchat.chat.records import NETWORK_REFRESH_MS, NETWORKS_PER_ACCOUNT
from gtchat.store.pending import check_blocks
from gtchat.store.sql import invite_links, schema
from gtchat.store.sql.database import Connection
from gtchat.store.sql.log_writer import LogWriter
from gtchat.store.sql.statements import Statement, insert

_accounts = schema.accounts
_sessions = schema.sessions
_blocks = schema.blocks
_networks = schema.account_networks
_phones = schema.phones
_reserved = schema.reserved_names
_deletions = schema.deletions
_is_account = _accounts.c.id == bindparam("account_id")
#: What `from_row` makes an account of.
COLUMNS = (
    _accounts.c.id,
    _accounts.c.name,
    _accounts.c.key,
    _accounts.c.registered,
    _accounts.c.password_hash,
    _accounts.c.operator,
    _accounts.c.invite_id,
)

_FIND = Statement(
    select(
        *COLUMNS,
        exists().where(
            _blocks.c.account_id == _accounts.c.id, _blocks.c.blocked_id == bindparam("asker")
        ),
        select(_networks.c.seen_at)
        .where(
            _networks.c.account_id == _accounts.c.id, _networks.c.network == bindparam("network")
        )
        .scalar_subquery(),
        select(func.count())
        .select_from(schema.members)
        .where(schema.members.c.account_id == _accounts.c.id)
        .scalar_subquery(),
    ).where(_accounts.c.key == bindparam("key"))
)
_FIND_RIVAL = Statement(
    select(_accounts.c.id)
    .where(_accounts.c.skeleton.in_((bindparam("rival"), bindparam("other_rival"))))
    .limit(1)
)
#: A name whose time is over is reserved until it is deleted, within an hour.
_RESERVED = Statement(
    select(_reserved.c.account_id)
    .where(
        or_(
            _reserved.c.key == bindparam("key"),
            _reserved.c.skeleton.in_((bindparam("rival"), bindparam("other_rival"))),
        )
    )
    .limit(1)
)
_FIND_BY_UUID = Statement(select(*COLUMNS).where(_accounts.c.uuid_hash == bindparam("uuid_hash")))
_GET = Statement(select(*COLUMNS).where(_is_account))
_GUESTS = Statement(
    select(
        select(func.max(_networks.c.network))
        .where(_networks.c.account_id == _accounts.c.id)
        .scalar_subquery(),
        exists().where(_sessions.c.account_id == _accounts.c.id),
        *COLUMNS,
    )
    .where(_accounts.c.registered.is_(False))
    .order_by(_accounts.c.id)
)
_CREATE = Statement(
    insert(_accounts).on_conflict_do_nothing().returning(_accounts.c.id),
    columns=(
        "name",
        "key",
        "registered",
        "password_hash",
        "uuid_hash",
        "created_at",
        "lobby_read_seq",
        "skeleton",
    ),
)
_SET_PASSWORD = Statement(
    update(_accounts).where(_is_account).values(password_hash=bindparam("new_hash"))
)
_IS_MEMBER = Statement(
    select(schema.members.c.room_id)
    .where(schema.members.c.account_id == bindparam("account_id"))
    .limit(1)
)
_OWNS_ROOM = Statement(
    select(schema.rooms.c.id).where(schema.rooms.c.owner_id == bindparam("account_id")).limit(1)
)
_IS_ENDING = Statement(
    select(_deletions.c.account_id).where(_deletions.c.account_id == bindparam("account_id"))
)
_DELETE = Statement(
    delete(_accounts).where(
        _is_account,
        or_(
            _accounts.c.registered.is_(False),
            exists().where(_deletions.c.account_id == _accounts.c.id),
        ),
    )
)
_DELETE_TXNS = Statement(
    delete(schema.txns).where(
        schema.txns.c.account_id == bindparam("account_id"),
        ~exists().where(_accounts.c.id == bindparam("account_id")),
    )
)
_BLOCK = Statement(insert(_blocks).on_conflict_do_nothing(), columns=("account_id", "blocked_id"))
_UNBLOCK = Statement(
    delete(_blocks).where(
        _blocks.c.account_id == bindparam("account_id"),
        _blocks.c.blocked_id == bindparam("blocked_id"),
    )
)
_IS_BLOCKED = Statement(
    select(_blocks.c.blocked_id).where(
        _blocks.c.account_id == bindparam("by_id"), _blocks.c.blocked_id == bindparam("account_id")
    )
)
_OTHER_BLOCKS = Statement(
    select(func.count()).where(
        _blocks.c.account_id == bindparam("account_id"),
        _blocks.c.blocked_id != bindparam("blocked_id"),
    )
)
_new_network = insert(_networks)
_ADD_NETWORK = Statement(
    _new_network.on_conflict_do_update(
        index_elements=("account_id", "network"),
        set_={"seen_at": _new_network.excluded.seen_at},
        where=_networks.c.seen_at + NETWORK_REFRESH_MS <= _new_network.excluded.seen_at,
    ),
    columns=("account_id", "network", "seen_at"),
)
_DROP_OLD_NETWORKS = Statement(
    delete(_networks).where(
        _networks.c.account_id == bindparam("account_id"),
        _networks.c.network.in_(
            select(_networks.c.network)
            .where(_networks.c.account_id == bindparam("account_id"))
            .order_by(_networks.c.seen_at.desc())
            .offset(NETWORKS_PER_ACCOUNT)
        ),
    )
)
_ADD_PHONE = Statement(insert(_phones), columns=("account_id", "number", "left_at"))
_SET_PHONE_LEFT = Statement(
    update(_phones)
    .where(_phones.c.account_id == bindparam("account"))
    .values(left_at=bindparam("at"))
)
_PHONES = Statement(
    select(_phones.c.account_id, _accounts.c.name, _phones.c.number, _phones.c.left_at)
    .join_from(_phones, _accounts, _accounts.c.id == _phones.c.account_id)
    .order_by(_phones.c.account_id)
)


def from_row(
    row: Any, blocks_asker: object = False, seen_at: int | None = None, memberships: int = 0
) -> Account:
    """Return the account of a row of `COLUMNS`."""
    id_, name, key, registered, password_hash, operator, invite_id = row
    return Account(
        id_,
        name,
        key,
        bool(registered),
        password_hash,
        bool(blocks_asker),
        seen_at or 0,
        memberships,
        bool(operator),
        invite_id,
    )


def find(db: Connection, key: str, asker: int | None, network: str | None = None) -> Account | None:
    """Return the account with a name; see `IStore.find_account`."""
    row = _FIND(db, key=key, asker=asker, network=network).fetchone()
    return None if row is None else from_row(row[:-3], *row[-3:])


def is_name_taken(db: Connection, name: str, key: str) -> bool:
    """Return whether no new account can have a name; see `IStore.is_name_taken`."""
    is_reserved = find_reserved(db, name, key) is not None
    return is_reserved or find(db, key, None) is not None or _has_rival(db, skeleton(name))


def _has_rival(db: Connection, new: str) -> bool:
    """Return whether there is an account whose name looks like that of a skeleton."""
    rival, other = rivals(new)
    return _FIND_RIVAL(db, rival=rival, other_rival=other).fetchone() is not None


def find_reserved(db: Connection, name: str, key: str) -> int | None:
    """Return the account for which a name, or one that looks like it, is reserved, if any.

    That account may have been deleted.
    """
    rival, other = rivals(skeleton(name))
    found: int | None = _RESERVED.scalar(db, key=key, rival=rival, other_rival=other)
    return found


def find_by_uuid(db: Connection, uuid_hash: bytes) -> Account | None:
    """Return the account with a credential; see `IStore.find_by_uuid`."""
    row = _FIND_BY_UUID(db, uuid_hash=uuid_hash).fetchone()
    return None if row is None else from_row(row)


def get(db: Connection, account_id: int) -> Account | None:
    """Return the account with an id, None if there is none."""
    row = _GET(db, account_id=account_id).fetchone()
    return None if row is None else from_row(row)


def require(db: Connection, account_id: int | None) -> None:
    """Raise NoSuchUser if there is no account with an id."""
    if _GET(db, account_id=account_id).fetchone() is None:
        raise NoSuchUser()


def guests(db: Connection) -> tuple[StoredGuest, ...]:
    """Return all temporary accounts, oldest first."""
    return tuple(
        StoredGuest(from_row(row), network or "", bool(resumable))
        for network, resumable, *row in _GUESTS(db)
    )


def register(
    db: Connection,
    log_writer: LogWriter,
    name: str,
    key: str,
    password_hash: str | None,
    uuid_hash: bytes | None,
    at: int,
    network: str | None = None,
    admission: Admission | None = None,
) -> int:
    """Create a registered account; see `IStore.register`."""
    if admission is not None:
        invite_links.check_admission(db, admission, at)
    account_id = create(db, log_writer, name, key, at, True, password_hash, uuid_hash)
    if admission is not None:
        invite_links.use_admission(db, admission, account_id)
    add_network(db, account_id, network, at)
    return account_id


def add_network(db: Connection, account_id: int, network: str | None, at: int) -> None:
    """Store that an account registered or logged in from a network; None for no network.

    Nothing is written if the last login from there was within `NETWORK_REFRESH_MS`.
    """
    if network is None:
        return
    if _ADD_NETWORK(db, account_id=account_id, network=network, seen_at=at).rowcount:
        _DROP_OLD_NETWORKS(db, account_id=account_id)


def create(
    db: Connection,
    log_writer: LogWriter,
    name: str,
    key: str,
    at: int,
    registered: bool,
    password_hash: str | None = None,
    uuid_hash: bytes | None = None,
) -> int:
    """Create an account and return its id. Everything in the lobby counts as read.

    Args:
        db: the writer's connection.
        log_writer: knows the end of the lobby's log.
        name: the name as it is displayed.
        key: the name as it is compared.
        at: now, in milliseconds since 1970, UTC.
        registered: False for a temporary account.
        password_hash: Argon2id hash as text, None without a password.
        uuid_hash: credential of 32 bytes, None without one.

    Raises:
        NameTaken: an account has the name, one that looks like it, or the credential; or the name
            is reserved for another one.
    """
    looks = skeleton(name)
    # An old look-alike does not keep the server from its own name.
    if key not in RESERVED and _has_rival(db, looks):
        raise NameTaken()
    if find_reserved(db, name, key) is not None:
        raise NameTaken()
    account_id: int | None = _CREATE.scalar(
        db,
        name=name,
        key=key,
        registered=registered,
        password_hash=password_hash,
        uuid_hash=uuid_hash,
        created_at=at,
        lobby_read_seq=log_writer.lobby_seq(db),
        skeleton=looks,
    )
    if account_id is None:
        raise NameTaken()
    return account_id


def set_password(db: Connection, account_id: int, password_hash: str) -> None:
    """Change the password hash of an account."""
    _SET_PASSWORD(db, account_id=account_id, new_hash=password_hash)


def is_ending(db: Connection, account_id: int) -> bool:
    """Return whether the deletion of an account has begun, and not all is done of it."""
    return _IS_ENDING.scalar(db, account_id=account_id) is not None


def end_guest(db: Connection, account_id: int) -> None:
    """Delete an account that ends; rows that refer to it are deleted by their foreign keys.

    Raises:
        NotStored: it is a member or the owner of a room.
    """
    for has_room in (_IS_MEMBER, _OWNS_ROOM):
        if has_room(db, account_id=account_id).fetchone():
            raise NotStored("A member or owner of a room can't be deleted.")
    _DELETE(db, account_id=account_id)
    _DELETE_TXNS(db, account_id=account_id)


def block(db: Connection, account_id: int, blocked_id: int, on: bool, limit: int) -> None:
    """Block an account or unblock it; see `IStore.block`."""
    accounts = {"account_id": account_id, "blocked_id": blocked_id}
    if on:
        require(db, account_id)
        require(db, blocked_id)
        check_blocks(limit, lambda limit: bool(_OTHER_BLOCKS.scalar(db, **accounts) >= limit))
    (_BLOCK if on else _UNBLOCK)(db, **accounts)


def require_unblocked(db: Connection, account_id: int, by_id: int) -> None:
    """Raise Blocked if an account is blocked by another one."""
    if _IS_BLOCKED(db, account_id=account_id, by_id=by_id).fetchone() is not None:
        raise Blocked()


def register_phone(
    db: Connection,
    log_writer: LogWriter,
    name: str,
    key: str,
    number: str,
    credential: bytes,
    at: int,
) -> int:
    """Create an account with a telephone number; see `IStore.register_phone`."""
    account_id = register(db, log_writer, name, key, None, credential, at)
    _ADD_PHONE(db, account_id=account_id, number=number, left_at=at)
    return account_id


def set_phone_left(db: Connection, account_id: int, at: int) -> None:
    """Store when a user was last connected; see `IStore.set_phone_left`."""
    _SET_PHONE_LEFT(db, account=account_id, at=at)


def phones(db: Connection) -> list[PhoneAccount]:
    """Return all accounts with telephone numbers, oldest first."""
    return [PhoneAccount(*row) for row in _PHONES(db)]
