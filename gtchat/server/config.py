"""Settings: what an operator may choose, where each value comes from, and what is invalid.

Defaults < TOML file < environment `GTCHAT_*` < options. `ServerSettings` and `Limits` are the
tables: file, environment, options, their help and `docs/gtchat.toml` follow from their fields.
"""

from __future__ import annotations

import codecs
import difflib
import math
import os
import socket
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import msgspec

from gtchat.chat.devices import SESSION_MODES
from gtchat.chat.limits import Limits
from gtchat.server import checks

LOOPBACK = {"ws": "tcp:9000:interface=127.0.0.1", "web": "tcp:8080:interface=127.0.0.1"}
#: Ports that `public` opens on all interfaces.
PUBLIC = {"ws": 9000, "web": 8080}
#: Added to an endpoint that accepts connections from this machine only.
LOOPBACK_ONLY = ":interface=127.0.0.1"

_BOOLEANS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
_EXPECTED = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "str": "text",
    "tuple": "text, or a list of texts",
}


#: Variables of the environment with our prefix that are no settings.
_VARIABLES = frozenset({"GTCHAT_CONFIG"})


class SettingsError(Exception):
    """A setting is invalid; the text is one line for the operator."""


def default_data() -> str:
    """Return the data directory of this user (XDG Base Directory Specification)."""
    base = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return str(Path(base, "gtchat").expanduser())


def _setting(default: Any, help_text: str, **metadata: Any) -> Any:
    """Return an attribute for a setting.

    Args:
        default: its default, or a function that returns it.
        help_text: what it means, for the operator.
        metadata: `secret` for a value that is never shown; `shown` for a function that returns a
            value without its secrets; `choices`; `check` for a function of
            `checks` that each value must pass; `usual_port` for a protocol that `all_protocols`
            turns on; `documented` for a default that depends on the machine.
    """
    metadata["help"] = help_text
    if callable(default):
        return attrs.field(factory=default, metadata=metadata)
    return attrs.field(default=default, metadata=metadata)


@attrs.frozen(kw_only=True)
class ServerSettings:
    """The `[server]` table."""

    ws: tuple[str, ...] = _setting(
        (LOOPBACK["ws"],), "endpoint for WebSocket; may be given several times"
    )
    web: tuple[str, ...] = _setting(
        (LOOPBACK["web"],), "endpoint for the page and /ws; may be given several times"
    )
    data: str = _setting(default_data, "directory of all data", documented="~/.local/share/gtchat")
    store: str = _setting(
        "sqlite",
        "sqlite, memory (nothing is kept), sqlite:///FILE, or a PostgreSQL database as "
        "postgresql://USER@HOST/DATABASE; logs, lock and admin console are in the data directory",
        shown=checks.hide_password,
    )
    node: str = _setting(
        "",
        "name of this server among those that use the same PostgreSQL database; by default the "
        "name of the machine with the number of the process",
    )
    notify: str = _setting(
        "postgres",
        "how servers that use the same PostgreSQL database wake each other: postgres (LISTEN and "
        "NOTIFY), a NATS server as nats://HOST:PORT or tls://HOST:PORT, or off, which delays what "
        "others wrote by up to a second",
        check=checks.check_notify,
        shown=checks.hide_login,
    )
    drain_seconds: float = _setting(
        5.0,
        "seconds between SIGTERM and the stop of a server that uses PostgreSQL, in which /healthz "
        "answers 503, so that a proxy sends users to the other servers; a second SIGTERM ends "
        "them, and a server without others does not wait",
    )
    sessions: str = _setting(
        "devices",
        "what a second login of the same account does: with devices, clients that name their "
        "device are logged in side by side, and of the others a login ends the one before; "
        "replace ends it whatever the clients say, refuse rejects the second login, share allows "
        "both",
        choices=SESSION_MODES,
    )
    broadcast_key: str = _setting(
        "", "secret that allows a user to send a message to all users", secret=True
    )
    allowed_origins: tuple[str, ...] = _setting(
        (),
        "web origin of another site that may connect, as https://chat.example; * for any",
        check=checks.check_origin,
    )
    allowed_hosts: tuple[str, ...] = _setting(
        (),
        "host name by which a browser may reach the server, as chat.example; any if none is given",
        check=checks.check_host,
    )
    file_page: bool = _setting(False, "accept pages opened from disk (Origin null)")
    message_center: tuple[str, ...] = _setting(
        (), "endpoint for Message Center clients, usually tcp:6066; off by default", usual_port=6066
    )
    pa1: tuple[str, ...] = _setting(
        (), "endpoint for PA1 clients, usually tcp:5566; off by default", usual_port=5566
    )
    loopback_callbacks: bool = _setting(
        True,
        "call Message Center and PA1 clients on this machine, which log in from a loopback address",
    )
    callback_allow: tuple[str, ...] = _setting(
        (),
        "address or network at which Message Center and PA1 clients are called although it is this "
        "machine's, its gateway's or a trusted proxy's",
    )
    livechat: tuple[str, ...] = _setting(
        (), "endpoint for Live chat clients, usually tcp:3001; off by default", usual_port=3001
    )
    randomchat: bool = _setting(False, "accept RandomChat clients on the WebSocket endpoints")
    all_protocols: bool = _setting(
        False, "turn on Message Center, PA1, Live chat and RandomChat on their usual ports"
    )
    legacy_edits: str = _setting(
        "show",
        "what clients of Message Center, PA1, Live chat and RandomChat get of an edited message: "
        "show sends the new text as a further message, hide sends nothing",
        choices=("show", "hide"),
    )
    keep_versions: bool = _setting(
        False,
        "keep the earlier texts of edited messages; authors and owners of rooms can read them",
    )
    console: bool = _setting(False, "read commands of the admin console from standard input")
    trusted_proxies: tuple[str, ...] = _setting(
        (),
        "address or network of a reverse proxy whose statement of the client's address counts; "
        "unix for those that connect to a Unix socket",
        check=checks.check_proxy,
    )


