"""What stops a store from opening."""

from __future__ import annotations


class StoreError(Exception):
    """A store can't be opened or copied; the text is one line that says what to do."""
