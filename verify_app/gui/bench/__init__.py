"""The page for people who want to see how comparing works."""
