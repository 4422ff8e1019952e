"""Trials, error rates, intervals and reports: pure functions on arrays."""
