"""Training objectives compared on one protocol: plan, runs, report."""
