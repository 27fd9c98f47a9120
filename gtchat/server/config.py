"""Settings: what an operator may choose, from where, and what is wrong with it.

Defaults < TOML file < environment `GTCHAT_*` < options. The keys are those of the protocol page's
"Settings": tables `[server]` and `[limits]` in the file, capitals in the environment, dashes as
options.
"""

from __future__ import annotations

import difflib
import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import msgspec

from gtchat.chat.limits import Limits

LOOPBACK = {"ws": "tcp:9000:interface=127.0.0.1", "web": "tcp:8080:interface=127.0.0.1"}
PUBLIC = {"ws": "tcp:9000", "web": "tcp:8080"}
#: Ports that programs of the other protocols expect.
USUAL_PORTS = {"message_center": 6066, "pa1": 5566, "livechat": 3001}


class SettingsError(Exception):
    """A setting that can't be; its text is the one line that the operator gets."""


def data_folder() -> str:
    """Where data are kept unless something else is said (XDG Base Directory)."""
    base = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return str(Path(base, "gtchat").expanduser())


def _setting(default: Any, help_text: str, **metadata: Any) -> Any:
    """A setting with its default and what the operator is told of it."""
    metadata["help"] = help_text
    if callable(default):
        return attrs.field(factory=default, metadata=metadata)
    return attrs.field(default=default, metadata=metadata)


@attrs.frozen(kw_only=True)
class Server:
    """The `[server]` table."""

    ws: tuple[str, ...] = _setting(
        (LOOPBACK["ws"],), "endpoint to listen on for WebSocket, in Twisted's words; several may be"
    )
    web: tuple[str, ...] = _setting(
        (LOOPBACK["web"],), "endpoint to serve the page and /ws on; several may be"
    )
    data: str = _setting(data_folder, "folder that everything is kept in")
    store: str = _setting("sqlite", "sqlite, memory (nothing is kept), or sqlite:///FILE")
    sessions: str = _setting(
        "replace",
        "what a login from a second place does: replace the first, refuse it, or share",
        choices=("replace", "refuse", "share"),
    )
    broadcast_key: str = _setting("", "whoever has it may speak to everybody", secret=True)
    allowed_origins: tuple[str, ...] = _setting(
        (), "web pages from elsewhere that may connect, as https://chat.example; * for any"
    )
    allowed_hosts: tuple[str, ...] = _setting(
        (), "names that the server may be called by in a browser, as chat.example; any without one"
    )
    file_page: bool = _setting(False, "let a page opened from disk connect (Origin null)")
    message_center: tuple[str, ...] = _setting(
        (), "endpoint for Message Center clients, usually port 6066; off without one"
    )
    pa1: tuple[str, ...] = _setting(
        (), "endpoint for PA1 clients, usually port 5566; off without one"
    )
    livechat: tuple[str, ...] = _setting(
        (), "endpoint for Live chat clients, usually port 3001; off without one"
    )
    randomchat: bool = _setting(False, "RandomChat clients may come on the WebSocket port")
    all_protocols: bool = _setting(False, "all of these, on their usual ports")
    console: bool = _setting(False, "the host's console on standard input")
    trusted_proxies: tuple[str, ...] = _setting(
        (), "addresses or networks of reverse proxies whose word on the client's address is taken"
    )


@attrs.frozen
class Settings:
    """All settings.

    Attributes:
        sources: key -> where its value came from.
    """

    server: Server
    limits: Limits
    sources: Mapping[str, str] = attrs.field(factory=dict)

    def chosen(self) -> str:
        """What was said other than the defaults, without secrets, for the log."""
        said = [f"{key} {self._shown(key)}" for key in sorted(self.sources)]
        return ", ".join(said) or "default settings"

    def _shown(self, key: str) -> str:
        table, field = FIELDS[key]
        value = getattr(getattr(self, table), key)
        if field.metadata.get("secret"):
            return "set" if value else "not set"
        return ascii(value)


TABLES: dict[str, type] = {"server": Server, "limits": Limits}
FIELDS: dict[str, tuple[str, attrs.Attribute[Any]]] = {
    field.name: (table, field) for table, kind in TABLES.items() for field in attrs.fields(kind)
}


