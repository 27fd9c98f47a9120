"""Sessions and temporary accounts at another node, as the statements for PostgreSQL see them."""

from __future__ import annotations

from typing import Any

from gtchat.chat.interfaces import EndedSession, StoredGuest
from gtchat.store.jobs import BulkCall
from gtchat.store.sql import accounts, guest_ends, guest_logins, session_ends, sessions
from gtchat.store.sql.log_writer import LogWriter
from tests.store.contract import NETWORK, new_session
from tests.store.sql.test_nodes import NodeCase

TOKEN, OTHER = b"t" * 32, b"o" * 32


class SessionsElsewhere(NodeCase):
    """Ann and the guest Gus; the node `here` asks, `there` is another one, None is a node's end."""

    def setUp(self) -> None:
        super().setUp()
        nodes = [self.node(name) for name in ("here", "there")]
        self.db, _ = [self.open(node) for node in nodes]
        self.here, self.there = (node.node_id for node in nodes)
        self.log_writer = LogWriter()
        self.ann = accounts.register(self.db, self.log_writer, "Ann", "ann", "hash", None, 1)
        self.gus = self.login_guest("Gus", b"g" * 32)

    def login_guest(self, name: str, token: bytes, *ended: EndedSession) -> int:
        """Create a temporary account with a session."""
        session = new_session(token, 2, ended)
        call = BulkCall(None, together=guest_logins.login_guests, arguments=(name, name, session))  # type: ignore[arg-type]
        guest_logins.login_guests(self.db, self.log_writer, [call], self.here)
        self.db.execute("SELECT 1")  # what was sent without waiting is done before
        assert isinstance(call.result, int)
        return call.result

    def login(self, token: bytes, *ended: EndedSession) -> None:
        session = new_session(token, 2, ended)
        sessions.login(self.db, self.log_writer, self.ann, "hash", session, self.here)

    def place(self, account: int, node: int | None, lost_at: int | None = None) -> None:
        """Let all sessions of an account be at a node."""
        sql = "UPDATE sessions SET node_id = %s, expires_from = %s WHERE account_id = %s"
        self.change(sql, node, lost_at, account)

    def sessions_of(self, account: int) -> list[tuple[Any, ...]]:
        sql = "SELECT node_id, expires_from FROM sessions WHERE account_id = %s ORDER BY token_hash"
        return self.rows(sql, account)

    def test_a_loss_counts_unless_another_node_has_the_session(self) -> None:
        for node, expires_from in ((None, 5), (self.here, 5), (self.there, None)):
            self.login(TOKEN)
            self.place(self.ann, node)
            lost = EndedSession(self.ann, TOKEN, {})
            session_ends.session_lost(self.db, lost, 5, self.here)
            self.assertEqual(self.sessions_of(self.ann), [(node, expires_from)])
            session_ends.end_session(self.db, lost, 6, False)
            self.assertEqual(self.sessions_of(self.ann), [])

    def test_a_resume_says_whether_another_node_had_the_connection(self) -> None:
        self.login(TOKEN)
        for node, lost_at, moved in (
            (None, None, False),
            (self.here, None, False),
            (self.there, None, True),
            (self.there, 5, False),
        ):
            self.place(self.ann, node, lost_at)
            details: tuple[Any, ...] = (TOKEN, 9, 0, {}, 50, 1, NETWORK, False, "", (), "new epoch")
            resumed = sessions.resume(self.db, self.log_writer, *details, self.here)
            self.assertEqual(resumed.moved, moved, (node, lost_at))

    def test_a_login_ends_no_session_that_its_connection_has_no_more(self) -> None:
        previous = EndedSession(self.gus, b"g" * 32, {})
        for node, left in ((self.there, 1), (self.here, 0)):
            self.place(self.gus, node)
            self.login(TOKEN, previous)
            self.assertEqual(len(self.sessions_of(self.gus)), left)
            session_ends.end_other_sessions(self.db, self.ann, OTHER, ())
        self.login(TOKEN)
        previous = EndedSession(self.ann, TOKEN, {})
        for node, left in ((self.there, 1), (self.here, 0)):
            self.place(self.ann, node)
            self.login_guest(f"G{left}", bytes([left]) * 32, previous)
            self.assertEqual(len(self.sessions_of(self.ann)), left)

    def test_a_guest_who_is_connected_at_another_node_is_not_ended(self) -> None:
        for node, lost_at, online, is_free, is_found in (
            (self.here, None, None, True, False),
            (self.here, 5, None, True, True),
            (self.there, None, None, False, False),
            (self.there, 5, None, True, True),
            (self.there, 5, self.there, False, False),
            (self.here, 5, self.here, True, False),
            (None, 5, None, True, True),
        ):
            self.change("DELETE FROM online")
            if online is not None:
                self.change("INSERT INTO online VALUES (%s, %s)", online, self.gus)
            self.place(self.gus, node, lost_at)
            found = guest_ends.find_guest(self.db, "Gus")
            account = accounts.get(self.db, self.gus)
            assert account is not None
            guest = StoredGuest(account, NETWORK, True)
            self.assertEqual(found, guest if is_found else None, (node, lost_at, online))
            rooms = guest_ends.begin_ending(self.db, self.gus, self.here)
            self.assertEqual(rooms, () if is_free else None, (node, lost_at, online))
            self.assertEqual(len(self.sessions_of(self.gus)), not is_free)
            if is_free:
                self.change(
                    "INSERT INTO sessions (token_hash, account_id, began_at) VALUES (%s, %s, 1)",
                    b"g" * 32,
                    self.gus,
                )
        self.assertIsNone(guest_ends.begin_ending(self.db, self.ann, self.here))
        self.assertIsNone(guest_ends.find_guest(self.db, "ann"))
