"""Verify who someone is from a face image or a voice clip."""

__version__ = "0.1.0"
