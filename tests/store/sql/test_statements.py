"""Statements: what they are in SQL, for SQLite and for PostgreSQL, and inserts in bulk."""

from __future__ import annotations

import gc
import inspect
import pkgutil
import re
import sqlite3
from contextlib import closing
from importlib import import_module
from typing import Any
from unittest.mock import Mock

from sqlalchemy import Column, Integer, MetaData, Table, Text, select
from sqlalchemy.dialects import postgresql
from twisted.trial.unittest import SynchronousTestCase

import gtchat.store.sql
from gtchat.chat.events import ENTRY_TYPES
from gtchat.store.sql import history
from gtchat.store.sql.database import PostgresSQL
from gtchat.store.sql.statements import BulkInsert, Lookup, Statement, insert

#: Words that PostgreSQL does not know, or where the two databases differ.
SQLITE_ONLY = re.compile(r"\b(rowid|INDEXED BY|sqlite_\w+|LIMIT -1|json_\w+|OR (IGNORE|REPLACE))\b")


def modules() -> list[Any]:
    """Return the modules of the store, without its migrations."""
    return [
        import_module(found.name)
        for found in pkgutil.iter_modules(gtchat.store.sql.__path__, "gtchat.store.sql.")
        if not found.ispkg
    ]


def statements() -> list[Statement | BulkInsert | Lookup]:
    """Return all statements of the store, wherever its modules keep them."""
    modules()
    gc.collect()  # those of other tests
    for kinds in ({"speak"}, {"kicked", "removed"}, {"speak", "kicked"}, set(ENTRY_TYPES)):
        for backwards in (False, True):
            history._entries_statement(frozenset(kinds), backwards)
    return [each for each in gc.get_objects() if type(each) in (Statement, BulkInsert, Lookup)]


class PortableTests(SynchronousTestCase):
    def test_every_statement_is_understood_by_postgresql(self) -> None:
        dialect = postgresql.dialect()
        found = statements()
        self.assertGreater(len(found), 80)
        for each in found:
            compiled = each.clause.compile(dialect=dialect, column_keys=each.columns)
            self.assertIsNone(SQLITE_ONLY.search(str(compiled)), str(compiled))

    def test_statements_are_the_same_but_for_hints_of_sqlite(self) -> None:
        hinted = {
            sql
            for each in statements()
            if isinstance(each, Statement)
            for sql in [each.sql]
            if SQLITE_ONLY.search(sql.replace("LIMIT -1 OFFSET", "OFFSET"))
        }
        self.assertTrue(hinted)
        for sql in hinted:
            self.assertEqual(set(SQLITE_ONLY.findall(sql)), {("INDEXED BY", "")}, sql)

    def test_an_upsert_is_the_same_clause_in_both_databases(self) -> None:
        upserts = [each for each in statements() if "ON CONFLICT" in str(each.clause)]
        self.assertGreater(len(upserts), 6)
        for each in upserts:
            compiled = each.clause.compile(dialect=postgresql.dialect(), column_keys=each.columns)
            self.assertIn("ON CONFLICT", str(compiled))

    def test_only_statements_and_what_makes_tables_import_a_dialect(self) -> None:
        importing = {
            module.__name__
            for module in modules()
            if "sqlalchemy.dialects" in inspect.getsource(module)
        }
        allowed = ("statements", "opening", "postgres_schema")
        self.assertEqual(importing, {f"gtchat.store.sql.{name}" for name in allowed})

    def test_every_statement_can_be_compiled_for_both_databases(self) -> None:
        for each in statements():
            self.assertTrue(each._sqlite)
            self.assertTrue(each._postgres)

    def test_a_statement_is_not_compiled_before_it_is_executed(self) -> None:
        table = Table("pairs", MetaData(), Column("a", Integer), Column("b", Integer))
        query = select(table.c.a)
        for each in (
            Statement(query),
            BulkInsert(insert(table), ["a", "b"]),
            Lookup(query, table.c.b),
        ):
            self.assertFalse({"_sqlite", "_postgres"} & vars(each).keys())


class BulkInsertTests(SynchronousTestCase):
    def setUp(self) -> None:
        columns = (Column("n", Integer), Column("a", Integer), Column("b", Integer))
        self.table = Table("pairs", MetaData(), *columns)
        self.insert = BulkInsert(insert(self.table), ["a", "b"])
        self.db = sqlite3.connect(":memory:")
        self.addCleanup(self.db.close)
        self.db.execute("CREATE TABLE pairs (n, a PRIMARY KEY, b)")

    def test_columns_in_another_order_than_those_of_the_table_are_an_error(self) -> None:
        wrong = BulkInsert(insert(self.table), ["b", "a"])
        for db in (self.db, Mock(PostgresSQL)):
            self.assertRaises(ValueError, wrong, db, [1, 2])

    def rows(self) -> list[tuple[int, int]]:
        return self.db.execute("SELECT a, b FROM pairs ORDER BY rowid").fetchall()

    def test_any_number_of_rows_is_inserted_in_order(self) -> None:
        for count in (0, 1, 7, 128, 300):
            self.db.execute("DELETE FROM pairs")
            self.insert(self.db, list(range(2 * count)))
            self.assertEqual(self.rows(), [(2 * n, 2 * n + 1) for n in range(count)])

    def test_few_rows_are_one_statement(self) -> None:
        executed: list[str] = []
        for rows, statements in ((1, 1), (11, 1), (31, 1), (32, 1), (33, 2), (95, 2), (300, 4)):
            self.db.execute("DELETE FROM pairs")
            self.db.set_trace_callback(executed.append)
            self.insert(self.db, list(range(2 * rows)))
            self.db.set_trace_callback(None)
            inserts = [sql for sql in executed if sql.startswith("INSERT")]
            self.assertEqual((rows, len(inserts)), (rows, statements))
            executed.clear()

    def test_columns_that_are_not_named_are_empty(self) -> None:
        self.insert(self.db, [1, 2])
        self.assertEqual(self.db.execute("SELECT n, a, b FROM pairs").fetchall(), [(None, 1, 2)])

    def test_an_incomplete_row_is_an_error_and_nothing_is_inserted(self) -> None:
        for values in ([1], [1, 2, 3], list(range(257))):
            error = self.assertRaises(ValueError, self.insert, self.db, values)
            self.assertIn("not whole rows of 2 columns", str(error))
        self.assertEqual(self.rows(), [])

    def test_rows_that_are_there_are_changed_where_the_statement_says_so(self) -> None:
        new = insert(self.table)
        upsert = BulkInsert(
            new.on_conflict_do_update(index_elements=["a"], set_={"b": new.excluded.b}), ["a", "b"]
        )
        for count in (3, 200):
            upsert(self.db, [value for n in range(count) for value in (n, n + count)])
            self.assertEqual(self.rows(), [(n, n + count) for n in range(count)])


class LookupTests(SynchronousTestCase):
    def test_any_number_of_values_is_looked_up(self) -> None:
        table = Table("names", MetaData(), Column("name", Text), Column("n", Integer))
        lookup = Lookup(select(table.c.n), table.c.name)
        with closing(sqlite3.connect(":memory:")) as db:
            db.execute("CREATE TABLE names (name PRIMARY KEY, n)")
            db.executemany("INSERT INTO names VALUES (?, ?)", [(f"n{n}", n) for n in range(600)])
            for count in (0, 1, 2, 4, 5, 64, 65, 256, 257, 600):
                found = lookup(db, [f"n{n}" for n in range(count)])
                self.assertEqual(sorted(n for (n,) in found), list(range(count)))
            self.assertEqual(list(lookup(db, ["none", "n7"])), [(7,)])
