"""The gtchat command: its subcommands, exit statuses, and errors of one line."""

from __future__ import annotations

import os
import sqlite3
import sys
from contextlib import closing
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from gtchat import __version__, cli
from gtchat.cli import SUBCOMMANDS, Subcommand, main
from gtchat.server import console_client
from gtchat.server.settings_file import default_file
from gtchat.server.storage import lock_directory
from gtchat.store.sql.schema import REVISIONS
from tests import postgres
from tests.databases import create_empty
from tests.postgres import UNPRIVILEGED

if postgres.MISSING is None:
    import psycopg


class Terminal(StringIO):
    """An output that is a terminal."""

    def isatty(self) -> bool:
        return True


class CliCase(SynchronousTestCase):
    """Runs the command in this process."""

    def setUp(self) -> None:
        self.directory = Path(self.mktemp()).resolve()
        self.directory.mkdir()
        kept = {k: v for k, v in os.environ.items() if not k.startswith("GTCHAT_")}
        self.patch(os, "environ", kept)

    def run_command(self, *words: str) -> tuple[int, str, str]:
        """Return exit status, standard output and standard error of a command."""
        out, err = StringIO(), StringIO()
        stdout, stderr = self.patch(sys, "stdout", out), self.patch(sys, "stderr", err)
        try:
            status = main(words)
        finally:
            stdout.restore()
            stderr.restore()
        return status, out.getvalue(), err.getvalue()

    def assertError(self, text: str, *words: str, status: int = 2) -> None:
        """Assert that a command fails with one line."""
        found, out, err = self.run_command(*words)
        self.assertEqual((found, out), (status, ""), words)
        self.assertRegex(err, r"^gtchat: [^\n]+\n$")
        self.assertIn(text, err)
        self.assertNotIn("secret", err)


class General(CliCase):
    def test_help_lists_every_subcommand(self) -> None:
        status, out, _ = self.run_command("--help")
        self.assertEqual(status, 0)
        for name, command in SUBCOMMANDS.items():
            self.assertIn(f"  gtchat {name} {command.arguments}", out)
            self.assertIn(command.help, out)
        self.assertEqual(self.run_command(), (2, out, ""))

    def test_version(self) -> None:
        self.assertEqual(self.run_command("--version"), (0, f"gtchat {__version__}\n", ""))

    def test_exit_status_is_that_of_the_subcommand(self) -> None:
        taken: list[Any] = []
        command = Subcommand(lambda words: taken.append(list(words)) or 7, "", "")
        self.patch(cli, "SUBCOMMANDS", {"client": command})
        self.assertEqual(self.run_command("client", "-c", "x"), (7, "", ""))
        self.assertEqual(taken, [["-c", "x"]])

    def test_ctrl_c_leaves_no_traceback(self) -> None:
        command = Subcommand(mock.Mock(side_effect=KeyboardInterrupt), "", "")
        self.patch(cli, "SUBCOMMANDS", {"client": command})
        self.assertEqual(self.run_command("client"), (130, "", "\n"))

    def test_unknown_subcommand(self) -> None:
        self.assertError("there is no command 'nonsense'", "nonsense")

    def test_arguments_are_those_of_the_process_by_default(self) -> None:
        self.patch(sys, "argv", ["gtchat", "--version"])
        out = StringIO()
        self.patch(sys, "stdout", out)
        self.assertEqual(main(), 0)
        self.assertIn(__version__, out.getvalue())


class Settings(CliCase):
    def test_settings_prints_the_file_of_defaults(self) -> None:
        self.assertEqual(self.run_command("settings"), (0, default_file(), ""))
        self.assertError("unrecognized arguments: x", "settings", "x")

    def test_config_prints_settings_in_force_as_toml(self) -> None:
        status, out, _ = self.run_command("config", "--text-chars", "7")
        self.assertEqual((status, msgspec.toml.decode(out)["limits"]["text_chars"]), (0, 7))
        self.assertIn("text_chars = 7  # --text-chars", out)

    def test_config_rejects_invalid_options(self) -> None:
        err = StringIO()
        self.patch(sys, "stderr", err)
        with self.assertRaises(SystemExit) as caught:
            main(["config", "--text-chars", "many"])
        self.assertEqual(caught.exception.code, 78)
        self.assertRegex(err.getvalue(), r"^gtchat: .+text_chars must be a whole number[^\n]+\n$")

    def test_config_checks_endpoints(self) -> None:
        self.assertError("'abc' is no TCP port", "config", "--ws", "tcp:abc", status=78)


