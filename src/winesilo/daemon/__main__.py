"""``python -m winesilo.daemon HOST``: become a host's daemon.

Standard output gets JSON lines for whoever starts us: ``{"ready": true}`` when the control socket
listens, or ``{"error": ...}``.  Then it is closed.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import resource
import signal
import sys
from typing import IO, Any

from winesilo.errors import WinesiloError, to_wire
from winesilo.host import nsinit
from winesilo.host.base import load_info, lock
from winesilo.host.files import os_errors
from winesilo.host.paths import HostPaths


def main(argv: list[str]) -> int:
    """Lock the host, enter namespaces, serve."""
    paths = HostPaths.of(argv[0])
    level = logging.DEBUG if os.environ.get("WINESILO_DEBUG") else logging.INFO
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        with contextlib.ExitStack() as stack, os_errors("start the host"):
            load_info(paths)
            stack.enter_context(lock(paths))
            paths.make_runtime()
            user_namespace = nsinit.enter()
            child = os.fork()
            if child == 0:
                nsinit.run_as_init(lambda: serve(paths, user_namespace))
            stack.pop_all()  # the lock is the child's now: closing our copy keeps it
    except WinesiloError as error:
        report({"error": to_wire(error)})
        return 1
    return 0


def serve(paths: HostPaths, user_namespace: bool) -> int:
    """The daemon proper, child of the namespace's first process."""
    # here, so that the namespace's first process, our parent, does not carry all of it
    from winesilo.daemon.server import Server  # noqa: PLC0415

    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    os.umask(0o022)
    # Each silo's folders are held open (vm/listings.py); Wine's own programs raise their limit, too.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    try:
        with os_errors("start the host"):
            server = Server(paths, user_namespace, log_file())
    except WinesiloError as error:
        report({"error": to_wire(error)})
        return 1
    return server.run(lambda: report({"ready": True}))


def log_file() -> IO[Any]:
    """Standard error, which whoever starts us pointed at the host's log."""
    return sys.stderr


def report(message: dict[str, Any]) -> None:
    """Tell the starter, and close the line to it."""
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.close(null)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
