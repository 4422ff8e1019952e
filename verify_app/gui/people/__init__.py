"""The page that lists the enrolled people."""
