"""Alembic's entry: run the steps on the connection, and in the transaction, that `Database.open` holds."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
