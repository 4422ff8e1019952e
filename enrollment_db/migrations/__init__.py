"""Numbered SQL files; see :mod:`enrollment_db.migrate`."""