class Database(CliCase):
    def import_accounts(self, *options: str) -> tuple[int, str, str]:
        source = self.directory / "accounts"
        source.write_text("ann x\n")
        return self.run_command("import-credentials", str(source), *options)

    def names(self, database: Path) -> list[str]:
        with closing(sqlite3.connect(database)) as db:
            return [name for (name,) in db.execute("SELECT name FROM accounts")]

    def test_import_and_backup_of_a_data_directory(self) -> None:
        data, copy = self.directory / "data", self.directory / "copy"
        status, out, _ = self.import_accounts("--data", str(data))
        created = f"1 accounts created in {data / 'gtchat.sqlite'}, 0 skipped\n"
        self.assertEqual((status, out), (0, created))
        status, out, err = self.run_command("backup", str(copy), "--data", str(data))
        self.assertEqual((status, err), (0, ""))
        self.assertEqual(out, f"copied {data / 'gtchat.sqlite'} to {copy}\n")
        self.assertEqual(self.names(copy), ["ann"])

    def test_store_names_a_database(self) -> None:
        file = self.directory / "other"
        self.assertEqual(self.import_accounts("--store", f"sqlite:///{file}")[0], 0)
        self.assertEqual(self.names(file), ["ann"])

    def test_settings_file_names_the_database_of_every_command(self) -> None:
        file, data, copy = (self.directory / name for name in ("toml", "elsewhere", "copy"))
        file.write_text(f'[server]\ndata = "{data}"\n')
        database, config = data / "gtchat.sqlite", ("--config", str(file))
        self.assertIn(f" in {database}, ", self.import_accounts(*config)[1])
        out = self.run_command("backup", str(copy), *config)[1]
        self.assertEqual(out, f"copied {database} to {copy}\n")
        self.assertError(str(data / "console.sock"), "console", *config)
        for name in ("backup", "import-credentials"):  # an option overrides the file
            self.assertError(str(copy), name, str(copy), *config, "--data", str(copy))

    def test_help_of_a_subcommand_writes_no_file(self) -> None:
        for name in SUBCOMMANDS.keys() - {"client", "tk", "config"}:
            out = StringIO()
            self.patch(sys, "stdout", out)
            with self.assertRaises(SystemExit) as caught:
                main([name, "--help"])
            self.assertEqual(caught.exception.code, 0)
            self.assertIn(f"usage: gtchat {name}", out.getvalue())
        self.assertFalse(Path("--help").exists())

    def test_terminal_shows_progress_of_a_backup(self) -> None:
        self.import_accounts("--data", str(self.directory))
        err = Terminal()
        self.patch(sys, "stderr", err)
        self.patch(sys, "stdout", StringIO())
        main(["backup", str(self.directory / "copy"), "--data", str(self.directory)])
        self.assertTrue(err.getvalue().endswith("\r100 % \r      \r"), err.getvalue())

    def test_reindex_indexes_all_messages_and_shows_progress_on_a_terminal(self) -> None:
        self.import_accounts("--data", str(self.directory))
        database = self.directory / "gtchat.sqlite"
        with closing(sqlite3.connect(database)) as db, db:
            db.execute(
                "INSERT INTO rooms (id, key, name, public, topic, max, owner)"
                " VALUES (1, 'r', 'r', 1, '', 0, '')"
            )
            db.executemany(
                "INSERT INTO entries (room_id, seq, message_count, kind, at, usr, msg)"
                " VALUES (1, ?, ?, 'speak', 0, 'ann', 'tea')",
                [(seq, seq) for seq in range(1, 2501)],
            )
        words = ("reindex", "--data", str(self.directory))
        done = f"indexed the messages of {database}\n"
        for _ in range(2):
            self.assertEqual(self.run_command(*words), (0, done, ""))
            with closing(sqlite3.connect(database)) as db:
                found = "SELECT count(*) FROM message_index('tea')"
                self.assertEqual(db.execute(found).fetchone(), (2500,))
        err = Terminal()
        self.patch(sys, "stderr", err)
        self.patch(sys, "stdout", StringIO())
        self.assertEqual(main(words), 0)
        self.assertEqual(err.getvalue(), "\r40 % \r80 % \r100 % \r      \r")

    def test_reindex_needs_a_database_that_no_server_uses(self) -> None:
        self.assertError("does not exist", "reindex", "--data", str(self.directory))
        for name in ("reindex", "vacuum"):
            self.assertError("cannot be opened: Not a directory", name, "--data", __file__)
        self.assertEqual(list(self.directory.iterdir()), [])
        self.import_accounts("--data", str(self.directory))
        with lock_directory(self.directory):
            words = ("reindex", "--data", str(self.directory))
            self.assertError("another server uses", *words, status=78)

    def test_vacuum_copies_a_database_that_no_server_uses(self) -> None:
        words = ("vacuum", "--data", str(self.directory))
        self.assertError("does not exist", *words)
        self.import_accounts("--data", str(self.directory))
        database = self.directory / "gtchat.sqlite"
        with lock_directory(self.directory):
            self.assertError("another server uses", *words, status=78)
        before = database.stat().st_size
        status, out, err = self.run_command(*words)
        done = f"{database} has {database.stat().st_size:,} bytes; before: {before:,}\n"
        self.assertEqual((status, out, err), (0, done, ""))

    def test_restore_mark_begins_a_new_epoch_with_the_next_start(self) -> None:
        words = ("restore-mark", "--data", str(self.directory))
        self.assertError("does not exist", *words)
        self.import_accounts("--data", str(self.directory))
        database = self.directory / "gtchat.sqlite"
        with closing(sqlite3.connect(database)) as db, db:
            db.execute("INSERT INTO meta VALUES ('epoch', 'old'), ('other', 'kept')")
        with lock_directory(self.directory):
            self.assertError("another server uses", *words, status=78)
        status, out, err = self.run_command(*words)
        done = f"clients load their rooms again after the next start on {database}\n"
        self.assertEqual((status, out, err), (0, done, ""))
        with closing(sqlite3.connect(database)) as db:
            self.assertEqual(db.execute("SELECT key FROM meta").fetchall(), [("other",)])

    def test_programs_of_postgresql_are_named_with_their_arguments(self) -> None:
        if postgres.MISSING:
            self.skipTest(postgres.MISSING)
        store = ("--store", "postgresql://ann:secret@127.0.0.1:1/chat", "--data", "nowhere")
        address = "'--dbname=postgresql://ann:…@127.0.0.1:1/chat'"
        words = f"pg_dump --format=custom --file=copy {address};"
        self.assertError(words, "backup", "copy", *store)
        words = f"pg_restore --clean --if-exists {address} copy; then run gtchat restore-mark"
        self.assertError(words, "restore", "copy", *store)

    def test_a_copy_is_verified_and_restored(self) -> None:
        data, copy = self.directory / "data", self.directory / "copy"
        where = ("--data", str(data))
        database, kept = data / "gtchat.sqlite", data / "gtchat.sqlite.replaced-1"
        self.import_accounts(*where)
        self.run_command("backup", str(copy), *where)
        counts = "revision 0016, 1 accounts, 0 rooms, 0 entries\n".replace("0016", REVISIONS[-1])
        for words, name in (((str(copy),), copy), (where, database)):
            self.assertEqual(self.run_command("verify", *words), (0, f"{name}: {counts}", ""))
        with closing(sqlite3.connect(database)) as db, db:
            db.execute("UPDATE accounts SET name = 'bob'")
        with lock_directory(data):
            self.assertError("another server uses", "restore", str(copy), *where, status=78)
        done = f"restored {database} from {copy}: {counts}the database that was there is {kept}\n"
        self.assertEqual(self.run_command("restore", str(copy), *where), (0, done, ""))
        self.assertEqual((self.names(database), self.names(kept)), (["ann"], ["bob"]))
        self.patch(sys, "stderr", Terminal())
        with closing(sqlite3.connect(copy)) as db, db:
            db.execute(
                "INSERT INTO rooms (key, name, public, topic, max, owner)"
                " VALUES ('garden', 'Garden', 1, 'tea', 0, '')"
            )
        status, out, _ = self.run_command("verify", str(copy))
        self.assertEqual(status, 1)
        self.assertRegex(out, f"^the room 'Garden' .+\n{copy}: revision .+ 1 rooms.+\n$")
        status, _, err = self.run_command("restore", str(copy), *where)
        self.assertEqual((status, err.endswith(f"of its log, in {copy} too\n")), (0, True))
        copy.write_bytes(copy.read_bytes()[:200_000])
        status, out, _ = self.run_command("verify", str(copy))
        self.assertRegex(f"{status} {out}", f"^1 {copy} is damaged.+\n$")
        self.assertError(f"{copy} is damaged", "restore", str(copy), *where)

    def test_what_root_makes_in_a_directory_belongs_to_its_owner(self) -> None:
        if os.geteuid() != 0:
            self.skipTest("needs root")
        data, copy = self.directory / "data", self.directory / "copy"
        data.mkdir()
        os.chown(data, UNPRIVILEGED, UNPRIVILEGED)
        self.import_accounts("--data", str(data))
        self.run_command("backup", str(copy), "--data", str(data))
        self.run_command("restore", str(copy), "--data", str(data))
        owners = {path.name: path.stat().st_uid for path in data.iterdir()}
        names = ("gtchat.lock", "gtchat.sqlite", "gtchat.sqlite.replaced-1")
        self.assertEqual(owners, dict.fromkeys(names, UNPRIVILEGED))

    def test_a_chat_is_exported_and_imported(self) -> None:
        data, file = self.directory / "data", self.directory / "export"
        other = self.directory / "other"
        source, target = data / "gtchat.sqlite", other / "gtchat.sqlite"
        self.import_accounts("--data", str(data))
        with lock_directory(data):
            done = self.run_command("export", str(file), "--data", str(data))
        self.assertEqual(done, (0, f"exported 1 rows of {source} to {file}\n", ""))
        counts = f"revision {REVISIONS[-1]}, 1 accounts, 0 rooms, 0 entries\n"
        self.assertEqual(self.run_command("verify", str(file)), (0, f"{file}: {counts}", ""))
        words = ("import", str(file), "--data", str(other))
        done = self.run_command(*words)
        self.assertEqual(done, (0, f"restored {target} from {file}: {counts}", ""))
        self.assertEqual(self.names(target), ["ann"])
        with lock_directory(other):
            self.assertError("another server uses", *words, status=78)
        status, out, _ = self.run_command(*words)
        self.assertIn(f"the database that was there is {target}.replaced-1\n", out)
        self.assertError("gtchat import reads it", "restore", str(file), "--data", str(other))
        self.assertError("is no export", "import", str(source), "--data", str(other))
        text = file.read_text()
        file.write_text(text.replace('"version":1', '"version":2'))
        self.assertError("by a newer version", *words, status=78)
        file.write_text(text.replace("ann", "amn"))
        self.assertError("is damaged: its lines are not those", *words)
        status, out, _ = self.run_command("verify", str(file))
        self.assertRegex(f"{status} {out}", f"^1 {file} is damaged: its lines.+\n$")

    def test_a_copy_of_a_newer_version_is_refused(self) -> None:
        copy, data = self.directory / "copy", self.directory / "data"
        create_empty(copy)
        with closing(sqlite3.connect(copy)) as db, db:
            db.execute("UPDATE alembic_version SET version_num = '9999'")
        self.assertError("by a newer version", "restore", str(copy), "--data", str(data), status=78)
        self.assertError("by a newer version", "verify", str(copy), status=78)
        self.assertEqual([path.name for path in data.iterdir()], ["gtchat.lock"])

    def test_misuse_is_one_line(self) -> None:
        none = str(self.directory / "none")
        self.assertError("are required: FILE", "backup", "--data", none)
        self.assertError("are required: FILE", "import-credentials")
        self.assertError("are required: FILE", "restore")
        self.assertError("No such file", "restore", none, "--data", str(self.directory))
        self.assertError("No such file", "verify", none)
        self.assertError("--data: expected one argument", "backup", "x", "--data")
        self.assertError("has no database", "backup", "x", "--store", "memory")
        self.assertError("is not supported", "backup", "x", "--store", "mysql://x", status=78)
        self.assertError("unrecognized arguments: x", "console", "x")
        self.assertError(none, "backup", "x", "--config", none, status=78)
        self.assertError(none, "backup", "copy", "--data", none)
        self.assertError("cannot import", "import-credentials", none, "--data", str(self.directory))


