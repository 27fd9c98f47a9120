"""Empty databases for tests that are not about their creation.

To create one takes a twentieth of a second of a core: each process does it once and copies the
file.
"""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
from pathlib import Path


@functools.cache
def _template() -> Path:
    """Create the database that is copied; it is deleted when the process ends.

    SQLAlchemy is imported here: clients in processes of their own import this module too.
    """
    from gtchat.store.sql.opening import prepare

    folder = tempfile.mkdtemp(prefix="gtchat-template-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = Path(folder, "gtchat.sqlite")
    prepare(path)
    return path


def create_empty(path: Path) -> None:
    """Create a database as `prepare` does: the same bytes, the same mode."""
    shutil.copy(_template(), path)
