"""The record of calls and of people: one SQLite file, reached through SQLAlchemy, laid out by alembic."""
