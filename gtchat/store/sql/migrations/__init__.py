"""Alembic's revisions of the schema, which `opening.prepare` runs at start."""
