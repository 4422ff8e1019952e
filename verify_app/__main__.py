"""Where the program starts: ``python -m verify_app``, and the command ``verify-app``."""

# Nothing is imported here but what Python has loaded anyway: from the first line on, Ctrl-C ends quietly.
import os
import sys


def main() -> None:
    """Run the shell tool and leave with its exit code."""
    try:
        from verify_app.cli.main import main as run

        run()
    except KeyboardInterrupt:
        print("verify-app: Cancelled.", file=sys.stderr, flush=True)
        os._exit(130)


if __name__ == "__main__":
    main()
