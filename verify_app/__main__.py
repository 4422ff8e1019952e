"""``python -m verify_app``: the shell tool."""

from verify_app.cli.main import main

main()
