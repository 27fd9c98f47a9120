"""The store on disk: SQLAlchemy Core statements, one writer thread, a pool of readers."""

from gtchat.store.sql.store import SQLStore

__all__ = ["SQLStore"]