def load(
    options: Mapping[str, Any],
    environment: Mapping[str, str],
    config: str | None = None,
    public: bool = False,
) -> Settings:
    """Put settings together.

    Args:
        options: key -> value as given on the command line, text or list of texts.
        environment: variables of the process.
        config: path of a TOML file.
        public: listen for the whole network, where nothing else is said.

    Raises:
        SettingsError: something is wrong, and where.
    """
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    if public:
        for key, endpoint in PUBLIC.items():
            values[key], sources[key] = (endpoint,), "--public"
    config = config or environment.get("GTCHAT_CONFIG")
    if config is not None:
        for key, value in _read_file(config).items():
            source = f"{config} [{FIELDS[key][0]}]"
            values[key], sources[key] = _converted(key, value, source, text=False), source
    for key in FIELDS:
        source = f"GTCHAT_{key.upper()}"
        if source in environment:
            values[key] = _converted(key, environment[source], source, text=True)
            sources[key] = source
    for key, value in options.items():
        source = f"--{key.replace('_', '-')}"
        values[key], sources[key] = _converted(key, value, source, text=True), source
    if values.get("all_protocols"):
        for key, port in USUAL_PORTS.items():
            here = "" if public else ":interface=127.0.0.1"
            values.setdefault(key, (f"tcp:{port}{here}",))
            sources.setdefault(key, sources["all_protocols"])
        values.setdefault("randomchat", True)
        sources.setdefault("randomchat", sources["all_protocols"])
    tables = {
        table: kind(**{key: values[key] for key in values if FIELDS[key][0] == table})
        for table, kind in TABLES.items()
    }
    return Settings(tables["server"], tables["limits"], sources)


def _read_file(config: str) -> dict[str, Any]:
    """The settings of a TOML file, by key."""
    try:
        tables = msgspec.toml.decode(Path(config).read_bytes())
    except OSError as error:
        raise SettingsError(f"can't read {config}: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{config} is not TOML: {error}") from error
    found: dict[str, Any] = {}
    for table, values in tables.items():
        if table not in TABLES or not isinstance(values, dict):
            raise SettingsError(f"{config}: there is no [{table}]{_nearest(table, TABLES)}")
        names = [field.name for field in attrs.fields(TABLES[table])]
        for key, value in values.items():
            if key not in names:
                raise SettingsError(
                    f"{config}: there is no {key} in [{table}]{_nearest(key, names)}"
                )
            found[key] = value
    return found


def _nearest(word: str, words: Any) -> str:
    near = difflib.get_close_matches(word, list(words), 1, 0.5)
    return f"; did you mean {near[0]}?" if near else ""


def _converted(key: str, value: Any, source: str, text: bool) -> Any:
    """A value as its setting wants it."""
    field = FIELDS[key][1]
    kind = str(field.type)
    try:
        converted = _as_kind(kind, value, text)
    except (TypeError, ValueError, OverflowError):
        wanted = {"int": "a whole number", "float": "a number", "bool": "true or false"}
        raise SettingsError(
            f"{source}: {key} wants {wanted.get(kind, 'text')}, not {value!r}"
        ) from None
    if isinstance(converted, int | float) and not 0 <= converted < math.inf:
        raise SettingsError(f"{source}: {key} can't be {value}; 0 is no limit")
    choices = field.metadata.get("choices")
    if choices and converted not in choices:
        raise SettingsError(f"{source}: {key} is one of {', '.join(choices)}, not {value!r}")
    return converted


def _as_kind(kind: str, value: Any, text: bool) -> Any:
    if kind.startswith("tuple"):
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        if isinstance(value, Sequence) and all(isinstance(part, str) for part in value):
            return tuple(value)
        raise TypeError
    if kind == "bool":
        if isinstance(value, bool):
            return value
        words = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
        word = str(value).lower() if text else ""
        if word not in words:
            raise ValueError
        return words[word]
    if kind in ("int", "float"):
        if isinstance(value, bool) or (isinstance(value, str) and not text):
            raise TypeError
        number = float(value)
        if kind == "int" and number != int(number):
            raise ValueError
        return int(number) if kind == "int" else number
    if not isinstance(value, str):
        raise TypeError
    return value


def shown(settings: Settings) -> str:
    """All settings as a TOML file, with where each came from; secrets are not shown."""
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
                # These are the same in TOML. A path may be no UTF-8.
                json_text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
                toml = json_text.encode("utf-8", "backslashreplace").decode()
                lines.append(f"{field.name} = {toml}  # {source}")
        lines.append("")
    return "\n".join(lines)
