"""What other nodes have stored: it is made here too, and sent to the sessions that are here."""

from __future__ import annotations

from gtchat.chat.delivery import Delivery
from gtchat.chat.node_records import Foreign, ForeignHandlers
from gtchat.chat.ownership import Ownership
from gtchat.chat.state import State


class ForeignDelivery:
    """Makes the changes of other nodes here, and sends them to the sessions here.

    Args:
        state: the chat's shared objects. The store reports to `deliver` from now on.
        delivery: sends events to rooms.
        ownership: counts the rooms that users have created.

    Attributes:
        handlers: what each part of the chat does with system entries.
    """

    def __init__(self, state: State, delivery: Delivery, ownership: Ownership) -> None:
        self._state = state
        self._delivery = delivery
        self._ownership = ownership
        self.handlers: list[ForeignHandlers] = []
        state.store.foreign = self.deliver

    def deliver(self, foreign: Foreign) -> None:
        """Make what other nodes have stored, in the order of its attributes; see `INodeStore`."""
