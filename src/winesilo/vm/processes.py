"""The processes of a running silo, seen from Linux and from Windows."""

from __future__ import annotations

import contextlib
import datetime
import os
import signal
import threading
import time
from collections.abc import Iterable, Set
from pathlib import Path
from typing import Any, Final

from winesilo.errors import SiloError
from winesilo.host import process
from winesilo.host.agent import WindowsProcess
from winesilo.interposer.config import CONFIG_VARIABLE, SharedMemory

_TICKS_1601_TO_1970: Final = 116_444_736_000_000_000
_TICKS_9999: Final = 2_650_467_744_000_000_000
_STOP_POLL_S: Final = 0.002
#: How long a listing waits for processes that have just begun to say which ones they are.
_START_S: Final = 1.0
_START_POLL_S: Final = 0.005


def unix_pids(config: Path, among: Iterable[int] | None = None) -> list[int]:
    """Unix ids of the processes that were started with this configuration.

    Args:
        config: the silo's interposer.conf; its path is unique to the silo.
        among: look only at these.
    """
    return process.with_variable(CONFIG_VARIABLE, str(config), among)


def host_pids() -> list[int]:
    """Unix ids of the processes in our pid namespace that belong to no silo."""
    marker = f"{CONFIG_VARIABLE}=".encode()
    return [pid for pid in process.all_pids() if marker not in process.environment(pid)]


def kill(config: Path, timeout_s: float) -> list[int]:
    """Kill every process of the silo and wait until they are gone.

    Args:
        config: as for :func:`unix_pids`.
        timeout_s: seconds to wait for the kernel.

    Returns:
        Those that could not be ended (stuck in the kernel).
    """
    return process.end_all(lambda: unix_pids(config), 0.0, timeout_s)


def suspend(config: Path, timeout_s: float) -> None:
    """Stop every process of the silo (SIGSTOP) and wait until none runs.

    A process may start another one until it has stopped itself, so it is done when all that are there were
    known to have stopped before they were listed.

    Args:
        config: as for :func:`unix_pids`.
        timeout_s: seconds to wait for the kernel.

    Raises:
        SiloError: some can't be stopped (stuck in the kernel); all go on.
    """
    deadline = time.monotonic() + timeout_s
    stopped: set[int] = set()
    while running := set(unix_pids(config)) - stopped:
        if time.monotonic() > deadline:
            resume(config)
            raise SiloError(f"the processes {sorted(running)} can't be suspended")
        for pid in running:
            _signal(config, pid, signal.SIGSTOP)
        if not (now := _stopped_among(running, stopped)):
            threading.Event().wait(_STOP_POLL_S)  # nothing tells when a process that is no child has stopped
        stopped |= now


def resume(config: Path) -> None:
    """Let every process of the silo go on (SIGCONT)."""
    for pid in unix_pids(config):
        _signal(config, pid, signal.SIGCONT)


def _signal(config: Path, pid: int, number: int) -> None:
    """Send a signal to a process of the silo, never to one that has its id by now."""
    with contextlib.suppress(ProcessLookupError):
        descriptor = os.pidfd_open(pid)
        try:
            if unix_pids(config, [pid]):
                signal.pidfd_send_signal(descriptor, number)
        finally:
            os.close(descriptor)


def _stopped_among(pids: Iterable[int], before: Set[int]) -> set[int]:
    """Those that do not run: stopped, ended, or waiting in vfork for a child that has stopped.

    Args:
        pids: to look at.
        before: those that had stopped when they were looked at last.
    """
    found = {pid: _state(pid) for pid in pids}
    now = {pid for pid, (state, _) in found.items() if state in "TtZX"}
    children = {_state(pid)[1] for pid in now | before}
    return now | {pid for pid, (state, _) in found.items() if state == "D" and pid in children}


def _state(pid: int) -> tuple[str, int]:
    """A process' state (proc(5), stat) and its parent; X and 0 if there is none."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stream:
            state, parent = stream.read().rpartition(")")[2].split()[:2]
    except OSError:
        return "X", 0
    return state, int(parent)


def pss_bytes(pid: int) -> int:
    """Proportional set size of a process; 0 if it has ended."""
    try:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as stream:
            for line in stream:
                if line.startswith("Pss:"):
                    return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        return 0
    return 0


def windows_time_iso(ticks: int) -> str:
    """ISO 8601 of 100 ns since 1601; now for what lies ahead: Wine has not completed the process."""
    seconds = min((ticks - _TICKS_1601_TO_1970) / 10_000_000, time.time())
    return datetime.datetime.fromtimestamp(max(0.0, seconds), datetime.UTC).isoformat(timespec="milliseconds")


def _lookup(shared: SharedMemory, pid: int, deadline: float) -> tuple[int, int] | None:
    while (known := shared.lookup(pid)) is None and shared.is_starting(pid):
        if time.monotonic() > deadline:
            break
        threading.Event().wait(_START_POLL_S)  # nothing tells when it has said so
    return known


def table(rows: Iterable[WindowsProcess], shared: SharedMemory, config: Path) -> list[dict[str, Any]]:
    """Those rows of the host's process list that belong to the silo.

    Args:
        rows: all Windows processes of the host.
        shared: the silo's shared memory, which maps Windows to Unix ids.
        config: the silo's interposer.conf.

    Returns:
        pid, ppid, unix_pid, name, threads, pss_bytes, cpu_s, started for each.
    """
    found: list[dict[str, Any]] = []
    deadline = time.monotonic() + _START_S
    for row in rows:
        if row.created > _TICKS_9999:
            continue  # its parent has just made it, it has not begun: the wineserver has no time for it yet
        known = _lookup(shared, row.pid, deadline)
        if known is None or not unix_pids(config, [known[0]]):
            continue
        found.append(
            {
                "pid": row.pid,
                "ppid": row.ppid,
                "unix_pid": known[0],
                "name": row.name,
                "threads": row.threads,
                "pss_bytes": pss_bytes(known[0]),
                "cpu_s": row.cpu_100ns / 10_000_000,
                "started": windows_time_iso(row.created),
            }
        )
    return found
