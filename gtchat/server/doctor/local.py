"""What is wrong on the server's own machine: settings, folder, disk, descriptors, database, ports.

Nothing is changed, and the server may run meanwhile.
"""

from __future__ import annotations

import os
import resource
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from stat import S_ISDIR
from typing import TYPE_CHECKING, Any

from gtchat.chat.limits import Limits
from gtchat.protocols.base.http_access import Proxies
from gtchat.server.admin.console import SOCKET
from gtchat.server.admin.socket import request
from gtchat.server.build_chat import branding_of
from gtchat.server.certificates import words_of
from gtchat.server.doctor.address import SOON_DAYS
from gtchat.server.doctor.finding import Finding, Level, error, ok, warning
from gtchat.server.endpoints import PROXY_PREFIX, Listeners
from gtchat.server.factories import STREAM_PROTOCOLS
from gtchat.server.process import StartError
from gtchat.server.settings import ServerSettings, Settings
from gtchat.server.storage import data_directory, database_of
from gtchat.store import StoreAhead, StoreDamaged, StoreError, StoreTooNew, StoreUnprepared
from gtchat.store.sql.consistency import sample_contradictions
from gtchat.store.sql.database import Database
from gtchat.store.sql.opening import find_revision
from gtchat.store.sql.schema import SQLITE_REVISIONS
from gtchat.store.sql.sqlite import SQLiteDatabase

if TYPE_CHECKING:
    from gtchat.store.sql.postgres import PostgresDatabase

#: Descriptors below which there is a warning: each connection needs one.
FEW_DESCRIPTORS = 4_096
#: The earliest time that a clock can show which is right, in seconds since 1970: 2025.
EARLIEST = 1_735_689_600
#: Rooms whose logs are compared with what follows from them.
SAMPLED_ROOMS = 20
_AS_USER = "run this as the user of the server, or as root"
_OTHER = f"{_AS_USER}, or change `store` or `data`"
_POSTGRES = "start PostgreSQL, or change `store`"
_RESTORE = "stop the server, keep a copy of the file, and restore a backup"


def check_server(settings: Settings, reactor: Any) -> Iterator[Finding]:
    """Yield what is found on this machine about the server of some settings.

    Args:
        settings: the settings.
        reactor: is asked which endpoints are valid; nothing is started.
    """
    server = settings.server
    yield _check_settings(settings)
    yield from _check_endpoints(server, reactor)
    yield _check_descriptors()
    yield _check_clock()
    folder = data_directory(server)
    yield from _check_running(folder, server)
    if server.store != "memory":
        found = _check_folder(folder)
        yield found
        if found.level is not Level.ERROR and os.path.isdir(folder):
            yield _check_disk(folder, settings.limits)
        yield _check_database(server)


def _check_settings(settings: Settings) -> Finding:
    try:
        branding_of(settings)
    except StartError as reason:
        return error("settings", str(reason), "change the setting, or the file")
    return ok("settings", settings.chosen())


def _check_endpoints(server: ServerSettings, reactor: Any) -> Iterator[Finding]:
    """Yield whether endpoints are valid, with the files that they name."""
    listeners = Listeners(reactor, Proxies())
    for name in ("web", "ws", "metrics", *STREAM_PROTOCOLS):
        for description in getattr(server, name):
            yield _check_endpoint(listeners, name, description)
    for port, expiry in listeners.expiries().items():
        days = (expiry - time.time()) / 86_400
        fix = "renew it; `gtchat admin reload` loads it"
        if days < 0:
            ended = time.strftime("%Y-%m-%d", time.gmtime(expiry))
            text = f"the certificate of port {port} has expired on {ended}"
            yield error("certificate", text, fix)
        elif days < SOON_DAYS:
            text = f"the certificate of port {port} expires in {days:.0f} days"
            yield warning("certificate", text, fix)


def _check_endpoint(listeners: Listeners, name: str, description: str) -> Finding:
    try:
        listeners.check(description)
    except StartError as reason:
        return error("endpoint", f"{name}: {reason}", "change the setting, or the file")
    return ok("endpoint", f"{name}: {description}")


def _check_ports(server: ServerSettings) -> Iterator[Finding]:
    """Yield the ports of a server that does not run which another program has taken."""
    for name in ("web", "ws", "metrics", *STREAM_PROTOCOLS):
        for description in getattr(server, name):
            (_, *rest), named = words_of(description.removeprefix(PROXY_PREFIX))
            host = named.get("interface", "")
            if not rest or not rest[0].isdecimal() or rest[0] == "0":
                continue
            try:
                family = socket.AF_INET6 if ":" in host else socket.AF_INET
                with socket.socket(family) as probe:
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    probe.bind((host, int(rest[0])))
            except OSError as reason:
                text = f"{name} cannot listen on port {rest[0]}: {reason.strerror}"
                yield error("port", text, "choose another port, or stop what uses it")


