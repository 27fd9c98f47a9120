"""The store in memory, for tests and trials: everything is lost when the process ends.

`gtchat.store.MemoryStore` is its entry.
"""
