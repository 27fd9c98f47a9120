"""The tables of settings: what an operator may choose; `config` reads them.

File, environment, options, their help and `docs/gtchat.toml` follow from the fields of
`ServerSettings` and `Limits`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from gtchat.chat.limits import Limits
from gtchat.chat.modes import MESSAGES_MODES, REGISTRATION_MODES, SESSION_MODES
from gtchat.server import checks

LOOPBACK = {"ws": "tcp:9000:interface=127.0.0.1", "web": "tcp:8080:interface=127.0.0.1"}


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
            turns on; `documented` for a default that depends on the machine; `live` for a setting
            that `reload` takes over while the server runs.
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
        "NOTIFY), a NATS server as nats://HOST:PORT or tls://HOST:PORT (of a cluster: several, "
        "with commas), or off, which delays what others wrote by up to a second",
        check=checks.check_notify,
        shown=checks.hide_login,
    )
    notify_certificate: str = _setting(
        "",
        "file (PEM) with the certificate and its key that NATS servers may ask for; it is read at "
        "the start",
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
    registration: str = _setting(
        "open",
        "who can register an account: open (all), invite (those who have an invitation) or closed "
        "(operators make accounts); what operators choose while the server runs goes before it",
        choices=REGISTRATION_MODES,
        live=True,
    )
    guests: bool = _setting(
        True,
        "let users log in without an account, as Live chat clients do; what operators choose while "
        "the server runs goes before it",
        live=True,
    )
    filter_directs: bool = _setting(
        False, "let the word filter of the operators see direct messages, too", live=True
    )
    member_invitations: bool = _setting(
        False, "let all registered users make links with which others register, not operators only"
    )
    deleted_messages: str = _setting(
        "choice",
        "what becomes of the messages of an account that is deleted: choice (its user, or the "
        "operator who deletes it, decides), keep (they stay without its name) or erase",
        choices=MESSAGES_MODES,
        live=True,
    )
    broadcast_key: str = _setting(
        "", "secret that allows a user to send a message to all users", secret=True
    )
    allowed_origins: tuple[str, ...] = _setting(
        (),
        "web origin of another site that may connect, as https://chat.example; * for any",
        check=checks.check_origin,
        live=True,
    )
    allowed_hosts: tuple[str, ...] = _setting(
        (),
        "host name by which a browser may reach the server, as chat.example; any if none is given",
        check=checks.check_host,
        live=True,
    )
    file_page: bool = _setting(False, "accept pages opened from disk (Origin null)", live=True)
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
        check=checks.check_network,
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
    log_level: str = _setting(
        "info",
        "least important lines that the log has: debug, info, warn or error",
        choices=("debug", "info", "warn", "error"),
        live=True,
    )
    log_requests: bool = _setting(
        False,
        "write a line to the log for each request of clients: its number, command, user, "
        "address and outcome, without its content",
        live=True,
    )
    console: bool = _setting(False, "read commands of the admin console from standard input")
    metrics: tuple[str, ...] = _setting(
        (), "endpoint that serves /metrics alone, to any client; may be given several times"
    )
    metrics_allow: tuple[str, ...] = _setting(
        (),
        "address or network whose programs may read /metrics at the web endpoints, besides those "
        "of this machine; unix for those that connect to a Unix socket",
        check=checks.check_proxy,
        live=True,
    )
    trusted_proxies: tuple[str, ...] = _setting(
        (),
        "address or network of a reverse proxy whose statement of the client's address counts; "
        "unix for those that connect to a Unix socket",
        check=checks.check_proxy,
        live=True,
    )


@attrs.frozen(kw_only=True)
class SiteSettings:
    """The `[site]` table."""

    chat_name: str = _setting(
        "GTChat",
        "name of the chat that the page shows; what operators choose while the server runs goes "
        "before it",
        check=checks.check_chat_name,
    )
    logo: str = _setting(
        "", "file with a logo for the page (.svg, .png or .webp, at most 256 KiB) in place of ours"
    )
    extra_css: str = _setting(
        "", "file with a style sheet that is added to those of the page, at most 64 KiB"
    )


@attrs.frozen
class Settings:
    """All settings.

    Attributes:
        server: the `[server]` table.
        limits: the `[limits]` table.
        sources: key -> where its value came from; keys with their default are not in it.
        site: the `[site]` table.
    """

    server: ServerSettings
    limits: Limits
    sources: Mapping[str, str] = attrs.field(factory=dict)
    site: SiteSettings = attrs.field(factory=SiteSettings)

    def chosen(self) -> str:
        """Return the settings that are not defaults, as in a file, without secrets, for the log."""
        chosen = [f"{key} {self._shown(key)}" for key in sorted(self.sources)]
        return ", ".join(chosen) or "default settings"

    def _shown(self, key: str) -> str:
        table, field = FIELDS[key]
        value = getattr(getattr(self, table), key)
        if field.metadata.get("secret"):
            return "set" if value else "not set"
        shown = json.dumps(without_secrets(field, value))
        return shown.replace("\x7f", "\\u007f")  # a control character that JSON may have


def without_secrets(field: attrs.Attribute[Any], value: Any) -> Any:
    """Return the value of a setting as it may be shown; see `_setting`."""
    return field.metadata["shown"](value) if "shown" in field.metadata else value


def kinds_of_sources(settings: Settings) -> dict[str, str]:
    """Return where the settings that are not defaults are from, by key.

    Returns:
        "file", "environment" or "option"; so operators' accounts learn no path.
    """
    return {key: _kind_of_source(source) for key, source in settings.sources.items()}


def _kind_of_source(source: str) -> str:
    if source.endswith("]"):  # a table of a file
        return "file"
    return "option" if source.startswith("--") else "environment"


TABLES: dict[str, type] = {
    "server": ServerSettings,
    "site": SiteSettings,
    "limits": Limits,
}
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
