"""The page that enrols a person."""
