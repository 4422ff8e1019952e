"""Where the program starts: ``python -m verify_app``, and the command ``verify-app``."""

import os
import sys
from typing import NoReturn


def main() -> NoReturn:
    """Run the shell tool; stopping it while it is still loading is no error either."""
    try:
        from verify_app.cli.main import main as run

        run()
    except KeyboardInterrupt:
        print("verify-app: Cancelled.", file=sys.stderr, flush=True)
        os._exit(130)


if __name__ == "__main__":
    main()
