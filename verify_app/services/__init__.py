"""The use cases: enrol, verify, compare, identify … One function each, for the window and the shell alike.

No Qt here. Everything takes an :class:`~verify_app.services.application.Application`, which owns the
settings, the store and the encoders, and raises :class:`~verify_app.reasons.VerifyAppError` alone.
"""