class MigrateStore(CliCase):
    if postgres.MISSING:
        skip = postgres.MISSING

    def test_migrate_store_names_a_source_and_a_target(self) -> None:
        target = "postgresql://ann:secret@127.0.0.1:1/chat"
        good, file = f"sqlite:{self.directory}", self.directory / "gtchat.sqlite"
        create_empty(file)
        for words, text, status in (
            ((), "are required: sqlite:PATH, postgresql://", 2),
            ((good, target, "x"), "unrecognized arguments: x", 2),
            (
                (good, target, target),
                "unrecognized arguments: postgresql://ann:\u2026@127.0.0.1",
                2,
            ),
            ((target, good), "name the source as sqlite:DIRECTORY", 2),
            (("sqlite:", target), "name the source as sqlite:DIRECTORY", 2),
            ((str(file), target), "name the source as sqlite:DIRECTORY", 2),
            (("sqlite:///none", target), "none does not exist", 2),
            ((good, good), "name the target as postgresql://", 2),
            ((good, "postgresql://ann:secret@[/x"), "is no address of PostgreSQL", 78),
            ((good, target), "can't be used", 2),
            ((f"sqlite:{file}", target), "can't be used", 2),
        ):
            self.assertError(text, "migrate-store", *words, status=status)
        with lock_directory(self.directory):
            wanted = "stop it, or name another source"
            self.assertError(wanted, "migrate-store", good, target, status=78)


