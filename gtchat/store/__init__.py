"""Where everything is kept: two stores behind `gtchat.chat.interfaces.IStore`.

`SQLStore` keeps it in an SQLite file and acknowledges nothing that is not on disk; `MemoryStore`
keeps it as long as the process lives. `backup` copies a live database. Rules of the chat are not
here, only what follows from a room's log.
"""

from gtchat.store.memory.store import MemoryStore
from gtchat.store.sql.backup import backup
from gtchat.store.sql.sqlite import StoreError
from gtchat.store.sql.store import SQLStore

__all__ = ["MemoryStore", "SQLStore", "StoreError", "backup"]
