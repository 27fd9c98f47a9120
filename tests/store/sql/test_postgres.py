"""The store in PostgreSQL: the contract, and what another database adds to it."""

from __future__ import annotations

import os
from contextlib import closing
from itertools import count
from types import ModuleType
from typing import Any, cast

from twisted.internet import reactor
from twisted.trial.unittest import SynchronousTestCase, TestCase

from gtchat.store import SQLStore, StoreError, StoreUnavailable
from gtchat.store.sql import search
from tests import postgres
from tests.store import (
    accounts_contract,
    admin_contract,
    changes_contract,
    contract,
    deletion_contract,
    devices_contract,
    direct_contract,
    export_contract,
    invite_contract,
    kept_contract,
    log_contract,
    mailbox_contract,
    mentions_contract,
    networks_contract,
    preview_contract,
    read_state_contract,
    reports_contract,
    retention_contract,
    rooms_contract,
    search_contract,
    session_contract,
)

if postgres.MISSING is None:
    import psycopg

    from gtchat.store.sql.node_list import list_nodes
    from gtchat.store.sql.postgres import PostgresDatabase

NUMBERS = count(1)
#: Modules with the contract of a store.
CONTRACTS = (
    admin_contract,
    accounts_contract,
    changes_contract,
    contract,
    deletion_contract,
    devices_contract,
    direct_contract,
    export_contract,
    invite_contract,
    kept_contract,
    log_contract,
    mailbox_contract,
    mentions_contract,
    networks_contract,
    preview_contract,
    read_state_contract,
    reports_contract,
    retention_contract,
    rooms_contract,
    search_contract,
    session_contract,
)


#: Tests that write so much that they take seconds here; they run if TESTS_POSTGRES is set.
LONG = {
    "test_a_page_counts_the_names_in_reactions",
    "test_any_text_is_found_as_a_plain_search_finds_it",
    "test_a_preview_is_what_the_entries_alone_say",
}
LEFT_OUT = set() if os.environ.get("TESTS_POSTGRES") else LONG


class InPostgres:
    if postgres.MISSING:
        skip = postgres.MISSING

    def open_store(self) -> SQLStore:
        self.database = postgres.QuickDatabase()
        return SQLStore(self.database, reactor)

    async def index(self) -> None:
        await self.store.index_now()  # type: ignore[attr-defined]

    def delete_entries(self, room_id: int, count: int) -> None:
        """Delete the oldest entries of a log."""
        for sql in (
            f"UPDATE heads SET first = first + {count} WHERE room_id = {room_id}",
            f"DELETE FROM entries WHERE room_id = {room_id} AND seq <"
            " (SELECT first FROM heads WHERE heads.room_id = entries.room_id)",
        ):
            self.database.execute(sql)


def _shortened(part: type) -> type:
    """Return a part of the contract without the tests that are left out."""
    if not LEFT_OUT & vars(part).keys():
        return part
    return type(
        part.__name__,
        part.__bases__,
        {name: value for name, value in vars(part).items() if name not in LEFT_OUT},
    )


def _tests_of(module: ModuleType) -> dict[str, type[TestCase]]:
    """Return a class of tests in PostgreSQL for each contract that a module defines."""
    return {
        f"{name.removesuffix('Contract')}Tests": type(
            f"{name.removesuffix('Contract')}Tests",
            (InPostgres, _shortened(part), TestCase),
            {"__module__": __name__},
        )
        for name, part in vars(module).items()
        if name.endswith("Contract") and part.__module__ == module.__name__
    }


for _module in CONTRACTS:
    globals().update(_tests_of(_module))


class WindowTests(InPostgres, search_contract.SearchPagesContract, TestCase):
    """Searches that look at few messages at a time."""

    def setUp(self) -> None:
        self.patch(search, "POSTGRES_WINDOW", 2)
        self.patch(search, "GROWTH", 1)
        super().setUp()


