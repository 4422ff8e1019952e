"""Batch: whole folders, their results, and people who look at the doubtful ones."""
