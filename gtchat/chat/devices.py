"""Devices, and the rules of how many places an account can be logged in at.

A client that names its device lives side by side with the account's sessions on other devices, and
with further ones on its own. A device may be remembered: its token begins sessions without the
password. The name of a device is no secret; the token is one, and only its hash is stored.
"""

from __future__ import annotations

import re

import attrs

from gtchat.chat.errors import BadRequest
from gtchat.chat.limits import Limits
from gtchat.chat.modes import SESSION_MODES
from gtchat.chat.normalization import nfc
from gtchat.chat.session_records import Replaces, SessionLimits

#: What is said if a second login fails.
CONNECTED_ELSEWHERE = "You are logged in on another connection."
#: Longest name of a device for users, in characters; longest `device`, in characters.
NAME_CHARS, DEVICE_CHARS = 64, 64

_DEVICE = re.compile(rf"[!-~]{{1,{DEVICE_CHARS}}}")
#: Mode -> what a login without a device ends. One with a device, in `devices`, ends nothing.
_REPLACES = {
    "devices": Replaces.WITHOUT_DEVICE,
    "replace": Replaces.PROTOCOL,
    "refuse": Replaces.ALL,
    "share": Replaces.NOTHING,
}


@attrs.frozen
class Device:
    """The device of a client that logs in.

    Attributes:
        id: names it among the devices of the account.
        name: for users; None to keep the one it has.
        remember: whether it gets a token.
    """

    id: str
    name: str | None = None
    remember: bool = False


def device(raw: str | None, name: str | None, remember: bool = False) -> Device | None:
    """Return the device that a client names, None if it names none.

    Args:
        raw: 1 to 64 printable ASCII characters without spaces.
        name: at most 64 printable characters for users, None to keep the name it has.
        remember: whether it gets a token.

    Raises:
        BadRequest, TooLong: it can have none of these names.
    """
    if raw is None:
        return None
    if _DEVICE.fullmatch(raw) is None:
        raise BadRequest(f"device: must have 1 to {DEVICE_CHARS} ASCII characters, no spaces.")
    return Device(raw, None if name is None else _device_name(name), remember)


def _device_name(raw: str) -> str:
    """Return the name of a device in NFC. Raises BadRequest, TooLong."""
    name = nfc(raw, NAME_CHARS, "device_name")
    if not name.isprintable():
        raise BadRequest("device_name: must be one line of printable characters.")
    return name


@attrs.frozen
class SessionRules:
    """How many places an account can be logged in at.

    Args:
        mode: one of `SESSION_MODES`.
        limits: `devices_per_account`, `sessions_per_device` and `session_days` are used.
    """

    mode: str = attrs.field(validator=attrs.validators.in_(SESSION_MODES))
    limits: Limits

    @property
    def uses_devices(self) -> bool:
        """Whether sessions can be on devices; otherwise what clients say of theirs is ignored."""
        return self.mode == "devices"

    @property
    def refuses(self) -> bool:
        """Whether an account that is connected can't log in again."""
        return self.mode == "refuse"

    def replaces(self, on_device: bool) -> Replaces:
        """Return which other sessions of its account a login ends.

        Args:
            on_device: whether the session that begins has a device.
        """
        return Replaces.NOTHING if on_device else _REPLACES[self.mode]

    def session_limits(self, now: int) -> SessionLimits:
        """Return how many sessions an account can have.

        Where sessions without a device share an account, there can be as many as on all devices.

        Args:
            now: milliseconds since 1970, UTC.
        """
        devices, sessions = self.limits.devices_per_account, self.limits.sessions_per_device
        if self.mode == "share":
            sessions *= devices
        return SessionLimits(devices, sessions, self.tokens_after(now))

    def tokens_after(self, now: int) -> int:
        """Return since when a device must have been connected for its token to be valid.

        Args:
            now: milliseconds since 1970, UTC; so is the result.
        """
        days = self.limits.session_days
        return int(now - days * 24 * 3600 * 1000) if days else 0
