"""The store on disk: SQLAlchemy Core statements, one writer thread, a pool of readers.

`gtchat.store.SQLStore` is its entry. Nothing is imported here: the modules of this package import
each other through it.
"""
