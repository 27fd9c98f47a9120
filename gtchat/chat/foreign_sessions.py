"""Sessions that another node has ended, or goes on with, and accounts that it has deleted.

The store knows all of it already: here connections are closed, and nothing is written.
"""

from __future__ import annotations

from gtchat.chat.guests import Guests
from gtchat.chat.live_sessions import LiveSessions
from gtchat.chat.node_records import AccountEnded, ForeignHandlers, SessionsEnded
from gtchat.chat.users import Session


class ForeignSessions:
    """Closes the sessions here that have ended elsewhere.

    Args:
        guests: forgets, or ends, a guest whose session is closed.
        live: the sessions that are connected here.
    """

    def __init__(self, guests: Guests, live: LiveSessions) -> None:
        self._guests = guests
        self._live = live

    def handlers(self) -> ForeignHandlers:
        """Return what is done with system entries of other nodes."""
        return {SessionsEnded: self._sessions_ended, AccountEnded: self._account_ended}

    def _sessions_ended(self, node_id: int, entry: SessionsEnded) -> None:
        """Close the connections of sessions that have ended, or were resumed elsewhere."""
        for session in self._live.of(entry.account_id):
            if entry.tokens is None or session.token_hash in entry.tokens:
                self._close(session, entry)

    def _close(self, session: Session, entry: SessionsEnded) -> None:
        user, is_replaced = session.user, entry.reason == "replaced"
        if is_replaced:
            self._live.replace(session, entry.address)
        else:
            self._live.close(session, entry.reason)
        if user.registered or user.sessions:
            return
        if is_replaced:
            self._guests.forget(user)
        else:
            self._guests.start_grace_period(user, 0)

    def _account_ended(self, node_id: int, entry: AccountEnded) -> None:
        """Forget a guest whose account is deleted."""
        for session in self._live.of(entry.account_id):
            self._live.close(session, "ended")
        self._guests.forget_account(entry.account_id)
