"""Alembic's way in: the connection is the opener's, and so is the one transaction."""

from alembic import context

from gtchat.store.sql.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
)
context.run_migrations()
