"""The page that turns scores into thresholds a careful person can trust."""
