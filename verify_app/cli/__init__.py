"""The shell tool: one module per command, loaded when that command runs."""
