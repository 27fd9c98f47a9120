"""Where each setting comes from, and what is invalid. The tables are in `settings`.

Defaults < TOML file < environment `GTCHAT_*` < options.
"""

from __future__ import annotations

import codecs
import difflib
import math
import socket
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import msgspec

from gtchat.chat.limits import LARGEST, SMALLEST, is_limit
from gtchat.server import checks
from gtchat.server.settings import FIELDS, TABLES, USUAL_PORTS, Settings, SettingsError

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
            put(key, convert(key, value, source, text=False), source)
    _check_variables(environment)
    for key in FIELDS:
        source = f"GTCHAT_{key.upper()}"
        if source in environment:
            put(key, convert(key, environment[source], source, text=True), source)
    for key, value in options.items():
        source = f"--{key.replace('_', '-')}"
        put(key, convert(key, value, source, text=True), source)
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
            raise SettingsError(f"there is no variable {name}{suggestion(name, known)}")


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
    return Settings(tables["server"], tables["limits"], sources, tables["site"])


def _read_file(config: str) -> dict[str, Any]:
    """Return the settings of a TOML file by key, not converted yet."""
    try:
        # Editors on Windows begin a file with a byte order mark.
        tables = msgspec.toml.decode(Path(config).read_bytes().removeprefix(codecs.BOM_UTF8))
    except OSError as error:
        raise SettingsError(f"cannot read {config}: {error.strerror}") from error
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        # A ValueError is bytes that are no UTF-8, or a number of more than 4,300 digits.
        raise SettingsError(f"{config} is not TOML: {error}") from error
    found: dict[str, Any] = {}
    for table, values in tables.items():
        if table not in TABLES or not isinstance(values, dict):
            raise SettingsError(f"{config}: there is no [{table}]{suggestion(table, TABLES)}")
        names = [field.name for field in attrs.fields(TABLES[table])]
        for key, value in values.items():
            if key not in names:
                raise SettingsError(
                    f"{config}: there is no {key} in [{table}]{suggestion(key, names)}"
                )
            found[key] = value
    return found


def suggestion(word: str, words: Iterable[str]) -> str:
    """Return the end of an error that names the word which may be meant, "" for none."""
    near = difflib.get_close_matches(word, list(words), 1, 0.5)
    return f"; did you mean {near[0]}?" if near else ""


def convert(key: str, value: Any, source: str, text: bool) -> Any:
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
    if FIELDS[key][0] == "limits":
        if not is_limit(converted):
            hint = f"0 is no limit, {SMALLEST:f} the smallest, {LARGEST} the largest"
            raise SettingsError(f"{source}: {key} cannot be {value}; {hint}")
    elif isinstance(converted, int | float) and not 0 <= converted < math.inf:
        raise SettingsError(f"{source}: {key} cannot be {value}")
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
