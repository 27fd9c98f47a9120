"""What operators choose at run time, for all nodes: who may come in, the name of the chat."""

from __future__ import annotations

from gtchat.chat.access import DEFAULT, NAME, NAME_CHARS
from gtchat.chat.audit import Actor, write_line
from gtchat.chat.errors import BadRequest
from gtchat.chat.node_records import ChoiceMade, ForeignHandlers
from gtchat.chat.normalization import nfc
from gtchat.chat.state import State


class AccessAdmin:
    """Changes who may come in.

    Args:
        state: the chat's shared objects.
    """

    def __init__(self, state: State) -> None:
        self._store = state.store
        self._audit = state.audit
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
        name = nfc(raw.strip(), NAME_CHARS, NAME)
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
        record = self._audit.record("chosen", actor, setting=name, value=value)
        stored = None if value == DEFAULT else value
        await self._store.choose(name, stored, record)
        write_line(record)
        self._access.choose(name, stored)

    def _chosen_elsewhere(self, node_id: int, entry: ChoiceMade) -> None:
        self._access.choose(entry.name, entry.value)
