"""The log: its lines, its target, and a file that is moved away."""

from __future__ import annotations

import json
import os
import sys
from io import StringIO
from pathlib import Path
from typing import Any
from unittest.mock import patch

from twisted.logger import FileLogObserver, Logger, LogLevel, formatEventAsClassicLogText
from twisted.python.failure import Failure
from twisted.python.logfile import LogFile
from twisted.trial.unittest import SynchronousTestCase

from gtchat.server import logs
from gtchat.server.logs import ROTATED_FILES, LogTarget, json_line, reopen, text_line


def event(**fields: Any) -> dict[str, Any]:
    """Return an event as twisted.logger makes it."""
    return {
        "log_time": 1_800_000_000.25,
        "log_level": LogLevel.info,
        "log_namespace": "gtchat.x",
        **fields,
    }


class Levels(SynchronousTestCase):
    def test_a_level_has_the_lines_of_those_above_it(self) -> None:
        lines = logs.LevelFilter(text_line)
        for level, written in (("debug", 3), ("info", 2), ("warn", 1), ("error", 0)):
            lines.level = level
            found = [
                lines(event(log_format="hi", log_level=LogLevel.levelWithName(name)))
                for name in ("debug", "info", "warn")
            ]
            self.assertEqual(3 - found.count(None), written, level)

    def test_events_without_a_level_are_written(self) -> None:
        told = event(log_format="hi")
        del told["log_level"]
        self.assertIsNotNone(logs.LevelFilter(text_line)(told))


class Unprintable:
    """Has no text."""

    def __str__(self) -> str:
        raise ValueError


class Lines(SynchronousTestCase):
    def test_text_lines_equal_those_of_twisted(self) -> None:
        for one in (
            event(log_format="{name} came", name="ann"),
            event(log_format="later", log_time=1_800_000_000.75),
            event(log_format="two\nlines", log_time=1_700_000_000.0),
            event(log_format="{nothing}"),
            {"log_format": "no time"},
            event(log_format=""),
            event(log_format=None),
            event(log_format=b"bytes {name}", name="ann"),
            event(log_format="{{{name!r:>9}}} {number:.1f} {x:{number}}", name="a", number=3, x=1),
            event(log_format="{name.upper()} {call()} {list[0]}", name="a", call=dict, list=[1]),
            event(log_format="{unbalanced"),
            event(log_format="{}"),
            event(log_format="{broken}", broken=Unprintable()),
            event(log_format="a", log_system="system"),
            event(log_format="a", log_failure=Failure(ValueError("x"))),
            event(log_format="a", log_namespace=None),
        ):
            self.assertEqual(text_line(dict(one)), formatEventAsClassicLogText(dict(one)))

    def test_json_line_has_level_source_message_and_fields(self) -> None:
        line = json_line(event(log_format="{name} came", name="ann", number=3, thing=len))
        self.assertTrue(line.endswith("}\n"))
        self.assertEqual(
            json.loads(line),
            {
                "time": "2027-01-15T08:00:00.250Z",
                "level": "info",
                "source": "gtchat.x",
                "message": "ann came",
                "name": "ann",
                "number": 3,
                "thing": "<built-in function len>",
            },
        )


class Target(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).resolve()
        self.folder.mkdir()
        self.file = self.folder / "log"

    def test_target_follows_the_options_of_twistd(self) -> None:
        file = str(self.file)
        cases: list[tuple[dict[str, Any], str | None]] = [
            ({"nodaemon": 1, "logfile": None}, "out"),
            ({"nodaemon": 1, "logfile": "-"}, "out"),
            ({"nodaemon": 1, "logfile": file}, file),
            ({"nodaemon": 0, "logfile": file}, file),
            ({"nodaemon": 0, "logfile": "-"}, None),
            ({"nodaemon": 1, "logfile": file, "syslog": 1}, None),
            ({"nodaemon": 1, "logfile": file, "logger": "some.where"}, None),
        ]
        for as_json in (False, True):
            for options, where in cases:
                out = StringIO()
                with patch.object(sys, "stdout", out):
                    target = LogTarget.chosen(options, as_json)
                self.file.unlink(missing_ok=True) if where != file else None
                if where is None:
                    self.assertIsNone(target, options)
                    continue
                assert target is not None, options
                target.observer(event(log_format="ho", log_level=LogLevel.debug))
                target.observer(event(log_format="hi"))
                said = out.getvalue() if where == "out" else self.file.read_text()
                self.assertEqual((said[0] == "{", "hi" in said), (as_json, True), options)
                self.assertNotIn("ho", said)
                if target.file is not None:
                    target.file.close()
                    self.file.unlink()

    def test_daemon_logs_to_twistd_log(self) -> None:
        before = os.getcwd()
        os.chdir(self.folder)
        try:
            target = LogTarget.chosen({"nodaemon": 0}, as_json=False)
        finally:
            os.chdir(before)
        assert target is not None
        assert target.file is not None
        self.addCleanup(target.file.close)
        self.assertEqual(target.file.path, str(self.folder / "twistd.log"))

    def test_rotated_files_are_bounded(self) -> None:  # H36
        self.patch(logs, "ROTATE_BYTES", 100)
        for as_json in (False, True):
            target = LogTarget.chosen({"nodaemon": 0, "logfile": str(self.file)}, as_json)
            assert target is not None
            assert target.file is not None
            for _ in range(3 * ROTATED_FILES):
                target.observer(event(log_format="a line of more than a hundred bytes" * 5))
            target.file.close()
            files = sorted(self.folder.iterdir())
            self.assertEqual(len(files), 1 + ROTATED_FILES)
            for file in files:
                file.unlink()

    def test_unwritable_file_raises_at_once(self) -> None:
        with self.assertRaises(OSError):
            LogTarget.chosen(
                {"nodaemon": 1, "logfile": str(self.folder / "none" / "log")}, as_json=False
            )

    def observed(self) -> tuple[LogFile, Logger]:
        """Return a log file, and a logger that writes to it."""
        file = LogFile.fromFullPath(str(self.file))
        self.addCleanup(file.close)
        log = Logger(observer=FileLogObserver(file, text_line))
        self.patch(logs, "_log", log)
        return file, log

    def test_reopen_creates_a_file_that_was_moved_away(self) -> None:
        file, log = self.observed()
        log.info("before")
        moved = self.file.rename(self.folder / "moved")
        log.info("meanwhile")
        reopen(file)
        log.info("after")
        self.assertEqual(
            [" before" in moved.read_text(), "after" in moved.read_text()], [True, False]
        )
        self.assertEqual("meanwhile" in moved.read_text(), True)
        lines = self.file.read_text().splitlines()
        self.assertEqual(
            [line.rpartition("] ")[2] for line in lines], ["log file reopened", "after"]
        )

    def test_reopen_failure_continues_in_the_old_file(self) -> None:
        file, log = self.observed()
        moved = self.folder.rename(self.folder.with_name("elsewhere"))
        self.addCleanup(moved.rename, self.folder)
        reopen(file)
        log.info("after")
        self.assertIn("the log file cannot be reopened", (moved / "log").read_text())
        self.assertIn("after", (moved / "log").read_text())
