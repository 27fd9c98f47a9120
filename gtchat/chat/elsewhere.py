"""Which accounts are online at other nodes."""

from __future__ import annotations


class Elsewhere:
    """Which accounts are online at other nodes."""
