"""Two programs beside each other: microbench.exe in a silo, and the same on the host without the interposer.

Both are asked for a few milliseconds of one operation in turns, on one core and one wineserver, and each
pair of answers is a ratio. What else the machine does only ever makes an answer later, so the median is
that of the ratios of the quicker half of all pairs: those that were disturbed least.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import statistics
import subprocess
import tempfile
from collections.abc import Iterator
from typing import IO

from hostside import HostSide

from winesilo import Host

PROGRAM = r"C:\microbench.exe"
#: How long one side is measured at a time: long beside the switch from one to the other, short beside the
#: time in which the machine changes (a time slice of another program's is a few milliseconds).
SLICE_NS = 2_000_000
#: How often the slices of a row are taken again while it is not clear on which side of the limit it lies.
REPEATS = 4


def spawn(
    host: Host,
    silo: str,
    *words: str,
    on_host: bool,
    stdin: int = subprocess.DEVNULL,
    stdout: int | IO[bytes] = subprocess.DEVNULL,
) -> subprocess.Popen[bytes]:
    """Start microbench.exe in a silo or, without the interposer, in the base."""
    argv = [PROGRAM, *words]
    if on_host:
        return HostSide(host, silo).popen(argv, stdin, stdout)
    return host.silo(silo).popen(argv, stdin=stdin, stdout=stdout, stderr=None)


def run(host: Host, silo: str, *words: str, on_host: bool) -> str:
    """What microbench.exe prints."""
    with tempfile.TemporaryFile() as output:
        code = spawn(host, silo, *words, on_host=on_host, stdout=output).wait()
        output.seek(0)
        text = output.read().decode()
    if code:
        raise SystemExit(f"microbench.exe {' '.join(words)} ended with {code}: {text}")
    return text


class Side:
    """One of the two programs, waiting for orders."""

    def __init__(self, program: subprocess.Popen[bytes]) -> None:
        if program.stdin is None or program.stdout is None:
            raise ValueError("a program without pipes")
        self.program, self.stdin, self.stdout = program, program.stdin, program.stdout
        self.answer()

    def answer(self) -> str:
        """The next line that it prints."""
        line = self.stdout.readline().decode().strip()
        if not line:
            raise SystemExit(f"microbench.exe ended with {self.program.wait()}")
        return line

    def ask(self, row: str, count: int) -> float:
        """The nanoseconds of one operation, from so many."""
        self.stdin.write(f"{row} {count}\n".encode())
        self.stdin.flush()
        return float(self.answer())

    def end(self) -> None:
        """No more orders: it ends by itself."""
        self.stdin.close()
        self.program.wait()


@dataclasses.dataclass(frozen=True)
class Measured:
    """A row: the medians of both sides in nanoseconds, and of the ratios, with where it lies by 19 in 20."""

    silo_ns: float
    host_ns: float
    ratio: float
    low: float
    high: float


def quicker_half(pairs: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Those that took less time together."""
    return sorted(pairs, key=sum)[: (len(pairs) + 1) // 2]


def median_of(ratios: list[float]) -> tuple[float, float, float]:
    """The median, and between which values of the sample that of all possible ones lies (binomial, 95 %)."""
    ordered = sorted(ratios)
    n = len(ordered)
    reach = 0.98 * math.sqrt(n)
    low, high = math.floor(n / 2 - reach), math.ceil(n / 2 + reach)
    return statistics.median(ordered), ordered[max(low, 0)], ordered[min(high, n - 1)]


class Pair:
    """Both sides."""

    def __init__(self, silo: Side, host: Side) -> None:
        self.silo, self.host = silo, host

    def measure(self, row: str, slices: int, limit: float) -> Measured:
        """Ask both in turns for a row, again while the limit lies within what is known of the ratio."""
        for side in (self.silo, self.host):  # sets it up, and warms up
            side.ask(row, 3)
        count = max(1, round(SLICE_NS / self.host.ask(row, 10)))
        pairs: list[tuple[float, float]] = []
        for _ in range(REPEATS):
            for turn in range(slices):
                if turn % 2:
                    silo_ns, host_ns = self.silo.ask(row, count), self.host.ask(row, count)
                else:
                    host_ns, silo_ns = self.host.ask(row, count), self.silo.ask(row, count)
                pairs.append((silo_ns, host_ns))
            best = quicker_half(pairs)
            ratio, low, high = median_of([a / b for a, b in best])
            if not low <= limit <= high:
                break
        silo_ns, host_ns = (statistics.median(side) for side in zip(*best, strict=True))
        return Measured(silo_ns, host_ns, ratio, low, high)


@contextlib.contextmanager
def pair(host: Host, silo: str) -> Iterator[Pair]:
    """Both programs run within; the silo's and the host's C: have microbench.exe."""
    sides: list[Side] = []
    try:
        for on_host in (False, True):
            program = spawn(
                host,
                silo,
                "serve",
                "host" if on_host else "silo",
                on_host=on_host,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
            sides.append(Side(program))
        yield Pair(*sides)
    finally:
        for side in sides:
            side.end()


def rows(host: Host, silo: str) -> list[tuple[str, str]]:
    """The kinds and names of microbench.exe's rows."""
    lines = run(host, silo, "rows", on_host=False).splitlines()
    return [(kind, name) for kind, _, name in (line.partition("\t") for line in lines)]
