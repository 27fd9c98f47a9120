"""What operators choose at run time, for all nodes: who may come in, the name of the chat."""

from __future__ import annotations

from gtchat.chat.access import DEFAULT, NAME
from gtchat.chat.audit import Actor, write_line
from gtchat.chat.errors import BadRequest
from gtchat.chat.modes import CHAT_NAME_CHARS
from gtchat.chat.node_records import ChoiceMade, ForeignHandlers
from gtchat.chat.normalization import nfc
from gtchat.chat.panic import MAX_MS, NEW_MS, PANIC
from gtchat.chat.state import State


class AccessAdmin:
    """Changes who may come in.

    Args:
        state: the chat's shared objects.
    """

    def __init__(self, state: State) -> None:
        self._store = state.store
        self._audit = state.audit
        self._now = state.users.now
        self._access = state.access

    def foreign_handlers(self) -> ForeignHandlers:
        """Return what this part does with system entries of other nodes."""
        return {ChoiceMade: self._chosen_elsewhere}

    async def rename(self, raw: str, actor: Actor) -> None:
        """Give the chat another name, `DEFAULT` for that of the setting.

        Args:
            raw: the name as it was typed.
            actor: who does it.

        Raises:
            BadRequest, TooLong, NotStored.
        """
        name = nfc(raw.strip(), CHAT_NAME_CHARS, NAME)
        if not name or not name.isprintable():
            raise BadRequest("name: must be one line of printable characters.")
        await self.choose(NAME, name, actor)

    async def choose(self, name: str, value: str, actor: Actor) -> None:
        """Choose a value, or that of the setting.

        Args:
            name: the choice, a name of `access`.
            value: a value that it can have, or `DEFAULT`.
            actor: who does it.

        Raises:
            NotStored.
        """
        await self._choose(name, None if value == DEFAULT else value, value, actor)

    async def panic(self, ms: int | None, actor: Actor, new_ms: int = NEW_MS) -> None:
        """Turn the panic switch on, or off; if it is on, have it end at another time.

        Accounts that are new then stay so: a longer time would let those speak who raid the chat.

        Args:
            ms: for how many milliseconds from now, None for off.
            actor: who does it.
            new_ms: how old new accounts are at most, in milliseconds, those of now included.

        Raises:
            BadRequest: the time is longer than `MAX_MS`.
            NotStored.
        """
        if ms is None:
            return await self._choose(PANIC, None, "off", actor)
        if not 0 < ms <= MAX_MS:
            raise BadRequest(f"for: must be at most {MAX_MS // (24 * 3600 * 1000)}d.")
        new_from = await self._store.first_account(self._now() - new_ms) or 0
        panic = self._access.panic
        if panic.is_on and panic.new_from:
            new_from = min(new_from or panic.new_from, panic.new_from)
        shown = f"on for {ms // 1000} s, accounts of the last {new_ms // 1000} s are new"
        await self._choose(PANIC, f"{self._now() + ms} {new_from}", shown, actor)

    async def _choose(self, name: str, stored: str | None, shown: str, actor: Actor) -> None:
        """Store a choice, with a record that shows it so."""
        record = self._audit.record("chosen", actor, setting=name, value=shown)
        await self._store.choose(name, stored, record)
        write_line(record)
        self._access.choose(name, stored)

    def _chosen_elsewhere(self, node_id: int, entry: ChoiceMade) -> None:
        self._access.choose(entry.name, entry.value)
