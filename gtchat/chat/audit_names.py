"""Under which names the audit log has an account: it knows names only, and these change.

A name that differs in capitals only is the same account's. Others may have had any other one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import attrs

from gtchat.chat.accounts import login_key
from gtchat.chat.admin_store import AUDIT_NAMES, AuditQuery, IAdminStore
from gtchat.chat.audit import AuditRecord

#: Records of a page that is read at a time.
PAGE = 200


@attrs.frozen
class AuditNames:
    """The names of an account in the audit log.

    Attributes:
        names: how it was written, the present name first: `AUDIT_NAMES` at most.
        since: since when it has that name, in milliseconds since 1970, UTC.
    """

    names: tuple[str, ...]
    since: int


async def records(store: IAdminStore, query: AuditQuery) -> AsyncIterator[AuditRecord]:
    """Yield records of the audit log, newest first, in pages. Raises NotStored."""
    query = attrs.evolve(query, limit=PAGE)
    while True:
        found = await store.audit_records(query)
        for one in found:
            yield one
        if len(found) < PAGE:
            return
        query = attrs.evolve(query, before=found[-1].id)


async def names_of(store: IAdminStore, name: str, created_at: int) -> AuditNames:
    """Return the names of an account in the audit log.

    Args:
        store: has the log.
        name: the name of the account.
        created_at: when it was made, in milliseconds since 1970, UTC.

    Raises:
        NotStored.
    """
    names = [name]
    async for one in records(store, AuditQuery(since=created_at, code="account_renamed")):
        if one.what.get("new_name") == names[-1]:
            if login_key(one.subject) != login_key(name):
                return AuditNames(_first(names), one.at)
            names.append(one.subject)
    return AuditNames(_first(names), created_at)


def _first(names: list[str]) -> tuple[str, ...]:
    """Return the first of some names, each once."""
    return tuple(dict.fromkeys(names))[:AUDIT_NAMES]
