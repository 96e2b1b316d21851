"""Run something as the main process of a pid and mount namespace of its own.

The first process of the namespace reaps orphans and ends when the main process ends; the kernel
then kills everything else in it and drops its mounts.  So whichever of the processes is killed,
nothing outlives it.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import NoReturn

from winesilo.errors import NamespaceError
from winesilo.host import namespaces as ns

log = logging.getLogger(__name__)

_PROC_HINT = (
    "this usually means a container whose /proc is masked: allow it to mount proc"
    " (docker: --security-opt systempaths=unconfined, podman: --security-opt unmask=ALL)"
)


def enter() -> bool:
    """Leave for new mount and pid namespaces, and a user namespace if that is needed.

    Must be called while the process has one thread.  The calling process itself stays in its pid
    namespace; its next child is process 1 of the new one.

    Returns:
        True when a user namespace was needed.

    Raises:
        NamespaceError: with what to enable.
    """
    try:
        ns.Unshare(ns.CLONE_NEWNS | ns.CLONE_NEWPID).execute()
    except NamespaceError as error:
        if error.details.get("errno") != errno.EPERM:
            raise
    else:
        ns.MakePrivate().execute()
        return False
    uid, gid = os.getuid(), os.getgid()
    ns.Unshare(ns.CLONE_NEWUSER | ns.CLONE_NEWNS | ns.CLONE_NEWPID).execute()
    ns.MapIds(uid, gid).execute()
    ns.MakePrivate().execute()
    return True


def run_as_init(main: Callable[[], int]) -> NoReturn:
    """Called in the first child after :func:`enter`: be process 1, run ``main`` in a child, never return.

    Args:
        main: its result becomes the exit code; it runs with a fresh /proc.
    """
    code = 1
    try:
        proc = ns.Mount(
            "proc", Path("/proc"), "proc", ns.MS_NOSUID | ns.MS_NODEV | ns.MS_NOEXEC, hint=_PROC_HINT
        )
        proc.execute()
        child = os.fork()
        code = main() if child == 0 else _reap(child)
    except Exception:
        log.exception("the namespace's main process failed")
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _reap(child: int) -> int:
    """Forward termination signals to ``child``, reap everything, return the child's exit code."""

    def forward(number: int, _frame: FrameType | None) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, number)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, forward)
    while True:
        pid, status = os.wait()
        if pid == child:
            return os.waitstatus_to_exitcode(status) & 0xFF
