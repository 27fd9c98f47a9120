"""Two stores behind `gtchat.chat.interfaces.IStore`, and what else is done to a database.

`SQLStore` keeps everything in a database (an SQLite file, or one of PostgreSQL) and acknowledges
nothing that is not on disk; `MemoryStore` keeps it in memory until the process ends. The rules of
the chat are not here, except for what follows from a room's log. `backup` may be called while a
server runs, `reindex` and `begin_epoch` only while none does.
"""

from gtchat.store.memory.store import MemoryStore
from gtchat.store.sql.backup import backup
from gtchat.store.sql.database import StoreError, StoreUnavailable
from gtchat.store.sql.offline import begin_epoch, reindex
from gtchat.store.sql.store import SQLStore

__all__ = [
    "MemoryStore",
    "SQLStore",
    "StoreError",
    "StoreUnavailable",
    "backup",
    "begin_epoch",
    "reindex",
]