class PipeSocket:
    """A connection to a server, made of a pipe; the server closes it when the input has ended.

    Args:
        reply: bytes that the server sends.
    """

    def __init__(self, reply: bytes) -> None:
        self.ours, self.theirs = os.pipe()
        self.sent = b""
        self.path = ""
        os.write(self.theirs, reply)

    def __enter__(self) -> PipeSocket:
        return self

    def __exit__(self, *exception: object) -> None:
        os.close(self.ours)

    def fileno(self) -> int:
        return self.ours

    def connect(self, path: str) -> None:
        self.path = path

    def sendall(self, data: bytes) -> None:
        self.sent += data

    def shutdown(self, how: int) -> None:
        os.close(self.theirs)

    def recv(self, size: int) -> bytes:
        return os.read(self.ours, size)


class Console(CliCase):
    def relay(self, stdin: Any, socket: Any) -> tuple[int, str, str]:
        """Run `gtchat console` on an input and a socket."""
        self.patch(console_client.socket, "socket", lambda family: socket)
        self.patch(sys, "stdin", stdin)
        return self.run_command("console", "--data", str(self.directory))

    def test_typed_lines_are_sent_and_answers_shown(self) -> None:
        typed, keyboard = os.pipe()
        self.addCleanup(os.close, typed)
        os.write(keyboard, b"LIST_USERS\n")
        os.close(keyboard)
        socket = PipeSocket("Host li\u674e\n".encode())
        result = self.relay(SimpleNamespace(fileno=lambda: typed, isatty=lambda: False), socket)
        self.assertEqual(result, (0, "Host li\u674e\n", ""))
        self.assertEqual(socket.sent, b"LIST_USERS\n")
        self.assertEqual(socket.path, str(self.directory / "console.sock"))

    def test_server_learns_of_a_terminal(self) -> None:
        typed, keyboard = os.pipe()
        self.addCleanup(os.close, typed)
        os.close(keyboard)
        socket = PipeSocket(b"")
        self.patch(sys.modules[__name__], "StringIO", Terminal)
        self.relay(SimpleNamespace(fileno=lambda: typed, isatty=lambda: True), socket)
        self.assertEqual(socket.sent, b"\0screen\n")

    def test_input_from_a_file(self) -> None:
        file = self.directory / "commands"
        file.write_bytes(b"KICK ann\nEXIT\n")
        socket = PipeSocket(b"kicked ann\n")
        with file.open() as stdin:
            self.assertEqual(self.relay(stdin, socket), (0, "kicked ann\n", ""))
        self.assertEqual(socket.sent, b"KICK ann\nEXIT\n")

    def test_no_server(self) -> None:
        class Refused(PipeSocket):
            def connect(self, path: str) -> None:
                raise ConnectionRefusedError(111, "Connection refused")

        socket = Refused(b"")
        self.addCleanup(os.close, socket.theirs)
        status, _, err = self.relay(sys.stdin, socket)
        self.assertEqual(status, 2)
        self.assertRegex(err, "^gtchat: no server answers at .+/console.sock: Connection refused")


