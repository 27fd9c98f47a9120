"""What operators do with accounts: lists, the operator mark, new names, login links."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Boolean, bindparam, delete, exists, func, not_, or_, select, update

from gtchat.chat.admin_store import RESERVED_MS, AccountQuery, ListedAccount
from gtchat.chat.errors import BadCredentials, NameTaken, NoSuchUser, NotAllowed, NotLoggedIn
from gtchat.chat.interfaces import Account
from gtchat.chat.look_alikes import rivals, skeleton
from gtchat.store.sql import accounts, moderation, schema
from gtchat.store.sql.database import Connection, PostgresSQL
from gtchat.store.sql.statements import Statement, insert

_accounts = schema.accounts
_links = schema.login_links
_reserved = schema.reserved_names
_sessions = schema.sessions
_is_account = _accounts.c.id == bindparam("account")

_listed = select(
    _accounts.c.id,
    _accounts.c.name,
    _accounts.c.key,
    _accounts.c.registered,
    _accounts.c.operator,
    _accounts.c.created_at,
    _accounts.c.password_hash.is_not(None),
    _accounts.c.uuid_hash.is_not(None),
    select(func.count())
    .select_from(schema.members)
    .where(schema.members.c.account_id == _accounts.c.id)
    .scalar_subquery(),
).where(~exists().where(schema.deletions.c.account_id == _accounts.c.id))
_LIST = Statement(
    _listed.where(
        _accounts.c.key > bindparam("after"),
        or_(_accounts.c.registered, bindparam("guests", type_=Boolean)),
        or_(_accounts.c.operator, not_(bindparam("operators", type_=Boolean))),
        _accounts.c.key.like(bindparam("pattern"), escape="\\"),
    )
    .order_by(_accounts.c.key)
    .limit(bindparam("limit"))
)
_GET = Statement(_listed.where(_is_account))
_FIRST = Statement(
    select(func.min(_accounts.c.id)).where(_accounts.c.created_at >= bindparam("since"))
)
_SET_OPERATOR = Statement(update(_accounts).where(_is_account).values(operator=bindparam("on")))
_IS_CONNECTED = Statement(
    select(_sessions.c.token_hash)
    .where(_sessions.c.account_id == bindparam("account"), _sessions.c.expires_from.is_(None))
    .limit(1)
)
_SESSION = Statement(
    select(_sessions.c.account_id).where(
        _sessions.c.token_hash == bindparam("token"),
        _sessions.c.account_id == bindparam("account"),
    )
)
#: Accounts that are online without a stored session; only PostgreSQL knows those of other nodes.
_IS_ONLINE = "SELECT 1 FROM online WHERE account_id = %s LIMIT 1"
_NAME_TAKEN = Statement(
    select(_accounts.c.id)
    .where(
        ~_is_account,
        or_(
            _accounts.c.key == bindparam("key"),
            _accounts.c.skeleton.in_((bindparam("rival"), bindparam("other_rival"))),
        ),
    )
    .limit(1)
)
_RENAME = Statement(
    update(_accounts)
    .where(_is_account)
    .values(name=bindparam("name"), key=bindparam("new_key"), skeleton=bindparam("looks"))
)
_RENAME_OWNER = Statement(
    update(schema.rooms)
    .where(schema.rooms.c.owner_id == bindparam("account"))
    .values(owner=bindparam("name"))
)
_FREE = Statement(delete(_reserved).where(_reserved.c.key == bindparam("key")))
_reserve = insert(_reserved)
#: Reserves a name for an account.
RESERVE = Statement(
    _reserve.on_conflict_do_update(
        index_elements=["key"],
        set_={"account_id": _reserve.excluded.account_id, "until": _reserve.excluded.until},
    ),
    columns=("key", "account_id", "skeleton", "until"),
)
_add_link = insert(_links)
_ADD_LINK = Statement(
    _add_link.on_conflict_do_update(
        index_elements=["account_id"],
        set_={
            "token_hash": _add_link.excluded.token_hash,
            "expires_at": _add_link.excluded.expires_at,
        },
    ),
    columns=("account_id", "token_hash", "expires_at"),
)
_FIND_LINK = Statement(
    select(_links.c.account_id).where(
        _links.c.token_hash == bindparam("token"), _links.c.expires_at > bindparam("at")
    )
)
_USE_LINK = Statement(
    delete(_links)
    .where(
        _links.c.account_id == bindparam("account"),
        _links.c.token_hash == bindparam("token"),
        _links.c.expires_at > bindparam("at"),
    )
    .returning(_links.c.account_id)
)
_DELETE_LINK = Statement(delete(_links).where(_links.c.account_id == bindparam("account")))
_PRUNE_LINKS = Statement(delete(_links).where(_links.c.expires_at < bindparam("at")))
_PRUNE_NAMES = Statement(delete(_reserved).where(_reserved.c.until < bindparam("at")))


def listed(db: Connection, query: AccountQuery) -> list[ListedAccount]:
    """Return accounts in the order of their keys; see `IAdminStore.list_accounts`."""
    escaped = query.search.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    rows = _LIST(
        db,
        after=query.after,
        guests=query.guests,
        operators=query.operators,
        pattern=f"%{escaped}%",
        limit=query.limit,
    )
    return list(map(_from_row, rows))


def get(db: Connection, account_id: int) -> ListedAccount | None:
    """Return an account as it is listed; see `IAdminStore.listed_account`."""
    row = _GET(db, account=account_id).fetchone()
    return None if row is None else _from_row(row)


def first_account(db: Connection, since: int) -> int | None:
    """Return the smallest id of an account; see `IAdminStore.first_account`."""
    found: int | None = _FIRST.scalar(db, since=since)
    return found


def _from_row(row: Any) -> ListedAccount:
    id_, name, key, registered, operator, created_at, has_password, has_key, rooms = row
    return ListedAccount(
        id_,
        name,
        key,
        bool(registered),
        bool(operator),
        created_at,
        bool(has_password),
        bool(has_key),
        rooms,
    )


def set_operator(db: Connection, account_id: int, on: bool) -> None:
    """Give or take the operator mark; see `IAdminStore.set_operator`."""
    _registered(db, account_id)
    _SET_OPERATOR(db, account=account_id, on=on)


def rename(db: Connection, account_id: int, old: str, name: str, key: str, at: int) -> None:
    """Rename an account that is not connected; see `IAdminStore.rename`."""
    account = _registered(db, account_id)
    if account.name != old:
        raise NoSuchUser()
    is_online = isinstance(db, PostgresSQL) and db.execute(_IS_ONLINE, (account_id,)).fetchone()
    if is_online or _IS_CONNECTED.scalar(db, account=account_id) is not None:
        raise NotAllowed("This user is logged in: end the sessions first.")
    looks = skeleton(name)
    rival, other = rivals(looks)
    others = {"account": account_id, "key": key, "rival": rival, "other_rival": other}
    holder = accounts.find_reserved(db, name, key)
    is_reserved = holder not in (None, account_id)
    if is_reserved or _NAME_TAKEN.scalar(db, **others) is not None:
        raise NameTaken()
    _RENAME(db, account=account_id, name=name, new_key=key, looks=looks)
    _RENAME_OWNER(db, account=account_id, name=name)
    moderation.rename(db, account_id, name)
    _FREE(db, key=key)
    if account.key != key:
        former = {"key": account.key, "skeleton": skeleton(old)}
        RESERVE(db, account_id=account_id, until=at + RESERVED_MS, **former)


def _registered(db: Connection, account_id: int) -> Account:
    """Return a registered account that is not being deleted. Raises NoSuchUser."""
    account = accounts.get(db, account_id)
    if account is None or not account.registered or accounts.is_ending(db, account_id):
        raise NoSuchUser()
    return account


def require_session(db: Connection, account_id: int, token_hash: bytes) -> None:
    """Check that a registered account has a session. Raises NoSuchUser, NotLoggedIn."""
    _registered(db, account_id)
    if _SESSION.scalar(db, account=account_id, token=token_hash) is None:
        raise NotLoggedIn()


def add_login_link(
    db: Connection, account_id: int, token_hash: bytes, expires_at: int, made_by: bytes | None
) -> None:
    """Keep a login link; see `IAdminStore.add_login_link`."""
    if made_by is None:
        _registered(db, account_id)
    else:
        require_session(db, account_id, made_by)
    _ADD_LINK(db, account_id=account_id, token_hash=token_hash, expires_at=expires_at)


def find_login_link(db: Connection, token_hash: bytes, at: int) -> Account | None:
    """Return the account that a link logs in; see `IAdminStore.find_login_link`."""
    account_id = _FIND_LINK.scalar(db, token=token_hash, at=at)
    return None if account_id is None else accounts.get(db, account_id)


def use_login_link(db: Connection, account_id: int, token_hash: bytes, at: int) -> None:
    """End the link that a login is proved with. Raises BadCredentials: it is not valid any more."""
    if _USE_LINK.scalar(db, account=account_id, token=token_hash, at=at) is None:
        raise BadCredentials()


def delete_login_link(db: Connection, account_id: int) -> None:
    """Delete the login link of an account, if it has one."""
    _DELETE_LINK(db, account=account_id)


def prune(db: Connection, at: int) -> None:
    """Delete the links and the reserved names whose time was over at a time, in milliseconds."""
    _PRUNE_LINKS(db, at=at)
    _PRUNE_NAMES(db, at=at)
