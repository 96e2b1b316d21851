"""The entry point of ``silo``, and ``python -m winesilo.cli``."""

from __future__ import annotations

import signal
from typing import NoReturn

# While the program loads there is nothing to clean up: Ctrl-C ends it at once, without a traceback.
signal.signal(signal.SIGINT, signal.SIG_DFL)


def run() -> NoReturn:
    """Load the program and run it."""
    from winesilo.cli.main import run as run_main

    run_main()


if __name__ == "__main__":
    run()
