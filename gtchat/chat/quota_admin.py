"""How much accounts and rooms can store: what the store has counted, and quotas of their own.

The store counts in idle time, and each node asks it every few seconds which accounts and rooms have
as much as they can. So a message costs nothing more; what is stored until it is noticed is bounded
by the rate of commands.
"""

from __future__ import annotations

from contextlib import suppress

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall

from gtchat.chat.account_admin import AccountAdmin
from gtchat.chat.audit import Actor, AuditRecord, write_line
from gtchat.chat.background import run_in_background
from gtchat.chat.errors import NotStored
from gtchat.chat.rooms import LOBBY
from gtchat.chat.state import State
from gtchat.chat.storage_store import DIRECT_MESSAGES, CountedBy, StorageLimits, StoredTexts

#: Seconds between two looks at what is over its quota.
LOOK_INTERVAL_S = 10


class QuotaAdmin:
    """Sets quotas, and has the `Quota` refuse what is over them.

    Args:
        state: the chat's shared objects.
        accounts: finds accounts.
    """

    def __init__(self, state: State, accounts: AccountAdmin) -> None:
        self._state = state
        self._store = state.store
        self._loader = state.loader
        self._audit = state.audit
        self._accounts = accounts
        self._timer: IDelayedCall | None = None

    def start(self) -> None:
        """Look now, and every few seconds from now on."""
        self._timer = self._state.clock.callLater(LOOK_INTERVAL_S, self.start)
        run_in_background(Deferred.fromCoroutine(self.look()), "looking at quotas")

    def stop(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def look(self) -> None:
        """Refuse what is over its quota from now on; as before if the store can't be read."""
        limits, quota = self._state.limits, self._state.quota
        wanted = StorageLimits(limits.quota_account_bytes, limits.quota_room_bytes)
        with suppress(NotStored):
            over = await self._store.over_quota(wanted)
            quota.refuse(over)
            # Sessions that have bytes left do not ask.
            for account_id in over.accounts:
                user = self._state.users.get_by_id(account_id)
                for session in user.sessions if user is not None else ():
                    quota.settle(session)

    def quota_of(self, by: CountedBy, texts: StoredTexts) -> int:
        """Return the bytes that an account or a room can have, 0 for any number."""
        if texts.quota is not None:
            return texts.quota
        if by == "accounts":
            return self._state.limits.quota_account_bytes
        is_limited = texts.name not in (LOBBY, DIRECT_MESSAGES)
        return self._state.limits.quota_room_bytes if is_limited else 0

    async def set_of_account(self, name: str, quota: int | None, actor: Actor) -> StoredTexts:
        """Give a registered account a quota; return what it has stored.

        Args:
            name: the account, as it was typed.
            quota: bytes, 0 for any number, None to have that of the setting.
            actor: who does it.

        Raises:
            NoSuchUser, NotStored.
        """
        account = await self._accounts.find(name)
        record = self._audit.record("account_quota", actor, name=account.name, quota=_said(quota))
        return await self._set("accounts", account.id, quota, record)

    async def set_of_room(self, name: str, quota: int | None, actor: Actor) -> StoredTexts:
        """Give a room a quota; see `set_of_account`. Raises NoSuchRoom, NotStored."""
        room = await self._loader.find(name)
        record = self._audit.record("admin_room_quota", actor, room=room.name, quota=_said(quota))
        return await self._set("rooms", room.id, quota, record)

    async def _set(
        self, by: CountedBy, owner_id: int, quota: int | None, record: AuditRecord
    ) -> StoredTexts:
        await self._store.set_quota(by, owner_id, quota, record)
        write_line(record)
        texts: StoredTexts = await self._store.stored_texts(by, owner_id)
        await self.look()
        return texts


def _said(quota: int | None) -> str:
    if quota is None:
        return "the setting"
    return f"{quota} bytes" if quota else "no limit"