@attrs.frozen
class Settings:
    """All settings.

    Attributes:
        server: the `[server]` table.
        limits: the `[limits]` table.
        sources: key -> where its value came from; keys with their default are not in it.
    """

    server: ServerSettings
    limits: Limits
    sources: Mapping[str, str] = attrs.field(factory=dict)

    def chosen(self) -> str:
        """Return the settings that are not defaults, without secrets, for the log."""
        chosen = [f"{key} {self._shown(key)}" for key in sorted(self.sources)]
        return ", ".join(chosen) or "default settings"

    def _shown(self, key: str) -> str:
        table, field = FIELDS[key]
        value = getattr(getattr(self, table), key)
        if field.metadata.get("secret"):
            return "set" if value else "not set"
        return ascii(without_secrets(field, value))


def without_secrets(field: attrs.Attribute[Any], value: Any) -> Any:
    """Return the value of a setting as it may be shown; see `_setting`."""
    return field.metadata["shown"](value) if "shown" in field.metadata else value


TABLES: dict[str, type] = {"server": ServerSettings, "limits": Limits}
#: Key -> its table and its attribute.
FIELDS: dict[str, tuple[str, attrs.Attribute[Any]]] = {
    field.name: (table, field) for table, kind in TABLES.items() for field in attrs.fields(kind)
}
#: Protocol with an endpoint of its own -> the port that its clients expect.
USUAL_PORTS: dict[str, int] = {
    key: field.metadata["usual_port"]
    for key, (_, field) in FIELDS.items()
    if "usual_port" in field.metadata
}


def load(
    options: Mapping[str, Any],
    environment: Mapping[str, str],
    config: str | None = None,
    public: bool = False,
) -> Settings:
    """Combine the settings of all sources.

    Args:
        options: key -> value as given on the command line, text or list of texts.
        environment: variables of the process.
        config: path of a TOML file.
        public: listen on all interfaces, unless endpoints are given.

    Raises:
        SettingsError: a value is invalid; the text says which and where it is from.
    """
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}

    def put(key: str, value: Any, source: str) -> None:
        values[key], sources[key] = value, source

    if public:
        for key, port in PUBLIC.items():
            put(key, public_endpoints(port), "--public")
    config = config or environment.get("GTCHAT_CONFIG")
    if config is not None:
        for key, value in _read_file(config).items():
            source = f"{config} [{FIELDS[key][0]}]"
            put(key, _converted(key, value, source, text=False), source)
    _check_variables(environment)
    for key in FIELDS:
        source = f"GTCHAT_{key.upper()}"
        if source in environment:
            put(key, _converted(key, environment[source], source, text=True), source)
    for key, value in options.items():
        source = f"--{key.replace('_', '-')}"
        put(key, _converted(key, value, source, text=True), source)
    if values.get("all_protocols"):
        for key, value in _all_protocols(public).items():
            if key not in values:
                put(key, value, sources["all_protocols"])
    return _settings(values, sources)


def public_endpoints(port: int) -> tuple[str, ...]:
    """Return endpoints on all interfaces: one for IPv6 and IPv4 where the system has both.

    Args:
        port: TCP port number.
    """
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::", 0))
            separate = probe.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)
    except OSError:  # the system has no IPv6
        return (f"tcp:{port}",)
    both = rf"tcp:{port}:interface=\:\:"
    return (f"tcp:{port}", both) if separate else (both,)


