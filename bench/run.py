"""Measurements, as ratios within one run.

Boot, memory and disk: a silo against a Wine prefix of its own.  Single calls: a silo against the host,
that is the same program in the base prefix, on the same wineserver, without the interposer.

    make bench                          everything, 9 rounds
    .venv/bin/python bench/run.py --rounds 21 boot memory calls

Each figure is the median of at least five rounds; the two sides take turns, so that both see the
same machine.  A host of its own is made in a temporary folder and removed at the end.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import math
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import services
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from winesilo import Host
    from winesilo.demo.prefix import PlainPrefix

HERE = Path(__file__).resolve().parent
MICROBENCH = HERE.parent / "build" / "bench" / "microbench.exe"
MIN_ROUNDS = 5
KIB, MIB = 1024, 1024 * 1024

#: what is measured: (row, upper limit of the ratio or of the figure)
BOOT_LIMIT = 0.4
PSS_LIMIT = 0.4
DISK_LIMIT = 1 * MIB
CALL_LIMIT = 1.25
MEAN_LIMIT = 1.10
#: No call of these is redirected; what they cost more is overlayfs (docs/design/files.md). Not in the mean.
OVERLAY_ROWS = ("file_write_read", "file_rename", "file_attributes", "folder_list")
OVERLAY_LIMIT = 2.0
LIST_LIMIT = 1.3
HIVE_LIMIT = 100_000


class Results:
    """Rows of the table that is printed at the end."""

    def __init__(self) -> None:
        self.table = Table(
            "measure",
            "silo",
            "other side",
            "ratio",
            "limit",
            "",
            title="silo ÷ prefix of its own (boot, memory, disk); silo ÷ host (calls)",
        )
        self.missed = 0

    def add(self, name: str, silo: str, prefix: str, ratio: float, limit: float) -> None:
        """A row whose ratio has a limit."""
        good = ratio <= limit
        self.missed += not good
        self.table.add_row(name, silo, prefix, f"{ratio:.3f}", f"≤ {limit:g}", "ok" if good else "missed")


def boot(host: Host, prefix: PlainPrefix, rounds: int, results: Results) -> None:
    """Create and start a silo until SCM and RpcSs answer; cold start of a ready prefix to the same state."""
    silo_s: list[float] = []
    prefix_s: list[float] = []
    for number in range(rounds):
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


def memory(host: Host, prefix: PlainPrefix, rounds: int, results: Results) -> None:
    """PSS of an idle silo (SCM, RpcSs) and of a prefix's support processes; private disk of a new silo."""
    silo_pss: list[float] = []
    prefix_pss: list[float] = []
    disk: list[float] = []
    for number in range(rounds):
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


def calls(host: Host, prefix: PlainPrefix, rounds: int, results: Results) -> None:
    """Single calls, timed inside Windows by microbench.exe, in a silo and on the host."""
    del prefix
    silo_ns: Times = {}
    host_ns: Times = {}
    with one_core(host), host.create("calls") as silo:
        silo.copy_in(MICROBENCH, r"C:\microbench.exe")
        shutil.copy(MICROBENCH, host.base / "drive_c")
        sides = [(silo_ns, False), (host_ns, True)]
        for number in range(rounds):
            for into, on_host in sides if number % 2 else reversed(sides):
                for line in _microbench(host, silo.name, on_host=on_host).splitlines():
                    name, _, ns = line.partition("\t")
                    into.setdefault(name, []).append(float(ns))
    ratios = []
    for name, values in silo_ns.items():
        a, b = statistics.median(values), statistics.median(host_ns[name])
        overlay = name in OVERLAY_ROWS
        if not overlay:
            ratios.append(a / b)
        limit = OVERLAY_LIMIT if overlay else CALL_LIMIT
        results.add(name.replace("_", " "), f"{a / 1000:.1f} µs", f"{b / 1000:.1f} µs", a / b, limit)
    mean = math.exp(statistics.fmean(math.log(ratio) for ratio in ratios))
    results.add("geometric mean of the calls", "", "", mean, MEAN_LIMIT)


Times = dict[str, list[float]]


