"""Similarities, references, search and the decision."""
