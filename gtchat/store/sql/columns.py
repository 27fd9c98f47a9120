"""Columns that many tables of `schema` have."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Integer

#: The type of ids: 64 bits. SQLite numbers the rows of a table only by a column of the type
#: INTEGER, which has 64 bits there.
ID = BigInteger().with_variant(Integer(), "sqlite")


def account(name: str, nullable: bool = False, is_key: bool = False) -> Column[int]:
    """Return a column that refers to an account; its row is deleted with the account."""
    key = ForeignKey("accounts.id", ondelete="CASCADE")
    return Column(name, ID, key, nullable=nullable, primary_key=is_key, autoincrement=False)


def room() -> Column[int]:
    """Return the column that refers to a room; its row is deleted with the room."""
    return Column("room_id", ID, ForeignKey("rooms.id", ondelete="CASCADE"), nullable=False)
