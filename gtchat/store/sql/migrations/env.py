"""Alembic's environment: the caller passes the connection, and owns the one transaction."""

from alembic import context

from gtchat.store.sql.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
)
context.run_migrations()
