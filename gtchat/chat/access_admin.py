"""What operators choose at run time: who may come in. What is chosen holds for all nodes."""

from __future__ import annotations

from gtchat.chat.access import DEFAULT
from gtchat.chat.audit import Actor, write_line
from gtchat.chat.node_records import ChoiceMade, ForeignHandlers
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
