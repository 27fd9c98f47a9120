"""The free disk space: one warning, nothing new is stored, and it goes on by itself."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, NamedTuple
from unittest import SkipTest, mock

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat.limits import Limits
from gtchat.chat.quota import Quota
from gtchat.chat.relay import NoRelay
from gtchat.server import endpoints, service, storage
from gtchat.server.config import load
from gtchat.server.logs import LogTarget
from gtchat.server.process import EXIT_CONFIG, StartError
from gtchat.server.service import ChatService
from gtchat.server.settings import ServerSettings
from gtchat.server.storage import (
    SPACE_INTERVAL_S,
    FreeSpace,
    bus_of,
    data_directory,
    database_of,
    open_storage,
)
from gtchat.store.memory.store import MemoryStore
from tests import nats_server, postgres
from tests.e2e.certificate import make_certificate
from tests.server.fakes import FakePasswords, FakeReactor, RecordingLog

DATA, LOGS = Path("/data"), Path("/logs")


class Usage(NamedTuple):
    free: int


class SpaceCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor = FakeReactor()
        self.log = RecordingLog()
        self.free: dict[Path, int] = {DATA: 1000, LOGS: 1000}
        self.looks: list[Path] = []
        self.patch(storage, "_log", self.log.logger)
        self.patch(storage.shutil, "disk_usage", self.disk_usage)
        self.quota = Quota(Limits(), self.reactor.seconds)

    def disk_usage(self, folder: Path) -> Usage:
        self.looks.append(folder)
        if folder not in self.free:
            raise FileNotFoundError(folder)
        return Usage(self.free[folder])


class Space(SpaceCase):
    def started(self, minimum: int = 100) -> FreeSpace:
        limits = Limits(min_free_bytes=minimum)
        space = FreeSpace(self.reactor, [DATA, LOGS], limits, self.quota)
        space.start()
        return space

    def set_free(self, folder: Path, free: int) -> bool:
        """Change the free space and wait; return whether the disk counts as full."""
        self.free[folder] = free
        self.reactor.advance(SPACE_INTERVAL_S)
        return self.quota.disk_full

    def test_each_change_is_one_line(self) -> None:  # H35
        self.started()
        for folder in (DATA, LOGS):
            found = [self.set_free(folder, free) for free in (100, 99, 5, 100, 101)]
            self.assertEqual(found, [False, True, True, False, False])
        expected = []
        for folder in (DATA, LOGS):
            expected.append(
                f"the disk of {folder} has 99 bytes left: nothing new is stored until it has 100"
            )
            expected.append(f"the disk of {folder} has space again")
        self.assertEqual(self.log.lines, expected)
        self.assertEqual(len(self.log.warnings), 2)

    def test_a_server_that_starts_on_a_full_disk_knows_it(self) -> None:
        self.free[DATA] = 1
        self.started()
        self.assertTrue(self.quota.disk_full)

    def test_a_folder_that_can_not_be_looked_at_changes_nothing(self) -> None:
        self.started()
        self.set_free(DATA, 1)
        self.free.clear()
        self.reactor.advance(SPACE_INTERVAL_S)
        self.assertTrue(self.quota.disk_full)
        self.assertFalse(self.set_free(LOGS, 100))

    def test_it_looks_in_a_thread(self) -> None:
        calls: list[Any] = []
        self.started()
        self.looks.clear()
        self.patch(self.reactor, "callInThread", calls.append)
        self.reactor.advance(10 * SPACE_INTERVAL_S)
        self.assertEqual((self.looks, len(calls)), ([], 1))  # the next waits for this one
        calls.pop()()
        self.assertEqual(self.looks, [DATA, LOGS])

    def test_zero_is_no_minimum(self) -> None:
        self.free[DATA] = 0
        self.started(minimum=0)
        self.assertFalse(self.quota.disk_full)

    def test_stop_cancels_what_is_to_come(self) -> None:
        space = self.started()
        space.stop()
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        space = self.started()
        calls: list[Any] = []
        self.patch(self.reactor, "callInThread", calls.append)
        self.reactor.advance(SPACE_INTERVAL_S)
        space.stop()
        calls.pop()()
        self.assertEqual(self.reactor.getDelayedCalls(), [])


class Folders(SpaceCase):
    """The folders that a server writes to."""

    def setUp(self) -> None:
        super().setUp()
        self.patch(service, "Passwords", FakePasswords)
        self.patch(service, "_log", self.log.logger)
        self.patch(endpoints, "EagerReactor", lambda reactor: reactor)

    def start(self, data: Path | None) -> ChatService:
        """Start a server with a log file in the folder of this test, and a data directory."""
        self.folder = Path(self.mktemp()).resolve()
        self.folder.mkdir()
        options = {"nodaemon": 0, "logfile": str(self.folder / "log")}
        target = LogTarget.chosen(options, as_json=False)
        assert target is not None
        assert target.file is not None
        self.addCleanup(target.file.close)
        opened = storage.Storage(MemoryStore(self.reactor), data)
        self.patch(service, "open_storage", lambda *_: opened)
        server = ChatService(load({"min_free_bytes": "10"}, {}), self.reactor, target)
        server.start()
        return server

    def test_data_and_log_are_looked_at_until_the_server_stops(self) -> None:
        server = self.start(DATA)
        self.assertEqual(self.looks, [DATA, self.folder])
        self.assertEqual(server._health(), "ok")
        self.free[self.folder] = 5
        self.reactor.advance(SPACE_INTERVAL_S)
        self.assertEqual(server._health(), "not_stored")
        server._free_space.stop()
        self.looks.clear()
        self.reactor.advance(2 * SPACE_INTERVAL_S)
        self.assertEqual(self.looks, [])

    def test_data_in_memory_needs_no_space(self) -> None:
        self.start(None)
        self.assertEqual(self.looks, [])


class Database(SynchronousTestCase):
    """The setting `store`."""

    def refused(self, store: str) -> str:
        """Return why no server starts with a value; the password is not in it."""
        error = self.assertRaises(StartError, database_of, ServerSettings(store=store, data="d"))
        self.assertEqual((error.status, "\n" in error.text), (EXIT_CONFIG, False))
        self.assertNotIn("sesame", error.text)
        return error.text

    def test_an_address_that_is_none(self) -> None:
        self.assertIn("'mysql://ann:…@db' is not supported", self.refused("mysql://ann:sesame@db"))
        if postgres.MISSING is None:
            text = self.refused("postgresql://ann:sesame@db/chat?nonsense=sesame")
            self.assertIn("use postgresql://USER@HOST/DATABASE", text)

    def test_a_driver_that_is_missing(self) -> None:
        with mock.patch.dict(sys.modules, {"gtchat.store.sql.postgres": None}):
            text = self.refused("postgresql://ann:sesame@db/chat")
        self.assertIn("pip install 'gtchat[postgres]'", text)

    def test_where_lock_and_console_are(self) -> None:
        for store, directory in (
            ("sqlite", "d"),
            ("sqlite:///e/f.sqlite", "e"),
            ("postgresql://db/chat", "d"),
        ):
            settings = ServerSettings(store=store, data="d")
            self.assertEqual(data_directory(settings), Path(directory))

    def test_what_wakes_other_nodes(self) -> None:
        if postgres.MISSING is not None:
            raise SkipTest(postgres.MISSING)
        from gtchat.store.sql.bus import BusRelay, PgBus
        from gtchat.store.sql.nats_bus import NatsBus
        from gtchat.store.sql.node_clock import NodeClock
        from gtchat.store.sql.postgres import PostgresDatabase

        made: list[object] = []
        self.patch(PostgresDatabase, "prepare", lambda _: None)
        clocks: list[object] = []

        def store(_: object, reactor: object, *, wall: object, notifier: object) -> None:
            made.append(notifier)
            clocks.append(wall)

        self.patch(storage, "SQLStore", store)
        for notify, notifier, relay in (
            ("postgres", PgBus, BusRelay),
            ("nats://ann:secret@nats.example", NatsBus, BusRelay),
            ("off", type(None), NoRelay),
        ):
            settings = ServerSettings(
                store="postgresql://db/chat", data=self.mktemp(), notify=notify
            )
            opened = open_storage(settings, None)
            assert opened._lock is not None
            opened._lock.close()
            self.assertEqual((type(made[-1]), type(opened.relay)), (notifier, relay))
            self.assertIsInstance(opened.wall, NodeClock)
            self.assertIs(clocks[-1], opened.wall)

    def test_a_client_of_nats_that_is_missing_is_said(self) -> None:
        if postgres.MISSING is not None:
            raise SkipTest(postgres.MISSING)
        settings = ServerSettings(
            store="postgresql://db/chat", data=self.mktemp(), notify="nats://t0ken@db"
        )
        with mock.patch.dict(sys.modules, {"gtchat.store.sql.nats_bus": None}):
            error = self.assertRaises(StartError, open_storage, settings, None)
        self.assertEqual(error.status, EXIT_CONFIG)
        self.assertIn("pip install 'gtchat[nats]'", str(error))
        self.assertNotIn("t0ken", str(error))
        self.assertFalse(Path(settings.data).exists())


class Notify(SynchronousTestCase):
    """The setting `notify_certificate`."""

    if nats_server.MISSING:
        skip = nats_server.MISSING

    def refused(self, certificate: str) -> str:
        """Return why no server starts with a file."""
        server = ServerSettings(notify="tls://localhost", notify_certificate=certificate)
        error = self.assertRaises(StartError, bus_of, server, None, None)
        self.assertEqual(error.status, EXIT_CONFIG)
        return error.text

    def test_a_certificate_that_cannot_be_used(self) -> None:
        self.assertIn("notify_certificate: none.pem has no", self.refused("none.pem"))
        path = Path(self.mktemp())
        key = ec.generate_private_key(ec.SECP256R1())
        encrypted = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"sesame"),
        )
        make_certificate(path)
        certificate = path.read_bytes().partition(b"-----BEGIN CERT")
        for content in (b"no certificate", encrypted + certificate[1] + certificate[2]):
            path.write_bytes(content)
            self.assertIn("can't be read", self.refused(str(path)))
