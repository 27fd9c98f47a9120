"""Alembic's revisions of the schema, which `sqlite.prepare` runs at start."""
