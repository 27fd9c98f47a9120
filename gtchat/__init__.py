"""GTChat: a chat server with many ways in. `docs/architecture.md` has the plan of the house."""

__version__ = "0.1.0"
