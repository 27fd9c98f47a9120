"""Who may come in: how accounts are registered, whether there are guests; the name of the chat.

Each choice has the value of its setting until an operator chooses another one at run time. That is
stored, holds for all nodes and after a restart, and goes before the setting until the operator
chooses `DEFAULT`. While the panic switch is on, none of that counts: no new users come in.
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from gtchat.chat.errors import GuestsRefused, InviteWanted, RegistrationClosed
from gtchat.chat.invite_store import Admission
from gtchat.chat.modes import REGISTRATION_MODES
from gtchat.chat.panic import PANIC, PanicMode

#: Chosen to have the value of the setting again.
DEFAULT = "default"
#: Names of the choices; values are texts, of `GUESTS` "on" and "off".
REGISTRATION, GUESTS, NAME = "registration", "guests", "name"


@attrs.frozen
class AccessSettings:
    """The settings.

    Attributes:
        registration: one of `REGISTRATION_MODES`.
        guests: whether temporary users can log in.
        name: the name of the chat, for people.
        invites: whether all members can make links with which others register, not operators only.
        deleted_messages: what becomes of the messages of deleted accounts, one of `MESSAGES_MODES`.
    """

    registration: str = "open"
    guests: bool = True
    name: str = "GTChat"
    invites: bool = False
    deleted_messages: str = "choice"


class Access:
    """Says who may come in.

    Args:
        settings: what holds where nothing was chosen. May be replaced at any time.
        panic: the panic switch.

    Attributes:
        settings, panic: as given.
    """

    def __init__(self, settings: AccessSettings, panic: PanicMode) -> None:
        self.settings = settings
        self.panic = panic
        self._chosen: dict[str, str] = {}

    def begin(self, chosen: Mapping[str, str]) -> None:
        """Take over what is stored: name of the choice -> value."""
        self._chosen = dict(chosen)
        self.panic.take(self._chosen.get(PANIC))

    def choose(self, name: str, value: str | None) -> None:
        """Take note of a choice that is stored; None: it has the value of its setting again."""
        self._chosen.pop(name, None)
        if value is not None:
            self._chosen[name] = value
        if name == PANIC:
            self.panic.take(value)

    def is_chosen(self, name: str) -> bool:
        """Return whether a value was chosen at run time."""
        return name in self._chosen

    @property
    def registration(self) -> str:
        """Who can register now: one of `REGISTRATION_MODES`."""
        if self.panic.is_on:
            return "closed"
        chosen = self._chosen.get(REGISTRATION)
        return chosen if chosen in REGISTRATION_MODES else self.settings.registration

    @property
    def guests(self) -> bool:
        """Whether temporary users can log in now."""
        if self.panic.is_on:
            return False
        chosen = self._chosen.get(GUESTS)
        return self.settings.guests if chosen is None else chosen == "on"

    @property
    def name(self) -> str:
        """The name of the chat, for people."""
        return self._chosen.get(NAME, self.settings.name)

    @property
    def invites(self) -> bool:
        """Whether all members can make links with which others register."""
        return self.settings.invites

    @property
    def deleted_messages(self) -> str:
        """What becomes of the messages of deleted accounts: one of `MESSAGES_MODES`."""
        return self.settings.deleted_messages

    def told(self) -> dict[str, str | bool]:
        """Return what clients are told before a login, by the names of the choices."""
        return {NAME: self.name, REGISTRATION: self.registration, GUESTS: self.guests}

    def check_registration(self, admission: Admission | None) -> None:
        """Check that an account can be registered.

        Args:
            admission: what it is let in by, None for nothing. The first operator is always.

        Raises:
            RegistrationClosed, InviteWanted.
        """
        if self.registration == "closed" and not (admission and admission.operator):
            raise RegistrationClosed()
        if self.registration == "invite" and admission is None:
            raise InviteWanted()

    def check_guests(self) -> None:
        """Check that temporary users can log in. Raises GuestsRefused."""
        if not self.guests:
            raise GuestsRefused()