def _check_descriptors() -> Finding:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= hard < FEW_DESCRIPTORS:
        fix = "LimitNOFILE= of the systemd unit, or `ulimit -Hn`"
        return warning("descriptors", f"no more than {hard} connections are possible", fix)
    return ok("descriptors", f"up to {hard}, if the server is started as this command")


def _check_clock() -> Finding:
    if time.time() < EARLIEST:
        return error("clock", f"it is {time.ctime()} here", "set the clock; use NTP")
    return ok("clock", f"it is {time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())}")


def _check_folder(folder: Path) -> Finding:
    try:
        mode = folder.stat().st_mode
    except FileNotFoundError:
        return ok("folder", f"{folder} is created by the first start")
    except OSError:
        mode = 0
    if not S_ISDIR(mode) or not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        fix = f"{_AS_USER}; the folder has to belong to that user"
        return error("folder", f"{folder} cannot be written to", fix)
    if mode & 0o077:
        return warning("folder", f"other users can look into {folder}", f"chmod 700 {folder}")
    return ok("folder", f"{folder} belongs to its user alone")


def _check_disk(folder: Path, limits: Limits) -> Finding:
    free = shutil.disk_usage(folder).free
    text = f"{free // 1_048_576:,} MiB are free"
    if free < limits.min_free_bytes:
        return error("disk", f"{text}: nothing new is stored", "free some, or lower min_free_bytes")
    if free < 4 * limits.min_free_bytes:
        return warning("disk", text, "free some before it is full")
    return ok("disk", text)


def _check_running(folder: Path, server: ServerSettings) -> Iterator[Finding]:
    """Yield whether the server runs; if it does not, which of its ports others have taken."""
    try:
        request(folder / SOCKET, "help", {})
    except PermissionError:
        yield error("running", f"this user may not ask the server in {folder}", _AS_USER)
    except OSError as reason:
        text = f"no server answers in {folder}: {reason.strerror or reason}"
        yield warning("running", text, "start it")
        yield from _check_ports(server)
    except Exception as reason:
        yield ok("running", f"a server answers in {folder}: {reason}")
    else:
        yield ok("running", f"a server answers in {folder}")


def _check_database(server: ServerSettings) -> Finding:
    try:
        place = database_of(server)
    except StartError as reason:
        return error("database", str(reason), "change `store`")
    assert place is not None
    try:
        if isinstance(place, Path):
            place.stat()
        if _is_unprepared(place):
            fix = "keep a backup; the next start of the server creates or migrates the tables"
            return warning("database", f"{place} has no tables of this version yet", fix)
        wrong = _look_at(place)
    except FileNotFoundError:
        return ok("database", f"{place} is created by the first start")
    except OSError as reason:
        return error("database", f"{place} cannot be opened: {reason.strerror}", _AS_USER)
    except StoreAhead as reason:
        text = f"{reason} Servers of this version go on, and can start."
        return warning("database", text, "upgrade the servers that are left, and look again")
    except StoreTooNew as reason:
        text = f"{reason} Servers of this version do not start."
        return error("database", text, "install the version that has written it")
    except StoreDamaged as reason:
        return error("database", str(reason), _RESTORE)
    except StoreError as reason:
        fix = _OTHER if isinstance(place, Path) else _POSTGRES
        return error("database", str(reason), fix)
    if wrong:
        return error("database", "; ".join(wrong), f"gtchat verify lists all; {_RESTORE}")
    return ok("database", f"{place} can be read, and a sample of its rooms is whole")


def _is_unprepared(place: Path | PostgresDatabase) -> bool:
    """Return whether the next start creates or migrates the tables. Raises StoreError."""
    if isinstance(place, Path):
        return find_revision(place) != SQLITE_REVISIONS[-1]
    try:
        place.require_newest()
    except StoreUnprepared:
        return True
    except place.errors as reason:
        raise place.refused(reason) from reason
    return False


def _look_at(place: Path | PostgresDatabase) -> list[str]:
    """Return which of some rooms are not what their logs say. Raises StoreError."""
    database: Database = SQLiteDatabase(place) if isinstance(place, Path) else place
    try:
        with closing(database.open_reader()) as db:
            database.begin_read(db)
            if isinstance(place, Path):
                [(found,)] = db.execute("PRAGMA quick_check(1)")
                if found != "ok":
                    raise StoreDamaged(f"{place} is damaged: {found}")
            return sample_contradictions(db, SAMPLED_ROOMS)
    except database.errors as reason:
        kind = StoreDamaged if isinstance(place, Path) else StoreError
        raise kind(database.describe(reason)) from reason
