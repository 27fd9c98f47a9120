"""Settings as a TOML file: those in force with their sources, and all defaults with their help."""

from __future__ import annotations

import json
import textwrap
from typing import Any

import attrs

from gtchat.server.settings import TABLES, Settings, without_secrets

_COMMENT_WIDTH = 96
_FILE_HEADER = """\
# Settings of GTChat with their defaults. Remove the # in front of a setting to change it, and start
# the server with `--config FILE`. `gtchat settings` prints this file; `gtchat config` prints the
# settings in force. Every setting is also an option (message_bytes: --message-bytes) and a variable
# of the environment (GTCHAT_MESSAGE_BYTES, lists separated by commas); options override the
# environment, which overrides the file.
"""
_TABLE_HEADERS = {
    "server": "# Endpoints are Twisted endpoint strings, such as tcp:9000:interface=::1\n",
    "site": "# The look of the page.\n",
    "limits": "# Sizes are in bytes, times in seconds; 0 means no limit.\n",
}


def format_settings(settings: Settings) -> str:
    """Return all settings in force as a TOML file, each with its source; secrets are not shown."""
    lines = []
    for table in TABLES:
        lines.append(f"[{table}]")
        part = getattr(settings, table)
        for field in attrs.fields(type(part)):
            value = getattr(part, field.name)
            source = settings.sources.get(field.name, "default")
            if field.metadata.get("secret"):
                lines.append(f"# {field.name} is {'set' if value else 'not set'}  # {source}")
            else:
                shown = without_secrets(field, value)
                lines.append(f"{field.name} = {_toml(shown)}  # {source}")
        lines.append("")
    return "\n".join(lines)


def default_file() -> str:
    """Return a TOML file that describes each setting and has its default in a comment."""
    parts = [_FILE_HEADER]
    for table, kind in TABLES.items():
        parts.append(f"\n[{table}]\n{_TABLE_HEADERS[table]}")
        for field in attrs.fields(kind):
            help_text = textwrap.fill(
                field.metadata["help"],
                _COMMENT_WIDTH,
                initial_indent="# ",
                subsequent_indent="# ",
                break_on_hyphens=False,
            )
            default = field.metadata.get("documented", field.default)
            parts.append(f"\n{help_text}\n#{field.name} = {_toml(default)}\n")
    return "".join(parts)


def _toml(value: Any) -> str:
    """Return a value in TOML, which is the same as JSON for our types. A path may not be UTF-8."""
    text = json.dumps(value, ensure_ascii=False, separators=(", ", ": "))
    return text.encode("utf-8", "backslashreplace").decode()
