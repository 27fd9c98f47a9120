"""Profiles of accounts; see `IProfileStore`."""

from __future__ import annotations

from sqlalchemy import bindparam, func, select

from gtchat.chat.profile_store import NO_PROFILE, Profile
from gtchat.store.sql import accounts, schema
from gtchat.store.sql.database import Connection
from gtchat.store.sql.statements import Statement, insert

_devices = schema.devices
_profiles = schema.profiles
_sessions = schema.sessions

_FIND = Statement(
    select(_profiles.c.about, _profiles.c.colour, _profiles.c.hides_seen).where(
        _profiles.c.account_id == bindparam("account")
    )
)
_SEEN = Statement(
    select(
        select(func.coalesce(func.max(func.coalesce(_sessions.c.lost_at, _sessions.c.began_at)), 0))
        .where(_sessions.c.account_id == bindparam("account"))
        .scalar_subquery(),
        select(func.coalesce(func.max(_devices.c.last_seen), 0))
        .where(_devices.c.account_id == bindparam("account"))
        .scalar_subquery(),
    )
)
_set = insert(_profiles)
_SET = Statement(
    _set.on_conflict_do_update(
        index_elements=["account_id"],
        set_={name: getattr(_set.excluded, name) for name in ("about", "colour", "hides_seen")},
    ),
    columns=("account_id", "about", "colour", "hides_seen"),
)


def find(db: Connection, account_id: int) -> tuple[Profile, int]:
    """Return the profile of an account; see `IProfileStore.find_profile`."""
    row = _FIND(db, account=account_id).fetchone()
    profile = NO_PROFILE if row is None else Profile(row[0], row[1], bool(row[2]))
    return profile, max(_SEEN(db, account=account_id).fetchone())


def save(db: Connection, account_id: int, profile: Profile) -> None:
    """Keep the profile of an account; see `IProfileStore.set_profile`."""
    accounts.require(db, account_id)
    _SET(
        db,
        account_id=account_id,
        about=profile.about,
        colour=profile.colour,
        hides_seen=profile.hides_seen,
    )
