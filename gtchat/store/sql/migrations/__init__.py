"""Alembic's revisions of the schema, run at start from inside the package. No statements here."""
