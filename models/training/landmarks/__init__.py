"""The landmark network: a face roughly in place to its five landmarks."""
