"""Measurements, as ratios within one run.

Boot, memory and disk: a silo against a Wine prefix of its own.  Single calls: a silo against the host,
that is the same program in the base prefix, on the same wineserver, without the interposer.

    make bench                                         everything
    make bench BENCH_ARGS='--rounds 21 boot memory calls'
    make -s bench BENCH_ARGS="calls --only 'key_|value_' --json"
    make bench BENCH_ARGS="--rounds 5 services --only nginx"

Each figure is a median; the two sides take turns, so that both see the same machine (calls: sides.py).
A row is over its limit if its median is, by more than the noise; the exit code is 1 if one is, or if a part
could not be measured.  A host of its own is made in a temporary folder and removed at the end.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import math
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import services
import sides
from hostside import private_host
from rich.console import Console
from rich.table import Table

from winesilo import Host
from winesilo.demo.prefix import PlainPrefix
from winesilo.errors import WinesiloError

HERE = Path(__file__).resolve().parent
MICROBENCH = HERE.parent / "build" / "bench" / "microbench.exe"
MIN_ROUNDS = 5
KIB, MIB = 1024, 1024 * 1024

#: what is measured: (row, upper limit of the ratio or of the figure)
BOOT_LIMIT = 0.4
PSS_LIMIT = 0.4
DISK_LIMIT = 1 * MIB
#: per kind of row (bench/guest/bench.h)
LIMITS = {"hooked": 1.10, "overlay": 1.10, "plain": 1.05}
MEANS = (
    (("hooked",), "hooked calls"),
    (("hooked", "overlay"), "with files"),
    (("plain",), "calls that need no redirection"),
)
MEAN_LIMIT = 1.03
LIST_LIMIT = 1.3
HIVE_LIMIT = 100_000
#: Slices of a row of single calls per round.
SLICES = 10


@dataclasses.dataclass(frozen=True)
class Options:
    """What the command line says."""

    rounds: int
    only: re.Pattern[str]


@dataclasses.dataclass(frozen=True)
class Row:
    """A line of the table."""

    kind: str
    name: str
    silo: str
    other: str
    ratio: float
    limit: float
    #: what lies between is the ratio by 19 in 20; None: not known
    spread: tuple[float, float] | None

    @property
    def verdict(self) -> str:
        """Is it within its limit? On a busy machine that may stay unclear."""
        if self.ratio <= self.limit:
            return "ok"
        return "unclear" if self.spread and self.spread[0] <= self.limit else "over"


class Results:
    """Rows of what is printed at the end."""

    def __init__(self) -> None:
        self.rows: list[Row] = []

    def add(
        self,
        name: str,
        silo: str,
        other: str,
        ratio: float,
        limit: float,
        spread: tuple[float, float] | None = None,
        kind: str = "",
    ) -> None:
        """A row whose ratio has a limit."""
        self.rows.append(Row(kind, name, silo, other, ratio, limit, spread))

    @property
    def over(self) -> int:
        """How many rows are over their limits."""
        return sum(row.verdict == "over" for row in self.rows)

    def table(self) -> Table:
        """For people."""
        title = "silo ÷ prefix of its own (boot, memory, disk); silo ÷ host (calls, services)"
        table = Table("kind", "measure", "silo", "other side", "ratio", "19 in 20", "limit", "", title=title)
        for row in self.rows:
            spread = f"{row.spread[0]:.3f}-{row.spread[1]:.3f}" if row.spread else ""
            figures = (row.silo, row.other, f"{row.ratio:.3f}", spread, f"≤ {row.limit:g}")
            table.add_row(row.kind, row.name, *figures, row.verdict)
        return table

    def json(self) -> str:
        """For programs."""
        rows = [dataclasses.asdict(row) | {"verdict": row.verdict} for row in self.rows]
        return json.dumps({"rows": rows, "over": self.over}, indent=2, ensure_ascii=False)


def boot(host: Host, prefix: PlainPrefix, options: Options, results: Results) -> None:
    """Create and start a silo until SCM and RpcSs answer; cold start of a ready prefix to the same state."""
    silo_s: list[float] = []
    prefix_s: list[float] = []
    for number in range(options.rounds):
        begin = time.monotonic()
        silo = host.create(f"boot{number}")
        silo.start()
        silo_s.append(time.monotonic() - begin)
        silo.remove(force=True)
        prefix.stop()
        prefix.boot()
        prefix_s.append(prefix.boot_s)
    a, b = statistics.median(silo_s), statistics.median(prefix_s)
    results.add("create + start ÷ prefix", f"{a:.3f} s", f"{b:.3f} s", a / b, BOOT_LIMIT)


def memory(host: Host, prefix: PlainPrefix, options: Options, results: Results) -> None:
    """PSS of an idle silo (SCM, RpcSs) and of a prefix's support processes; private disk of a new silo."""
    silo_pss: list[float] = []
    prefix_pss: list[float] = []
    disk: list[float] = []
    for number in range(options.rounds):
        prefix.stop()
        prefix.boot()
        with host.create(f"memory{number}") as silo:  # started, and removed at the end
            info = silo.info()
            silo_pss.append(info.memory_pss_bytes or 0)
            disk.append(info.private_bytes or 0)
            prefix_pss.append(prefix.pss())
    a, b, d = (statistics.median(values) for values in (silo_pss, prefix_pss, disk))
    results.add("memory (PSS), idle ÷ prefix", f"{a / MIB:.1f} MiB", f"{b / MIB:.1f} MiB", a / b, PSS_LIMIT)
    results.add(
        "private disk, new (MiB)",
        f"{d / KIB:.0f} KiB",
        f"{prefix.disk() / MIB:.0f} MiB",
        d / MIB,
        DISK_LIMIT / MIB,
    )


