"""Devices of accounts and their tokens, as `MemoryStore` keeps them. Sessions are in `sessions`."""

from __future__ import annotations

from gtchat.chat.errors import BadCredentials
from gtchat.chat.interfaces import Account, NewDevice, SessionLimits, SessionRecord
from gtchat.store.memory.accounts import AccountTable
from gtchat.store.memory.rows import AccountRow, DeviceRow, SessionRow


class DeviceTable:
    """What happens to the devices of accounts.

    Args:
        accounts: the accounts, which have them, and their sessions.
    """

    def __init__(self, accounts: AccountTable) -> None:
        self._accounts = accounts
        #: Token hash -> account id.
        self._tokens: dict[bytes, int] = {}

    def check_token(self, row: AccountRow, device: NewDevice, tokens_after: int) -> None:
        """Raise BadCredentials if a device does not have the token that was proved any more."""
        found = row.devices.get(device.device)
        if (
            found is None
            or found.token_hash != device.proved
            or not self.is_remembered(row, found, tokens_after)
        ):
            raise BadCredentials()

    def begin(
        self, row: AccountRow, device: NewDevice, limits: SessionLimits, at: int
    ) -> list[str]:
        """Store the device of a session that begins. Return the devices that are too many with it.

        Args:
            row: the account.
            device: the device.
            limits: how many devices the account can have.
            at: now, in milliseconds since 1970, UTC.
        """
        for old in list(row.devices.values()):
            if not self.is_remembered(row, old, limits.tokens_after):
                self.set_token(row, old, None)
                if not self._accounts.sessions_on(row, old.device):
                    del row.devices[old.device]
        found = row.devices.setdefault(device.device, DeviceRow(device.device, at, at))
        if device.token_hash is not None:
            self.set_token(row, found, device.token_hash)
        found.name = found.name if device.name is None else device.name
        found.last_seen = at
        if not limits.devices:
            return []
        others = [one for one in row.devices.values() if one is not found]
        others.sort(key=lambda one: (not self._is_connected(row, one), -one.last_seen, one.device))
        return [one.device for one in others[limits.devices - 1 :]]

    def delete(self, row: AccountRow, device: str) -> None:
        """Delete a device, whose sessions have ended."""
        self.set_token(row, row.devices.pop(device), None)

    def set_token(self, row: AccountRow, device: DeviceRow, token_hash: bytes | None) -> None:
        """Give a device a token in place of the one it has; None for none."""
        if device.token_hash is not None:
            del self._tokens[device.token_hash]
        device.token_hash = token_hash
        if token_hash is not None:
            self._tokens[token_hash] = row.id

    def forget(self, account_id: int, device: str | None) -> None:
        """Revoke the token of a device; None for a session without one."""
        row = self._accounts.accounts.get(account_id)
        if row is not None and device in row.devices:
            self.set_token(row, row.devices[device], None)

    def find(self, token_hash: bytes, tokens_after: int) -> tuple[Account, str] | None:
        """Return the account and the device of a token; see `ISessionStore.find_device`."""
        row = self._accounts.accounts.get(self._tokens.get(token_hash, 0))
        for device in row.devices.values() if row is not None else ():
            if device.token_hash == token_hash and row is not None:
                valid = self.is_remembered(row, device, tokens_after)
                return (row.record(), device.device) if valid else None
        return None

    def is_remembered(self, row: AccountRow, device: DeviceRow, tokens_after: int) -> bool:
        """Return whether a device has a valid token."""
        recent = device.last_seen > tokens_after or self._is_connected(row, device)
        return device.token_hash is not None and recent

    def _is_connected(self, row: AccountRow, device: DeviceRow) -> bool:
        """Return whether a device has a session that is connected."""
        sessions = self._accounts.sessions_on(row, device.device).values()
        return any(one.expires_from is None for one in sessions)

    def seen(self, session: SessionRow, at: int) -> None:
        """Store that the device of a session, if it has one, was seen."""
        device = self._accounts.accounts[session.account_id].devices.get(session.device or "")
        if device is not None:
            device.last_seen = max(device.last_seen, at)

    def without_session(
        self, row: AccountRow, on_devices: set[str | None], tokens_after: int
    ) -> list[SessionRecord]:
        """Return the devices of an account that have a token only; see `ISessionStore.sessions`.

        Args:
            row: the account.
            on_devices: the devices with a session.
            tokens_after: as in `SessionLimits`.
        """
        devices = sorted(row.devices.values(), key=lambda one: (one.last_seen, one.device))
        return [
            SessionRecord(None, "", "", one.created_at, one.last_seen, one.device, one.name, True)
            for one in devices
            if one.device not in on_devices and self.is_remembered(row, one, tokens_after)
        ]

    def prune(self, before: int, tokens_before: int) -> None:
        """Delete devices without a session: without a token too, or with one that has expired.

        Args:
            before: those without a token, if they were seen last before this time, in
                milliseconds since 1970, UTC.
            tokens_before: the same for those with a token.
        """
        for row in self._accounts.accounts.values():
            for device in list(row.devices.values()):
                since = before if device.token_hash is None else tokens_before
                if device.last_seen < since and not self._accounts.sessions_on(row, device.device):
                    self.delete(row, device.device)