def _check_variables(environment: Mapping[str, str]) -> None:
    """Refuse variables with our prefix that are no settings, unless a cluster has set them."""
    known = _VARIABLES | {f"GTCHAT_{key.upper()}" for key in FIELDS}
    for name, value in environment.items():
        ours = name.startswith("GTCHAT_") and not checks.is_of_service(name, value)
        if ours and name not in known:
            raise SettingsError(f"there is no variable {name}{_suggestion(name, known)}")


def _all_protocols(public: bool) -> dict[str, Any]:
    """Return the settings that `all_protocols` stands for."""
    endpoints = {
        key: public_endpoints(port) if public else (f"tcp:{port}{LOOPBACK_ONLY}",)
        for key, port in USUAL_PORTS.items()
    }
    return {**endpoints, "randomchat": True}


def _settings(values: Mapping[str, Any], sources: Mapping[str, str]) -> Settings:
    tables = {
        table: kind(**{key: values[key] for key in values if FIELDS[key][0] == table})
        for table, kind in TABLES.items()
    }
    return Settings(tables["server"], tables["limits"], sources)


def _read_file(config: str) -> dict[str, Any]:
    """Return the settings of a TOML file by key, not converted yet."""
    try:
        # Editors on Windows begin a file with a byte order mark.
        tables = msgspec.toml.decode(Path(config).read_bytes().removeprefix(codecs.BOM_UTF8))
    except OSError as error:
        raise SettingsError(f"cannot read {config}: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{config} is not TOML: {error}") from error
    found: dict[str, Any] = {}
    for table, values in tables.items():
        if table not in TABLES or not isinstance(values, dict):
            raise SettingsError(f"{config}: there is no [{table}]{_suggestion(table, TABLES)}")
        names = [field.name for field in attrs.fields(TABLES[table])]
        for key, value in values.items():
            if key not in names:
                raise SettingsError(
                    f"{config}: there is no {key} in [{table}]{_suggestion(key, names)}"
                )
            found[key] = value
    return found


def _suggestion(word: str, words: Iterable[str]) -> str:
    near = difflib.get_close_matches(word, list(words), 1, 0.5)
    return f"; did you mean {near[0]}?" if near else ""


def _converted(key: str, value: Any, source: str, text: bool) -> Any:
    """Return a value as the type of its setting.

    Args:
        key: the setting.
        value: as it was given.
        source: where it is from, for the error.
        text: whether numbers and booleans are written as text.

    Raises:
        SettingsError: the value is invalid.
    """
    field = FIELDS[key][1]
    kind = str(field.type).partition("[")[0]
    try:
        converted: Any = _CONVERTERS[kind](value, text)
    except (ValueError, TypeError, OverflowError):
        raise SettingsError(f"{source}: {key} must be {_EXPECTED[kind]}, not {value!r}") from None
    if isinstance(converted, int | float) and not 0 <= converted < math.inf:
        hint = "; 0 is no limit" if FIELDS[key][0] == "limits" else ""
        raise SettingsError(f"{source}: {key} cannot be {value}{hint}")
    choices = field.metadata.get("choices")
    if choices and converted not in choices:
        raise SettingsError(f"{source}: {key} must be one of {', '.join(choices)}, not {value!r}")
    if "check" in field.metadata:
        for part in (converted,) if isinstance(converted, str) else converted:
            if wrong := field.metadata["check"](part):
                raise SettingsError(f"{source}: {key}: {wrong}")
    return converted


def _as_tuple(value: Any, text: bool) -> tuple[str, ...]:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    if isinstance(value, Sequence) and all(isinstance(part, str) for part in value):
        return tuple(value)
    raise TypeError


def _as_bool(value: Any, text: bool) -> bool:
    if isinstance(value, bool):
        return value
    word = str(value).lower() if text else ""
    if word not in _BOOLEANS:
        raise ValueError
    return _BOOLEANS[word]


def _as_float(value: Any, text: bool) -> float:
    if isinstance(value, bool) or (isinstance(value, str) and not text):
        raise TypeError
    return float(value)


def _as_int(value: Any, text: bool) -> int:
    number = _as_float(value, text)
    if number != int(number):
        raise ValueError
    return int(number)


def _as_str(value: Any, text: bool) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


_CONVERTERS = {
    "tuple": _as_tuple,
    "bool": _as_bool,
    "float": _as_float,
    "int": _as_int,
    "str": _as_str,
}