@contextlib.contextmanager
def one_core(host: Host) -> Iterator[None]:
    """Everything that is started within, Wine included, runs on one core.

    A call goes to the wineserver and back; on two cores most of its time is that of waking the other
    one, four times as long when it sleeps, which hides what is to be measured.
    """
    cores = os.sched_getaffinity(0)
    host.stop(force=True)
    os.sched_setaffinity(0, {max(cores)})
    try:
        host.start()
        yield
    finally:
        os.sched_setaffinity(0, cores)


def calls(host: Host, prefix: PlainPrefix, options: Options, results: Results) -> None:
    """Single calls, timed inside Windows by microbench.exe, in a silo and on the host in turns."""
    del prefix
    ratios: dict[str, list[float]] = {}
    with one_core(host), host.create("calls") as silo:
        silo.copy_in(MICROBENCH, sides.PROGRAM)
        shutil.copy(MICROBENCH, host.base / "drive_c")
        sides.run(host, silo.name, "hives", "prepare", on_host=True)
        with sides.pair(host, silo.name) as pair:
            for kind, name in sides.rows(host, silo.name):
                if not options.only.search(name):
                    continue
                limit = LIMITS[kind]
                m = pair.measure(name, options.rounds * SLICES, limit)
                ratios.setdefault(kind, []).append(m.ratio)
                silo_us, host_us = (f"{ns / 1000:.2f} µs" for ns in (m.silo_ns, m.host_ns))
                results.add(name, silo_us, host_us, m.ratio, limit, (m.low, m.high), kind)
    for kinds, title in MEANS:
        values = [math.log(ratio) for kind in kinds for ratio in ratios.get(kind, [])]
        if values:
            mean = math.exp(statistics.fmean(values))
            results.add(f"geometric mean, {title}", "", "", mean, MEAN_LIMIT, kind="mean")


def registry(host: Host, prefix: PlainPrefix, options: Options, results: Results) -> None:
    """Listing a key that is half the silo's and half the base's; the memory of a silo's registry."""
    del prefix
    with one_core(host), host.create("lists") as silo:
        silo.copy_in(MICROBENCH, sides.PROGRAM)
        shutil.copy(MICROBENCH, host.base / "drive_c")
        for which, on_host in (("whole", True), ("half", True), ("rest", False)):
            sides.run(host, silo.name, "hives", "keys", which, on_host=on_host)
        times: dict[bool, list[float]] = {True: [], False: []}
        for _ in range(options.rounds):
            for which, on_host in (("whole", True), ("half", False)):
                times[on_host].append(
                    float(sides.run(host, silo.name, "hives", "list", which, on_host=on_host))
                )
    a, b = statistics.median(times[False]), statistics.median(times[True])
    results.add(
        "list 1,000 subkeys, 500 private", f"{a / 1e6:.2f} ms", f"{b / 1e6:.2f} ms", a / b, LIST_LIMIT
    )
    _hives(host, results)


