"""Windows test programs that are asked something, or that hold something for others to look at."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from helpers import TemporarySilo

from winesilo.api import PIPE

Guest = Callable[[str], Path]
READY_DEADLINE_S = 30.0


@contextlib.contextmanager
def holding(silo: TemporarySilo, guest: Guest, program: str, *words: str) -> Iterator[list[str]]:
    """Run a program that makes something and waits; yields the lines it printed before it was ready."""
    silo.silo.copy_in(guest(program), "C:\\")
    with silo.silo.popen([rf"C:\{program}.exe", *words], stdin=PIPE, stdout=PIPE) as holder:
        assert holder.stdout is not None
        lines: list[str] = []
        watchdog = threading.Timer(READY_DEADLINE_S, holder.terminate)
        watchdog.start()
        try:
            while not lines or lines[-1] != "ready":
                line = holder.stdout.readline().decode()
                assert line, f"{program} ended before it was ready, after {lines}"
                lines.append(line.strip())
            yield lines
        finally:
            watchdog.cancel()
            holder.terminate()


def ask(silo: TemporarySilo, guest: Guest, program: str, *words: str) -> list[str]:
    silo.silo.copy_in(guest(program), "C:\\")
    return silo.run(rf"C:\{program}.exe", *words).splitlines()
