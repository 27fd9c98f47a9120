"""The ways in: one module for each protocol, on what `outbox` shares among them."""
