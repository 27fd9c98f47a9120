"""What `gtchat doctor` finds on the machine of the server, and how it ends."""

from __future__ import annotations

import resource
import shutil
import socket
import sqlite3
import time
from contextlib import closing
from datetime import datetime, timedelta, timezone
from email.utils import formatdate
from types import SimpleNamespace

from gtchat.server.doctor import address, local
from gtchat.server.doctor.finding import error
from gtchat.server.doctor.http import Response, Target
from gtchat.server.self_signed import make
from tests.databases import create_empty
from tests.server.test_cli import CliCase


class Doctor(CliCase):
    def setUp(self) -> None:
        super().setUp()
        self.directory.chmod(0o700)
        self.config = self.directory / "gtchat.toml"
        self.database = self.directory / "gtchat.sqlite"
        create_empty(self.database)
        self.set('ws = ["tcp:0"]\nweb = ["tcp:0"]')

    def set(self, server: str) -> None:
        self.config.write_text(f'[server]\ndata = "{self.directory}"\n{server}\n')

    def run_doctor(self, *words: str) -> tuple[int, list[str]]:
        """Return the exit status, and the lines that are not ok."""
        status, out, err = self.run_command("doctor", "--config", str(self.config), *words)
        self.assertEqual(err, "")
        lines = [line for line in out.splitlines() if not line.startswith("ok ")]
        for line in lines:
            self.assertIn("Fix: ", line)
        return status, lines

    def assertFinds(self, line: str, status: int) -> None:
        found = self.run_doctor()
        self.assertEqual(found[0], status, found)
        self.assertTrue([one for one in found[1] if one.startswith(line)], found)

    def test_a_server_that_is_stopped_is_a_warning(self) -> None:
        status, lines = self.run_doctor()
        self.assertEqual((status, len(lines)), (0, 1), lines)
        self.assertIn("warning running: no server answers", lines[0])

    def test_settings(self) -> None:
        self.set("no_such = 1")
        self.assertFinds("error   settings: ", 1)

    def test_a_logo_that_is_not_there(self) -> None:
        self.set('[site]\nlogo = "/nowhere/logo.svg"')
        self.assertFinds("error   settings: logo: cannot read /nowhere/logo.svg", 1)

    def test_an_endpoint(self) -> None:
        self.set('web = ["tcp:x"]')
        self.assertFinds("error   endpoint: web: ", 1)

    def test_a_certificate_that_expires(self) -> None:
        pem = self.directory / "server.pem"
        self.set(f'web = ["ssl:0:privateKey={pem}"]')
        for days, line, status in (
            (90, "", 0),
            (5, "warning certificate: ", 0),
            (-5, "error   certificate: the certificate of port 0 has expired on ", 1),
        ):
            begin = datetime.now(timezone.utc) - timedelta(days=50)
            pem.write_bytes(make(["localhost"], 50 + days, begin))
            if line:
                self.assertFinds(line, status)
            else:
                self.assertEqual(len(self.run_doctor()[1]), 1)  # that no server runs

    def test_a_port_that_is_taken(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            self.set(f'ws = ["haproxy:tcp:{port}:interface=127.0.0.1"]\nweb = ["tcp:0"]')
            self.assertFinds(f"error   port: ws cannot listen on port {port}", 1)

    def test_the_rights_of_the_folder(self) -> None:
        self.directory.chmod(0o755)
        self.assertFinds("warning folder: other users can look into", 0)
        self.patch(local.os, "access", lambda path, mode: False)
        self.assertFinds("error   folder: ", 1)

    def test_a_user_who_may_not_look(self) -> None:
        def refuse(*words: object) -> None:
            raise PermissionError(13, "Permission denied")

        file = self.directory / "file"
        file.touch()
        self.set(f'data = "{file}"\nstore = "sqlite:///{file}/gtchat.sqlite"')
        self.config.write_text(self.config.read_text().replace(f'data = "{self.directory}"\n', ""))
        self.patch(local, "request", refuse)
        status, lines = self.run_doctor()
        found = [line.split(":")[0] for line in lines]
        self.assertEqual(found, ["error   running", "error   folder", "error   database"])
        self.assertEqual(status, 1)
        for line in lines:
            self.assertIn("run this as the user of the server", line)

    def test_a_clock_of_the_server_that_differs(self) -> None:
        for date, count in (("Sat, 01 Jan 2000 00:00:00 GMT", 1), (formatdate(), 0), ("x", 0)):
            response = Response(200, {"date": date})
            self.patch(address, "get", lambda target, path, response=response: response)
            found = [*address._check_date(Target(False, "chat.example", 80))]
            self.assertEqual(len(found), count, date)
        self.assertEqual(found, [])

    def test_the_disk(self) -> None:
        for free, line, status in (
            (10_000_000, "error   disk: 9 MiB", 1),
            (100_000_000, "warning disk: 95 MiB", 0),
        ):
            usage = SimpleNamespace(free=free)
            self.patch(shutil, "disk_usage", lambda folder, usage=usage: usage)
            self.assertFinds(line, status)

    def test_few_descriptors_and_a_clock_that_was_not_set(self) -> None:
        self.patch(resource, "getrlimit", lambda kind: (256, 1024))
        self.assertFinds("warning descriptors: ", 0)
        real = time.time()
        self.patch(local.time, "time", lambda: 0.0)
        self.assertFinds("error   clock: ", 1)
        self.assertLess(0.0, real)

    def test_a_database_that_is_damaged(self) -> None:
        self.database.write_bytes(b"SQLite format 3\0" + b"x" * 5_000)
        self.assertFinds("error   database: ", 1)

    def test_a_database_of_another_version_or_program(self) -> None:
        for revision, line, status in (
            ("9999", "error   database: .*/gtchat.sqlite was written by a newer version", 1),
            ("0001", "warning database: .*/gtchat.sqlite has no tables of this version yet", 0),
        ):
            with closing(sqlite3.connect(self.database)) as db, db:
                db.execute("UPDATE alembic_version SET version_num = ?", (revision,))
            found = self.run_doctor()
            self.assertEqual(found[0], status, found)
            self.assertRegex("\n".join(found[1]), line)
        self.database.write_bytes(b"")
        self.assertFinds("error   database: ", 1)

    def test_a_room_that_is_not_what_its_log_says(self) -> None:
        self.patch(local, "sample_contradictions", lambda db, count: ["the log of the room …"])
        self.assertFinds("error   database: the log of the room", 1)

    def test_a_store_that_is_none(self) -> None:
        self.set('store = "mysql://x"')
        self.assertFinds("error   database: ", 1)

    def test_an_address_alone_says_nothing_of_this_machine(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as closed:
            port = closed.getsockname()[1]
        status, out, _ = self.run_command("doctor", f"http://127.0.0.1:{port}/")
        self.assertEqual((status, len(out.splitlines())), (1, 1))
        self.assertIn("error   connect: ", out)

    def test_what_is_no_address_is_one_line(self) -> None:
        self.assertError("no address", "doctor", "ftp://chat.example/")
        self.assertError("no address", "doctor", "https:///")

    def test_what_a_server_sends_cannot_change_the_terminal(self) -> None:
        self.assertEqual(error("x", "a\x1b[2Jb\nc").line, "error   x: a?[2Jb?c")
