"""The address of a PostgreSQL database, and the settings of the connections to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from gtchat.store.sql.database import StoreError

#: Parameters of each connection that the address may set otherwise.
_PARAMETERS = {"application_name": "gtchat", "connect_timeout": "5", "tcp_user_timeout": "3000"}
#: Settings of each session; those in the `options` of the address come after them. A client that
#: is gone, or that stops within a transaction, keeps its locks no longer than these times.
_SESSION = {
    "client_encoding": "UTF8",
    # The driver reads times of this style only.
    "datestyle": "ISO",
    "timezone": "UTC",
    "intervalstyle": "postgres",
    "extra_float_digits": "1",
    "idle_session_timeout": "0",
    "default_transaction_isolation": "read\\ committed",
    "jit": "off",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}
WRITER = {
    "lock_timeout": "5s",
    "statement_timeout": "10s",
    "idle_in_transaction_session_timeout": "1s",
}
READER = {
    "statement_timeout": "5s",
    "idle_in_transaction_session_timeout": "10s",
}
#: Lets a connection that reads not write. As one of the settings above it would make libpq take any
#: server for a standby where the address has `target_session_attrs=read-write`.
READ_ONLY = "SET default_transaction_read_only = on"
#: Its result is worth nothing to a user who has waited for longer.
SEARCHER = {**READER, "statement_timeout": "2s"}
HEARTBEAT = {"statement_timeout": "1s"}
MAINTENANCE = {"statement_timeout": "0"}
_NO_ADDRESS = (
    "The store is no address of PostgreSQL:"
    " use postgresql://USER@HOST/DATABASE, with % and two digits for other characters."
)


class PostgresAddress:
    """Where a database is.

    Args:
        url: `postgresql://…`: any URI of libpq.

    Attributes:
        conninfo: the same as libpq takes it, with the parameters that it does not set. It has the
            password: no error and no log has it.
        name: the database without secrets.

    Raises:
        StoreError: that is no such URI.
    """

    def __init__(self, url: str) -> None:
        try:
            given = conninfo_to_dict(url)
        except psycopg.Error:
            raise StoreError(_NO_ADDRESS) from None  # the driver's text may have the password in it
        if _is_ambiguous(url):
            raise StoreError(_NO_ADDRESS)
        self._options = str(given.pop("options", None) or "")
        parameters: dict[str, Any] = {**_PARAMETERS, **given}
        self.conninfo = make_conninfo(**parameters)
        host = given.get("host") or given.get("hostaddr") or "localhost"
        self.name = (
            f"PostgreSQL database {given.get('dbname') or given.get('user') or ''} at {host}"
        )
        self._password = str(given.get("password") or "")

    def options(self, settings: Mapping[str, str]) -> str:
        """Return the settings of a session as libpq takes them, those of the address last."""
        ours = [f"-c {name}={value}" for name, value in {**_SESSION, **settings}.items()]
        return " ".join([*ours, self._options])

    def without_password(self, text: str) -> str:
        """Return a text of the driver without the password."""
        return text.replace(self._password, "…") if self._password else text


def _is_ambiguous(url: str) -> bool:
    """Return whether an address has an `@` too many before its parameters.

    A password with an `@` or a `/` that is not encoded ends there: the rest would be taken for the
    host or the database, and stand in errors.
    """
    host, _, path = url.partition("://")[2].partition("?")[0].partition("/")
    return host.count("@") > 1 or "@" in path