def _microbench(host: Host, silo: str, *words: str, on_host: bool) -> str:
    """What microbench.exe prints, run like a silo's program or, without the interposer, in the base."""
    from winesilo.daemon.client import Client  # noqa: PLC0415
    from winesilo.host import enter  # noqa: PLC0415

    reply, fds = Client(host.name).call_with_fds(
        "silo.exec", {"name": silo, "argv": [r"C:\microbench.exe", *(words or ("5",))]}
    )
    spec = enter.ExecSpec.from_reply(reply)
    if on_host:
        env = {key: value for key, value in spec.env.items() if key not in {"LD_PRELOAD", "WINESILO_CONFIG"}}
        spec = dataclasses.replace(
            spec, env=env | {"WINEPREFIX": str(host.base)}, cwd=str(host.base / "drive_c")
        )
    with tempfile.TemporaryFile() as output:
        program = enter.spawn(spec, fds[0], subprocess.DEVNULL, output, subprocess.DEVNULL)
        code = program.wait()
        output.seek(0)
        text = output.read().decode()
    if code:
        raise SystemExit(f"microbench.exe ended with {code}: {text}")
    return text


def registry(host: Host, prefix: PlainPrefix, rounds: int, results: Results) -> None:
    """Listing a key that is half the silo's and half the base's; the memory of a silo's registry."""
    del prefix
    with one_core(host), host.create("lists") as silo:
        silo.copy_in(MICROBENCH, r"C:\microbench.exe")
        shutil.copy(MICROBENCH, host.base / "drive_c")
        for which, on_host in (("whole", True), ("half", True), ("rest", False)):
            _microbench(host, silo.name, "keys", which, on_host=on_host)
        times: dict[bool, list[float]] = {True: [], False: []}
        for _ in range(rounds):
            for which, on_host in (("whole", True), ("half", False)):
                text = _microbench(host, silo.name, "list", which, on_host=on_host)
                times[on_host].append(float(text.split()[1]))
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
        silo.copy_in(MICROBENCH, r"C:\microbench.exe")
        silo.run([r"C:\microbench.exe", "change", "0"])
    before = _wineserver_bytes(host)
    sets = range(1, 11)
    for silo in silos:
        for number in sets:
            silo.run([r"C:\microbench.exe", "change", str(number)])
    grown = (_wineserver_bytes(host) - before) / len(silos) / len(sets)
    results.add("wineserver, 10 changed keys", f"{grown / 1000:.1f} KB", "", grown / HIVE_LIMIT, 1.0)
    for silo in silos:
        silo.remove(force=True)
    with host.create("hive") as silo:
        silo.copy_in(MICROBENCH, r"C:\microbench.exe")
        silo.run([r"C:\microbench.exe", "change", "1"])
        silo.stop()
        directory = silo.info().directory
        if directory is None:
            raise SystemExit("the silo has no directory")
        shutil.copy(Path(directory) / "registry.hive", host.base / "drive_c" / "bench.hive")
        silo.start()
        before, copies = _wineserver_bytes(host), 50
        _microbench(host, silo.name, "load", r"C:\bench.hive", str(copies), on_host=True)
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


@contextlib.contextmanager
def private_host(console: Console) -> Iterator[Host]:
    """A host in a temporary folder; nothing of it is left."""
    folder = Path(tempfile.mkdtemp(prefix="winesilo-bench-"))
    (folder / "run").mkdir(mode=0o700)
    os.environ["XDG_DATA_HOME"] = str(folder)
    os.environ["XDG_RUNTIME_DIR"] = str(folder / "run")
    from winesilo import Host  # noqa: PLC0415 - reads the variables set above

    host = Host()
    try:
        with console.status("making a base"):
            host.init()
            host.start()
        yield host
    finally:
        host.stop(force=True)
        shutil.rmtree(folder)


def main() -> int:
    """Run the parts that were asked for and print the table; 1 if a limit was missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=9, help=f"at least {MIN_ROUNDS}")
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="default: all")
    arguments = parser.parse_args()
    if arguments.rounds < MIN_ROUNDS:
        parser.error(f"--rounds: at least {MIN_ROUNDS}")
    subprocess.run(["make", "-s", "-C", str(HERE / "guest")], check=True)
    console = Console(stderr=True)
    results = Results()
    with private_host(console) as host:
        from winesilo.demo.prefix import PlainPrefix  # noqa: PLC0415

        with PlainPrefix() as prefix:
            with console.status("making a Wine prefix to compare with"):
                prefix.create()
            for name in arguments.parts or PARTS:
                with console.status(f"measuring: {name}, {arguments.rounds} rounds"):
                    PARTS[name](host, prefix, arguments.rounds, results)
                prefix.stop()
    Console(width=110).print(results.table)
    return 1 if results.missed else 0


if __name__ == "__main__":
    sys.exit(main())