def _hives(host: Host, results: Results) -> None:
    """The wineserver's own memory: what changed keys add in running silos, and what the hive of one takes."""
    silos = [host.create(f"hive{number}") for number in range(4)]
    for silo in silos:
        silo.start()
        silo.copy_in(MICROBENCH, sides.PROGRAM)
        silo.run([sides.PROGRAM, "hives", "change", "0"])
    before = _wineserver_bytes(host)
    sets = range(1, 11)
    for silo in silos:
        for number in sets:
            silo.run([sides.PROGRAM, "hives", "change", str(number)])
    grown = (_wineserver_bytes(host) - before) / len(silos) / len(sets)
    results.add("wineserver, 10 changed keys", f"{grown / 1000:.1f} KB", "", grown / HIVE_LIMIT, 1.0)
    for silo in silos:
        silo.remove(force=True)
    with host.create("hive") as silo:
        silo.copy_in(MICROBENCH, sides.PROGRAM)
        silo.run([sides.PROGRAM, "hives", "change", "1"])
        silo.stop()
        directory = silo.info().directory
        if directory is None:
            raise SystemExit("the silo has no directory")
        shutil.copy(Path(directory) / "registry.hive", host.base / "drive_c" / "bench.hive")
        silo.start()
        before, copies = _wineserver_bytes(host), 50
        sides.run(host, silo.name, "hives", "load", r"C:\bench.hive", str(copies), on_host=True)
        whole = (_wineserver_bytes(host) - before) / copies
    results.add("wineserver, all of that hive", f"{whole / 1000:.1f} KB", "", whole / HIVE_LIMIT, 1.0)


def _wineserver_bytes(host: Host) -> int:
    """Its private memory."""
    daemon = host.status().pid
    servers = [
        process
        for process in psutil.Process(daemon).children(recursive=True)
        if process.name().startswith("wineserver")
    ]
    return sum(process.memory_full_info().uss for process in servers)


PARTS = {"boot": boot, "memory": memory, "calls": calls, "registry": registry, "services": services.measure}
#: parts that need a Wine prefix to compare with
AGAINST_PREFIX = ("boot", "memory")


def main() -> int:
    """Run the parts that were asked for and print the table; 1 if something was over its limit."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=9, help=f"at least {MIN_ROUNDS}")
    parser.add_argument("--only", type=re.compile, default=re.compile(""), help="names of calls and services")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="default: all")
    arguments = parser.parse_args()
    if arguments.rounds < MIN_ROUNDS:
        parser.error(f"--rounds: at least {MIN_ROUNDS}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that nothing is left behind
    subprocess.run(["make", "-s", "-C", str(HERE / "guest")], check=True)
    console = Console(stderr=True)
    results, options = Results(), Options(arguments.rounds, arguments.only)
    parts = arguments.parts or list(PARTS)
    failed: list[str] = []
    with private_host("bench", console) as host, PlainPrefix() as prefix:
        if set(parts) & set(AGAINST_PREFIX):
            with console.status("making a Wine prefix to compare with"):
                prefix.create()
        for name in parts:
            with console.status(f"measuring: {name}, {options.rounds} rounds"):
                try:
                    PARTS[name](host, prefix, options, results)
                except WinesiloError as error:  # what was measured before is not lost
                    console.print(f"{name} could not be measured: {error}")
                    failed.append(name)
            prefix.stop()
    if arguments.json:
        print(results.json())
    else:
        Console(width=120).print(results.table())
    return 1 if results.over or failed else 0


if __name__ == "__main__":
    sys.exit(main())
