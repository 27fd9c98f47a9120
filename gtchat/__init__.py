"""GTChat: a self-hosted chat server. `docs/architecture.md` describes its layers."""

__version__ = "0.1.0"
