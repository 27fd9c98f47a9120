"""The log: lines of text or of JSON, on standard output or in a file."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timezone
from functools import lru_cache
from string import Formatter
from typing import Any

import attrs
from twisted.logger import (
    FileLogObserver,
    LogEvent,
    Logger,
    LogLevel,
    formatEvent,
    formatEventAsClassicLogText,
    formatTime,
)
from twisted.python.logfile import LogFile

#: Keys that Twisted adds for observers of its older logging system.
_LEGACY_KEYS = frozenset({"format", "isError", "message", "system", "time"})

#: Bytes of a log file at which it is rotated, and how many rotated ones are kept.
ROTATE_BYTES, ROTATED_FILES = 10_000_000, 10

_log = Logger()


def json_line(event: LogEvent) -> str:
    """Return an event as one line of JSON: time, level, source, message, and its own fields.

    Args:
        event: an event of twisted.logger.
    """
    time = datetime.fromtimestamp(event["log_time"], timezone.utc)
    line: dict[str, object] = {
        "time": time.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "level": event["log_level"].name if "log_level" in event else "info",
        "source": event.get("log_namespace", ""),
        "message": event_text(event),
    }
    for name, value in event.items():
        if not name.startswith("log_") and name not in _LEGACY_KEYS and name not in line:
            line[name] = value if isinstance(value, (int, float, str)) else str(value)
    if "log_failure" in event:
        line["traceback"] = event["log_failure"].getTraceback()
    return json.dumps(line, ensure_ascii=True) + "\n"


def text_line(event: LogEvent) -> str | None:
    """Return an event as one line of text, as Twisted writes it.

    Its own way takes five times as long, and every login has a line.
    """
    if "log_failure" in event or "log_system" in event or "log_level" not in event:
        return formatEventAsClassicLogText(event, _format_time)
    text = event_text(event)
    if not text:
        return None
    source = f"{event.get('log_namespace', '-')}#{event['log_level'].name}"
    line = f"{_format_time(event.get('log_time'))} [{source}] {text}"
    return line.replace("\n", "\n\t") + "\n"


def event_text(event: LogEvent) -> str:
    """Return the message of an event: its format with its fields.

    Args:
        event: an event of twisted.logger, whose formatter also looks into the fields and calls
            them. It is used only for formats that ask for that.
    """
    text = event.get("log_format")
    if isinstance(text, str) and "log_flattened" not in event and _is_plain(text):
        with suppress(Exception):  # Twisted says what cannot be formatted
            return text.format_map(event)
    return formatEvent(event)


@lru_cache(maxsize=512)
def _is_plain(text: str) -> bool:
    """Return whether a format names nothing but fields."""
    try:
        return all(name is None or name.isidentifier() for _, name, *_ in Formatter().parse(text))
    except ValueError:
        return False


@lru_cache(maxsize=2)
def _format_second(when: int) -> str:
    """Format a time in seconds. Cached: the time zone takes longer than the rest of a line."""
    return formatTime(when)


def _format_time(when: float | None) -> str:
    return "-" if when is None else _format_second(int(when))


@attrs.define(eq=False)
class LevelFilter:
    """Formats events of a level and above; the others have no line.

    Args:
        line: formats an event.
        level: the name of the level, one of `LEVELS`. May be replaced at any time.
    """

    line: Callable[[LogEvent], str | None]
    level: str = "info"

    def __call__(self, event: LogEvent) -> str | None:
        """Return the line of an event, None if it has none."""
        level = event.get("log_level", LogLevel.info)
        return None if level < LogLevel.levelWithName(self.level) else self.line(event)


@attrs.define(eq=False)
class LogTarget:
    """Where the log goes.

    Attributes:
        observer: writes events.
        file: the log file; None for standard output.
        lines: makes the lines.
    """

    observer: FileLogObserver
    file: LogFile | None = None
    lines: LevelFilter = attrs.field(factory=lambda: LevelFilter(text_line))

    @classmethod
    def chosen(
        cls, twistd: Mapping[str, Any], as_json: bool, level: str = "info"
    ) -> LogTarget | None:
        """Return the target that the options name; None where twistd decides.

        Args:
            twistd: options of twistd: logfile, nodaemon, syslog, logger.
            as_json: whether to write JSON.
            level: see `LevelFilter`.

        Raises:
            OSError: the log file cannot be written.
        """
        name = twistd.get("logfile")
        if "nodaemon" not in twistd:
            return None  # `twist`, which always logs to a file or the terminal of its own choice
        if twistd.get("logger") or twistd.get("syslog"):
            return None
        line = LevelFilter(json_line if as_json else text_line, level)
        if twistd.get("nodaemon") and name in (None, "", "-"):
            return cls(FileLogObserver(sys.stdout, line), None, line)
        if name == "-":
            return None  # twistd rejects this itself: a daemon has no standard output
        file = LogFile.fromFullPath(
            name or "twistd.log", rotateLength=ROTATE_BYTES, maxRotatedFiles=ROTATED_FILES
        )
        return cls(FileLogObserver(file, line), file, line)


def reopen(file: LogFile) -> None:
    """Close a log file that was moved away, and open a new one under its name."""
    try:
        with open(file.path, "ab"):
            file.reopen()
    except OSError as error:
        _log.error(
            "the log file cannot be reopened, logging continues in the old one: {error}",
            error=error,
        )
    else:
        _log.info("log file reopened")
