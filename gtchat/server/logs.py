"""The log: lines for people, or JSON for machines; on standard output or in a file."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from datetime import datetime, timezone
from functools import lru_cache
from typing import Any

import attrs
from twisted.logger import (
    FileLogObserver,
    LogEvent,
    Logger,
    formatEvent,
    formatEventAsClassicLogText,
    formatTime,
)
from twisted.python.logfile import LogFile

#: What Twisted adds for readers of its older log.
_OLD = frozenset({"format", "isError", "message", "system", "time"})

_log = Logger()


def json_line(event: LogEvent) -> str:
    """An event as a JSON object in one line: time, level, source, message, and its plain fields.

    Args:
        event: as twisted.logger has it.
    """
    time = datetime.fromtimestamp(event["log_time"], timezone.utc)
    line: dict[str, object] = {
        "time": time.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "level": event["log_level"].name if "log_level" in event else "info",
        "source": event.get("log_namespace", ""),
        "message": formatEvent(event),
    }
    for name, value in event.items():
        if not name.startswith("log_") and name not in _OLD and name not in line:
            line[name] = value if isinstance(value, (int, float, str)) else str(value)
    if "log_failure" in event:
        line["traceback"] = event["log_failure"].getTraceback()
    return json.dumps(line, ensure_ascii=True) + "\n"


def text_line(event: LogEvent) -> str | None:
    """An event as Twisted writes it for people."""
    return formatEventAsClassicLogText(event, _time)


@lru_cache(maxsize=2)
def _second(when: int) -> str:
    """A time of day. To work out the time zone takes longer than the rest of a line."""
    return formatTime(when)


def _time(when: float | None) -> str:
    return "-" if when is None else _second(int(when))


@attrs.define(eq=False)
class LogTarget:
    """Where the log goes.

    Attributes:
        observer: writes it.
        file: None where it is standard output.
    """

    observer: FileLogObserver
    file: LogFile | None = None

    @classmethod
    def chosen(cls, twistd: Mapping[str, Any], as_json: bool) -> LogTarget | None:
        """What the options say; None where twistd sees to it by itself.

        Args:
            twistd: its own options: logfile, nodaemon, syslog, logger.
            as_json: an event a line, for machines.

        Raises:
            OSError: the file can't be written.
        """
        name = twistd.get("logfile")
        if twistd.get("logger") or twistd.get("syslog"):
            return None
        line = json_line if as_json else text_line
        if twistd.get("nodaemon") and name in (None, "", "-"):
            return cls(FileLogObserver(sys.stdout, line))
        if name == "-":
            return None  # twistd says that a daemon has no standard output
        file = LogFile.fromFullPath(name or "twistd.log")
        return cls(FileLogObserver(file, line), file)


def reopen(file: LogFile) -> None:
    """Go on in a new file of the same name, after the old one was moved away."""
    try:
        with open(file.path, "ab"):
            file.reopen()
    except OSError as error:
        _log.error("the log stays where it is: {error}", error=error)
    else:
        _log.info("the log goes on here")
