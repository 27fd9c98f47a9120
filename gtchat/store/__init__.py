"""Two stores behind `gtchat.chat.interfaces.IStore`, and what else is done to a database.

`SQLStore` keeps everything in a database (an SQLite file, or one of PostgreSQL) and acknowledges
nothing that is not on disk; that of `memory` keeps it until the process ends. The rules of the chat
are not here, except for what follows from a room's log. `backup`, `export` and
`verify` may be called while a server runs, `reindex`, `begin_epoch`, `restore`, `import_chat` and
`vacuum_file` only while none does.
"""

from gtchat.store.sql.backup import backup
from gtchat.store.sql.database import (
    StoreAhead,
    StoreDamaged,
    StoreError,
    StoreTooNew,
    StoreUnavailable,
    StoreUnprepared,
)
from gtchat.store.sql.export import export
from gtchat.store.sql.offline import begin_epoch, reindex
from gtchat.store.sql.restore import import_chat, restore, verify_copy
from gtchat.store.sql.store import SQLStore
from gtchat.store.sql.vacuum import vacuum_file
from gtchat.store.sql.verify import verify

__all__ = [
    "SQLStore",
    "StoreAhead",
    "StoreDamaged",
    "StoreError",
    "StoreTooNew",
    "StoreUnavailable",
    "StoreUnprepared",
    "backup",
    "begin_epoch",
    "export",
    "import_chat",
    "reindex",
    "restore",
    "vacuum_file",
    "verify",
    "verify_copy",
]
