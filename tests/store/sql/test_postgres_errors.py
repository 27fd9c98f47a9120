"""What errors of PostgreSQL's driver say: no password, and nothing of what was to be stored."""

from __future__ import annotations

import os
import time
from contextlib import closing
from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import LogEvent, formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from gtchat.store import StoreError, StoreUnavailable
from gtchat.store.sql.health import StoreHealth
from tests import postgres

if postgres.MISSING is None:
    import psycopg

    from gtchat.store.sql.heartbeat import Heartbeat
    from gtchat.store.sql.postgres import PostgresDatabase

SECRET = "sesame-open"
#: Nothing listens there.
CLOSED = "127.0.0.1:1"
SECONDS = 60


class Secrets(SynchronousTestCase):
    if postgres.MISSING:
        skip = postgres.MISSING

    def setUp(self) -> None:
        self.logged: list[str] = []
        globalLogPublisher.addObserver(self._observe)
        self.addCleanup(globalLogPublisher.removeObserver, self._observe)

    def _observe(self, event: LogEvent) -> None:
        self.logged.append(formatEvent(event) + repr(event))

    def set_variable(self, name: str, value: str) -> None:
        """Set a variable that libpq reads."""
        before = os.environ.get(name)
        os.environ[name] = value
        self.addCleanup(os.environ.pop, name, None)
        if before is not None:
            self.addCleanup(os.environ.__setitem__, name, before)

    def service_file(self, text: str) -> None:
        path = Path(self.mktemp())
        path.write_text(text)
        self.set_variable("PGSERVICEFILE", str(path))

    def check(self, url: str) -> str:
        """Let a start and a heartbeat fail; return what they say, without the secret in it."""
        database = PostgresDatabase(url)
        error = self.assertRaises(StoreUnavailable, database.prepare)
        with self.assertRaises(psycopg.Error) as raised:
            database.open_heartbeat()
        self.patch(Heartbeat, "beat", lambda _: self._fail_once(raised.exception))
        heart = self.heart = Heartbeat(database, 1, lambda: None, lambda seq: None)
        heart._run()
        health = StoreHealth(Clock(), Heartbeat._log, database.reason, Deferred)
        health._report("{reason}", error)
        said = [str(error), database.name, database.describe(raised.exception), *self.logged]
        self.assertEqual([text for text in said if SECRET in text or "open" in text], [])
        self.assertEqual(len(self.logged), 2)
        self.logged.clear()
        return str(error)

    def _fail_once(self, error: Exception) -> bool:
        self.heart.stop()
        raise error

    def test_no_host_answers(self) -> None:
        for place in (CLOSED, "nowhere.invalid"):
            text = self.check(f"postgresql://ann:{SECRET}@{place}/chat")
            self.assertIn("The PostgreSQL database chat at", text)

    def test_a_password_of_the_environment(self) -> None:
        self.set_variable("PGPASSWORD", SECRET)
        self.check(f"postgresql://ann@{CLOSED}/chat")

    def test_a_password_of_a_service(self) -> None:
        self.service_file(f"[chat]\nhost=127.0.0.1\nport=1\npassword={SECRET}\n")
        self.check("postgresql:///?service=chat")
        self.service_file(f"[chat]\npasword={SECRET}\n")
        self.check("postgresql:///?service=chat")

    def test_a_wrong_password(self) -> None:
        server = postgres.server()
        server.execute("CREATE ROLE locked LOGIN PASSWORD 'right'")
        self.addCleanup(server.execute, "DROP ROLE locked")
        rules = server.folder / "data" / "pg_hba.conf"
        before = rules.read_text()
        rules.write_text(f"local all locked scram-sha-256\n{before}")
        self.addCleanup(rules.write_text, before)
        server.execute("SELECT pg_reload_conf()")
        url = f"postgresql://locked:{SECRET}@/postgres?host={server.folder}"
        ends = time.monotonic() + SECONDS
        while self._connects(url) and time.monotonic() < ends:
            pass  # until the server has read its rules
        self.assertIn("password authentication failed", self.check(url))

    def _connects(self, url: str) -> bool:
        try:
            psycopg.connect(url).close()
        except psycopg.OperationalError:
            return False
        return True

    def test_a_password_that_is_not_encoded_is_not_taken_for_a_place(self) -> None:
        for password in ("sesame@open", "sesame/open", "sesame@open@x", "@open", "/open"):
            for place in (CLOSED, ""):
                error = self.assertRaises(
                    StoreError, PostgresDatabase, f"postgresql://ann:{password}@{place}/chat"
                )
                self.assertIn("use postgresql://USER@HOST/DATABASE", str(error))
                self.assertNotIn("open", str(error))

    def test_what_is_encoded_is_an_address(self) -> None:
        for url in (
            "postgresql://",
            f"postgresql://ann%40x:sesame%40open@{CLOSED}/chat%40x",
            "postgresql:///chat?host=/run&user=a@b&password=a@b",
        ):
            PostgresDatabase(url)

    def test_an_error_of_a_statement_has_no_rows(self) -> None:
        database = PostgresDatabase(postgres.create_empty())
        with closing(database.open_writer()) as db:
            for statement in (
                "INSERT INTO accounts (name, key, registered, created_at, password_hash)"
                f" VALUES ('Ann', NULL, true, 1, '{SECRET}')",
                f"INSERT INTO login_failures VALUES ('{SECRET}', '', 1, 1, 1),"
                f" ('{SECRET}', '', 1, 1, 1)",
            ):
                with self.assertRaises(psycopg.IntegrityError) as raised:
                    db.execute(statement)
                self.assertIn(SECRET, str(raised.exception))
                for text in (
                    database.reason(raised.exception),
                    database.describe(raised.exception),
                ):
                    self.assertNotIn(SECRET, text)
                    self.assertIn("constraint", text)
