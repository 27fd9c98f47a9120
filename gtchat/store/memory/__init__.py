"""The store in memory, for tests and trials: everything is lost when the process ends."""

from gtchat.store.memory.store import MemoryStore

__all__ = ["MemoryStore"]
