"""The store in memory, for tests and trials: everything is lost when the process ends.

`store.MemoryStore` is its entry; a server with another store does not load it.
"""
