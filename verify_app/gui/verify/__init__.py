"""The page that verifies a claim."""
