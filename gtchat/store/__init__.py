"""Two stores behind `gtchat.chat.interfaces.IStore`; `backup` and `reindex` of a database.

`SQLStore` keeps everything in a database (an SQLite file, or one of PostgreSQL) and acknowledges
nothing that is not on disk;
`MemoryStore` keeps it in memory until the process ends. The rules of the chat are not here, except
for what follows from a room's log.
"""

from gtchat.store.memory.store import MemoryStore
from gtchat.store.sql.backup import backup
from gtchat.store.sql.database import StoreError, StoreUnavailable
from gtchat.store.sql.reindex import reindex
from gtchat.store.sql.store import SQLStore

__all__ = ["MemoryStore", "SQLStore", "StoreError", "StoreUnavailable", "backup", "reindex"]
