"""The log as JSON, an event a line: for machines that gather logs."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import TextIO

from twisted.logger import FileLogObserver, LogEvent, formatEvent

#: What Twisted adds for readers of its older log.
_OLD = frozenset({"format", "isError", "message", "system", "time"})


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


def json_observer(file: TextIO) -> FileLogObserver:
    """An observer of the log that writes lines to a file."""
    return FileLogObserver(file, json_line)