class SchemaTests(SynchronousTestCase):
    """What a database has to be."""

    if postgres.MISSING:
        skip = postgres.MISSING

    def refused(self, change: str, options: str = "") -> str:
        """Change an empty database; return why it is refused then."""
        name = f"refused{next(NUMBERS)}"
        postgres.server().execute(f"CREATE DATABASE {name} {options}")
        if change:
            PostgresDatabase(postgres.server().url(name)).prepare()
            postgres.server().execute(change, name)
        database = PostgresDatabase(postgres.server().url(name))
        error = self.assertRaises(StoreError, database.prepare)
        self.assertNotIsInstance(error, StoreUnavailable)
        self.assertNotIn("\n", str(error))
        return str(error)

    def test_text_is_compared_by_code_points_whatever_the_locale_is(self) -> None:
        with psycopg.connect(postgres.create_empty()) as db:
            found = db.execute(
                "SELECT table_name, column_name FROM information_schema.columns"
                " WHERE table_schema = 'public' AND data_type = 'text'"
                " AND collation_name IS DISTINCT FROM 'C'"
            ).fetchall()
            columns = db.execute(
                "SELECT count(*) FROM information_schema.columns WHERE collation_name = 'C'"
            ).fetchone()
        self.assertEqual(found, [])
        assert columns is not None
        self.assertGreater(columns[0], 20)

    def test_an_encoding_that_has_not_all_letters(self) -> None:
        text = self.refused("", "ENCODING 'SQL_ASCII' TEMPLATE template0")
        self.assertIn("create one with UTF8", text)

    def test_a_database_that_does_not_answer(self) -> None:
        database = PostgresDatabase("postgresql://ann:sesame@127.0.0.1:1/chat")
        error = self.assertRaises(StoreUnavailable, database.prepare)
        self.assertIn("The PostgreSQL database chat at 127.0.0.1 can't be used", str(error))
        self.assertNotIn("sesame", str(error))

    def test_a_standby_that_takes_no_writes_yet(self) -> None:  # H44
        url = f"{postgres.create_empty()}&options=-c%20default_transaction_read_only%3Don"
        database = PostgresDatabase(url)
        database.prepare()  # reads only: its tables are there
        with self.assertRaises(database.errors) as raised:
            database.open_writer()
        error = database.refused(raised.exception)
        self.assertIsInstance(error, StoreUnavailable)
        self.assertIn("read-only transaction", str(error))

    def test_settings_of_the_database_do_not_count(self) -> None:
        url = postgres.create_empty()
        name = url.split("/")[3].split("?")[0]
        for setting in (
            "datestyle = 'German'",
            "timezone = 'Asia/Kolkata'",
            "intervalstyle = 'sql_standard'",
            "extra_float_digits = -10",
            "idle_session_timeout = '1s'",
            "statement_timeout = '1ms'",
            "synchronous_commit = off",
            "default_transaction_isolation = 'serializable'",
        ):
            postgres.server().execute(f"ALTER DATABASE {name} SET {setting}")
        database = PostgresDatabase(url)
        names = ("idle_session_timeout", "synchronous_commit", "transaction_isolation")
        with closing(database.open_writer()) as db:
            self.assertEqual([each.id for each in list_nodes(database)], [database.node_id])
            found = [db.execute(f"SHOW {each}").fetchone()[0] for each in names]
            database.leave(db)
        self.assertEqual(found, ["0", "on", "read committed"])

    def test_what_each_connection_may_take(self) -> None:
        database = PostgresDatabase(postgres.create_empty())
        names = (
            "statement_timeout",
            "lock_timeout",
            "idle_in_transaction_session_timeout",
            "default_transaction_read_only",
        )
        for connect, expected in (
            (database.open_writer, ["10s", "5s", "1s", "off"]),
            (database.open_expiry, ["10s", "5s", "1s", "off"]),
            (database.open_reader, ["5s", "0", "10s", "on"]),
            (database.open_searcher, ["2s", "0", "10s", "on"]),
            (database.open_heartbeat, ["1s", "0", "0", "off"]),
        ):
            with closing(connect()) as db:
                found = [db.execute(f"SHOW {name}").fetchone()[0] for name in names]
                self.assertEqual(found, expected, connect)
                parameters = cast(Any, db).info.get_parameters()
                self.assertEqual(parameters["tcp_user_timeout"], "3000")

    def test_an_address_of_several_servers_leads_to_the_one_that_takes_writes(self) -> None:
        folder = postgres.server().folder
        url = postgres.create_empty().replace(f"host={folder}", f"host=/none,{folder}")
        database = PostgresDatabase(f"{url}&target_session_attrs=read-write")
        for connect in (database.open_writer, database.open_reader, database.open_searcher):
            connect().close()

    def test_settings_of_the_address_come_last(self) -> None:
        url = f"{postgres.create_empty()}&options=-c%20statement_timeout%3D7s&application_name=x"
        with closing(PostgresDatabase(url).open_writer()) as db:
            found = [
                db.execute(f"SHOW {name}").fetchone()[0]
                for name in ("statement_timeout", "application_name", "lock_timeout")
            ]
        self.assertEqual(found, ["7s", "x", "5s"])
