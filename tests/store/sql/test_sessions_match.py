"""Sessions and devices: random calls have the same results in memory and in SQL."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat.errors import ChatError
from gtchat.chat.interfaces import EndedSession, NewDevice, NewSession, Replaces, SessionLimits
from gtchat.store.memory.accounts import AccountTable
from gtchat.store.memory.devices import DeviceTable
from gtchat.store.memory.mailbox import Mailbox
from gtchat.store.memory.rooms import RoomTable
from gtchat.store.memory.sessions import SessionTable
from gtchat.store.sql import accounts, devices, rooms, session_ends, sessions
from gtchat.store.sql.log_writer import LogWriter
from gtchat.store.sql.sqlite import connect
from tests import example_count
from tests.databases import create_empty

_names = st.integers(0, 5).map(lambda number: bytes([number]) * 4)
#: The token that was given in a step.
_tokens = st.integers(1, 8).map(lambda step: bytes([step]) * 32)
_devices = st.sampled_from("abc")
_new_device = st.builds(
    NewDevice,
    _devices,
    st.sampled_from([None, "", "Phone"]),
    st.sampled_from([None, b"new"]),
    st.none() | _tokens,
)
_limits = st.builds(SessionLimits, st.integers(0, 2), st.integers(0, 3), st.integers(0, 30))
_calls = st.lists(
    st.one_of(
        st.tuples(
            st.just("login"),
            _names,
            st.none() | _new_device,
            st.sampled_from(Replaces),
            st.sampled_from(["gtchat", "pa1"]),
            _limits,
            st.booleans(),
            st.booleans(),
        ),
        st.tuples(st.sampled_from(["lost", "end", "forget"]), _names),
        st.tuples(st.just("end others"), st.none() | _names, st.booleans()),
        st.tuples(st.just("forget device"), _devices),
        st.tuples(st.just("password"), st.none() | _names),
        st.tuples(st.just("find"), _tokens, st.integers(0, 30)),
        st.tuples(st.just("list"), st.integers(0, 30), st.integers(0, 30)),
        st.tuples(st.just("prune"), st.integers(0, 30), st.integers(0, 30)),
    ),
    max_size=30,
)


class Memory:
    """The tables of the store in memory, with one account."""

    def __init__(self) -> None:
        room_table = RoomTable()
        room_table.begin_start()
        accounts_table = AccountTable(room_table)
        Mailbox(room_table, accounts_table)  # has what else a login returns
        self.devices = DeviceTable(accounts_table)
        self.table = SessionTable(accounts_table, self.devices, room_table)
        self.account = accounts_table.register("Ann", "ann", "hash", None, 1, None)

    def call(self, name: str, *arguments: Any) -> Any:
        calls: dict[str, Callable[..., Any]] = {
            "login": self.table.login,
            "lost": self.table.session_lost,
            "end": self.table.end_session,
            "end others": self.table.end_other_sessions,
            "forget device": self.devices.forget,
            "password": self.table.set_password,
            "find": self.devices.find,
            "list": self.table.sessions,
            "prune": self.table.prune,
        }
        return calls[name](*arguments)


class SQL:
    """The statements of the store on disk, with one account in a database of its own."""

    def __init__(self, db: Any) -> None:
        self.db = db
        for table in ("sessions", "devices", "account_networks", "accounts"):
            db.execute(f"DELETE FROM {table}")
        self.log_writer = LogWriter()
        self.account = accounts.register(db, self.log_writer, "Ann", "ann", "hash", None, 1, None)

    def call(self, name: str, *arguments: Any) -> Any:
        calls: dict[str, Callable[..., Any]] = {
            "login": lambda db, *rest: sessions.login(db, self.log_writer, *rest),
            "lost": session_ends.session_lost,
            "end": session_ends.end_session,
            "end others": session_ends.end_other_sessions,
            "forget device": devices.forget,
            "password": session_ends.set_password,
            "find": devices.find,
            "list": sessions.listed,
            "prune": rooms.prune_sessions,
        }
        return calls[name](self.db, *arguments)


class SessionsMatch(SynchronousTestCase):
    def setUp(self) -> None:
        path = Path(self.mktemp())
        path.mkdir()
        create_empty(path / "gtchat.sqlite")
        self.db = connect(path / "gtchat.sqlite", "rw")
        self.addCleanup(self.db.close)

    @settings(max_examples=example_count(300), deadline=None)
    @given(_calls)
    def test_random_calls(self, calls: list[tuple[Any, ...]]) -> None:
        memory, sql = Memory(), SQL(self.db)
        for at, (name, *details) in enumerate(calls, 1):
            results = []
            for store in (memory, sql):
                arguments = self.arguments(store.account, at, name, details)
                try:
                    results.append(self.comparable(store.account, store.call(*arguments)))
                except ChatError as error:
                    results.append(type(error))
            self.assertEqual(results[0], results[1], (at, name, details))
            lists = [
                self.comparable(store.account, store.call("list", store.account, 0, 0))
                for store in (memory, sql)
            ]
            self.assertEqual(lists[0], lists[1], (at, name, details))

    def arguments(self, account: int, at: int, name: str, details: list[Any]) -> list[Any]:
        """Return the call of a store that a step stands for."""
        if name == "login":
            token, device, replaces, protocol, limits, marks_read, refuses = details
            if device is not None and device.token_hash is not None:
                device = attrs.evolve(device, token_hash=bytes([at]) * 32)
            return [
                name,
                account,
                "hash",
                NewSession(
                    token,
                    at,
                    "192.0.2.1",
                    (EndedSession(account, token, {}),),
                    marks_read,
                    protocol,
                    "192.0.2.1",
                    (),
                    device,
                    replaces,
                    limits,
                    refuses,
                ),
            ]
        if name in ("lost", "end", "forget"):
            ended = EndedSession(account, details[0], {})
            return [
                name.replace("forget", "end"),
                ended,
                at,
                *([name == "forget"] if name != "lost" else []),
            ]
        if name == "end others":
            return [name, account, details[0], (), at if details[1] else None]
        if name == "password":
            return [name, account, "hash", "hash", details[0], (), bytes([at]) * 32]
        return [name, *([account] if name in ("forget device", "list") else []), *details]

    def comparable(self, account: int, result: Any) -> Any:
        """Return a result without the id of the account, which differs between the stores."""
        if hasattr(result, "ended"):
            return result.ended
        if isinstance(result, tuple) and len(result) == 2 and hasattr(result[0], "name"):
            return result[0].name, result[1]
        return list(result) if isinstance(result, list | tuple) else result
