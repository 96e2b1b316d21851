"""The processes of a running silo, seen from Linux and from Windows."""

from __future__ import annotations

import datetime
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from winesilo.host import process
from winesilo.host.agent import WindowsProcess
from winesilo.interposer.config import CONFIG_VARIABLE, SharedMemory

_TICKS_1601_TO_1970: Final = 116_444_736_000_000_000
_KILL_ROUNDS: Final = 20


def unix_pids(config: Path, among: Iterable[int] | None = None) -> list[int]:
    """Unix ids of the processes that were started with this configuration.

    Args:
        config: the silo's interposer.conf; its path is unique to the silo.
        among: look only at these.
    """
    wanted = f"{CONFIG_VARIABLE}={config}\0".encode()
    if among is None:
        among = (int(name) for name in os.listdir("/proc") if name.isdigit())
    return [pid for pid in among if wanted in _environment(pid)]


def host_pids() -> list[int]:
    """Unix ids of the processes in our pid namespace that belong to no silo."""
    marker = f"{CONFIG_VARIABLE}=".encode()
    pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    return [pid for pid in pids if marker not in _environment(pid)]


def _environment(pid: int) -> bytes:
    try:
        with open(f"/proc/{pid}/environ", "rb") as stream:
            data = stream.read()
    except OSError:
        return b""
    return data if data.endswith(b"\0") else data + b"\0"


def kill(config: Path, timeout_s: float) -> list[int]:
    """Kill every process of the silo and wait until they are gone.

    Args:
        config: as for :func:`unix_pids`.
        timeout_s: seconds to wait for the kernel.

    Returns:
        Those that could not be ended (stuck in the kernel).
    """
    deadline = time.monotonic() + timeout_s
    left: list[int] = []
    for _ in range(_KILL_ROUNDS):  # a process may have started another one meanwhile
        pids = unix_pids(config)
        if not pids:
            return []
        process.kill_all(pids)
        left = process.wait_gone(pids, max(0.0, deadline - time.monotonic()))
        if left:
            break
    return left


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
    for row in rows:
        known = shared.lookup(row.pid)
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
