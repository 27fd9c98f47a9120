"""Which limits count, and how operators change them at run time, for all nodes.

A limit has the value of its setting until an operator chooses another one. That is stored as the
choices of `access` are, goes before the setting, whatever is read again, and ends when the operator
chooses that of the setting.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from gtchat.chat.audit import Actor, write_line
from gtchat.chat.errors import NotAllowed
from gtchat.chat.limits import Limits
from gtchat.chat.mentions import MentionLimits
from gtchat.chat.node_records import ChoiceMade, ForeignHandlers
from gtchat.chat.state import State

#: Begins the names of these choices.
PREFIX = "limit "
#: Limits that operators' accounts may change: what users register, say and have. The others are for
#: operators at the server: with those, an account that was taken over could fill memory or disk,
#: guess passwords, free itself of its own limits, or delete messages and the audit log for good.
FOR_ACCOUNTS = frozenset(
    {
        "text_chars",
        "registrations_burst",
        "registrations_per_minute",
        "edit_window",
        "reactions_per_minute",
        "reactions_per_message",
        "reaction_changes",
        "pins_per_room",
        "mentions_per_message",
        "invitations_per_user",
        "invitations_per_pair",
        "invitations_per_inviter",
        "rooms_per_user",
        "members_per_room",
        "memberships_per_user",
        "stored_whispers_per_user",
        "daily_bytes_account",
        "daily_bytes_guest",
        "daily_bytes_guests_address",
        "quota_account_bytes",
        "quota_room_bytes",
        "panic_slow_seconds",
        "invite_links_per_account",
        "invite_link_uses",
        "reports_per_hour",
        "reports_per_account",
        "reports_per_room",
    }
)
_KINDS = {"int": int, "float": float}
_TYPES = {field.name: _KINDS[str(field.type)] for field in attrs.fields(Limits)}


@attrs.frozen
class ChosenLimit:
    """A value that an operator has chosen.

    Attributes:
        value: the value.
        by: who has chosen it; see `Actor.name`.
        at: when, in milliseconds since 1970, UTC.
    """

    value: float
    by: str
    at: int

    def stored(self) -> str:
        """Return it as it is stored: a line; no field has a tab."""
        return f"{self.value}\t{self.at}\t{self.by}"

    @classmethod
    def parse(cls, name: str, stored: str) -> ChosenLimit | None:
        """Return a stored value of a limit, None for what this program does not know."""
        try:
            text, at, by = stored.split("\t")
            chosen = cls(_TYPES[name](text), by, int(at))
            _with_values(Limits(), {name: chosen})  # its validators are those of the settings
        except (KeyError, ValueError):
            return None
        return chosen


def _with_values(settings: Limits, chosen: Mapping[str, ChosenLimit]) -> Limits:
    """Return limits with other values of some. Raises ValueError: a limit can't have its value."""
    values: dict[str, Any] = {name: one.value for name, one in chosen.items()}
    return attrs.evolve(settings, **values)


class LimitAdmin:
    """The limits, for operators.

    Args:
        state: the chat's shared objects. Its limits are those of the settings at first.

    Attributes:
        settings: the limits that the settings say.
        sources: name of a limit -> what kind of setting its value is from, for operators; those
            with their default are not in it.
        chosen: name of a limit -> what an operator has chosen.
        on_change: called after each change; the server sets it.
    """

    def __init__(self, state: State) -> None:
        self._store = state.store
        self._audit = state.audit
        self._now = state.users.now
        self._limits = state.limits
        self.settings = attrs.evolve(state.limits)
        self.sources: Mapping[str, str] = {}
        self.chosen: dict[str, ChosenLimit] = {}
        self.on_change: Callable[[], None] = lambda: None
        self._apply()

    def foreign_handlers(self) -> ForeignHandlers:
        """Return what this part does with system entries of other nodes."""
        return {ChoiceMade: self._chosen_elsewhere}

    def begin(self, choices: Mapping[str, str]) -> None:
        """Begin with the limits among the choices that are stored."""
        self.chosen.clear()
        for choice, value in choices.items():
            if choice.startswith(PREFIX):
                self._take(choice.removeprefix(PREFIX), value)
        self._apply()

    def use(self, settings: Limits, sources: Mapping[str, str]) -> None:
        """Take other settings; what operators have chosen still goes before them.

        Args:
            settings, sources: see the attributes of this class.
        """
        self.settings, self.sources = settings, sources
        self._apply()

    async def choose(self, name: str, value: float | None, actor: Actor) -> None:
        """Choose the value of a limit.

        Args:
            name: the limit, a field of `Limits`.
            value: a value that it can have, None for that of the setting.
            actor: who does it.

        Raises:
            NotAllowed: an account may not change this one.
            NotStored.
        """
        if not actor.at_server and name not in FOR_ACCOUNTS:
            raise NotAllowed(f"{name} can be changed at the server only, with gtchat admin.")
        shown = "default" if value is None else str(value)
        record = self._audit.record("chosen", actor, setting=name, value=shown)
        stored = None if value is None else ChosenLimit(value, actor.name, self._now()).stored()
        await self._store.choose(PREFIX + name, stored, record)
        write_line(record)
        self._take(name, stored)
        self._apply()

    def _chosen_elsewhere(self, node_id: int, entry: ChoiceMade) -> None:
        if entry.name.startswith(PREFIX):
            self._take(entry.name.removeprefix(PREFIX), entry.value)
            self._apply()

    def _take(self, name: str, stored: str | None) -> None:
        """Take note of what is stored of a limit; None: it has the value of its setting."""
        self.chosen.pop(name, None)
        chosen = ChosenLimit.parse(name, stored or "")
        if chosen is not None:
            self.chosen[name] = chosen

    def _apply(self) -> None:
        """Let the limits that follow from settings and choices hold from now on.

        What has begun keeps its time: a lockout, a deadline.
        """
        limits = self._limits
        limits.replace(_with_values(self.settings, self.chosen))
        self._store.mention_limits = MentionLimits(
            message=limits.mentions_per_message, kept=limits.mentions_per_account
        )
        self.on_change()