class Nodes(CliCase):
    """gtchat nodes."""

    def test_a_store_without_several_servers(self) -> None:
        self.assertError("only a PostgreSQL database", "nodes", "--data", str(self.directory))
        self.assertError("a store in memory", "nodes", "--store", "memory")

    def test_a_database_that_does_not_answer(self) -> None:
        if postgres.MISSING:
            self.skipTest(postgres.MISSING)
        url = "postgresql://ann:secret@127.0.0.1:1/chat"
        self.assertError("127.0.0.1", "nodes", "--store", url)

    def test_servers_with_their_users(self) -> None:
        if postgres.MISSING:
            self.skipTest(postgres.MISSING)
        url = postgres.empty()
        self.assertEqual(self.run_command("nodes", "--json", "--store", url), (0, "[]\n", ""))
        for sql in (
            "INSERT INTO accounts (name, key, registered, created_at, lobby_read_seq)"
            " VALUES ('Ann', 'ann', true, 1, 0)",
            "INSERT INTO nodes (id, name, url, host, began, loaded, expires) VALUES"
            " (7, 'two', '', 'b', '2026-01-02 03:04:05Z', false, now() + interval '1 h'),"
            " (9, 'one', '', 'a', '2026-01-01 03:04:05+01', true, now() + interval '2 h'),"
            " (8, 'three', '', 'c', '2026-01-03 03:04:05Z', true, now() - interval '1 s'),"
            " (6, 'four', '', 'd', '2026-01-04 03:04:05Z', true, now() + interval '1 h')",
            "UPDATE nodes SET draining = true, lag = 2.04 WHERE id IN (6, 8)",
            "INSERT INTO online SELECT 9, id FROM accounts",
            "INSERT INTO sessions (token_hash, account_id, began_at, expires_from, node_id)"
            " SELECT decode('00', 'hex'), id, 1, NULL::bigint, 9 FROM accounts UNION ALL"
            " SELECT decode('01', 'hex'), id, 1, 2, 9 FROM accounts",
        ):
            with psycopg.connect(url, autocommit=True) as db:
                db.execute(sql)
        status, out, err = self.run_command("nodes", "--store", url)
        self.assertEqual((status, err), (0, ""))
        head, *lines = [line.split() for line in out.splitlines()]
        self.assertEqual(head[:6], ["NAME", "HOST", "SINCE", "SESSIONS", "USERS", "LAG"])
        self.assertEqual(
            [(*line[:7], line[-1]) for line in lines],
            [
                ("one", "a", "2026-01-01", "02:04:05Z", "1", "1", "0.0", "running"),
                ("two", "b", "2026-01-02", "03:04:05Z", "0", "0", "0.0", "starting"),
                ("three", "c", "2026-01-03", "03:04:05Z", "0", "0", "2.0", "expired"),
                ("four", "d", "2026-01-04", "03:04:05Z", "0", "0", "2.0", "draining"),
            ],
        )
        status, out, err = self.run_command("nodes", "--json", "--store", url)
        first = msgspec.json.decode(out)[0]
        self.assertTrue(0 < first.pop("expires_in") <= 7200)
        self.assertEqual(
            first,
            {
                "id": 9,
                "name": "one",
                "host": "a",
                "since": "2026-01-01T02:04:05Z",
                "state": "running",
                "sessions": 1,
                "online": 1,
                "lag": 0.0,
            },
        )
