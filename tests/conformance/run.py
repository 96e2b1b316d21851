"""Wine's own conformance tests, in a silo and on the host; says where the silo does worse.

    make conformance                                      on the machine's Wine
    make conformance CONFORMANCE_ARGS="--only ntdll,kernel32/file"
    make conformance-wine10                               on Wine 10, in a Debian 13 tree

docs/conformance.md says how it works and how to read its result.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path

from compare import Verdict, judge, lines_wanted, worse_than
from hostside import private_place
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from sides import Prefix, Side, Silos, prepare_base
from winetest import REPORT, SUFFIX, Outcome, Unit, list_units

from winesilo.host import files, wine

HERE = Path(__file__).resolve().parent
LIMIT_S = 150.0


@dataclass(slots=True)
class Result:
    """The runs of a unit."""

    unit: Unit
    host: list[Outcome] = field(default_factory=list)
    silo: list[Outcome] = field(default_factory=list)

    @property
    def verdict(self) -> Verdict:
        """What they prove."""
        return judge(self.host, self.silo)

    @property
    def reason(self) -> str:
        """In which way the silo's last bad run is worse; empty if there is none."""
        reasons = [worse_than(outcome, self.host) for outcome in self.silo]
        return next((reason for reason in reversed(reasons) if reason), "")

    @property
    def places(self) -> list[str]:
        """Where the silo fails and the host does not, from the last runs."""
        known = {place.split()[0] for outcome in self.host for place in outcome.places}
        return [place for place in self.silo[-1].places if place.split()[0] not in known]

    def record(self) -> dict[str, object]:
        """For the results file."""
        return {
            "module": self.unit.module,
            "unit": self.unit.name,
            "verdict": self.verdict.value,
            "reason": self.reason,
            "places": self.places if self.reason else [],
            "host": [record(outcome) for outcome in self.host],
            "silo": [record(outcome) for outcome in self.silo],
        }


def record(outcome: Outcome) -> dict[str, object]:
    """For the results file: the number of lines instead of all of them."""
    reached = None if outcome.reached is None else len(outcome.reached)
    return asdict(outcome) | {"reached": reached, "expected": len(outcome.expected)}


class Runner:
    """Runs units on both sides and keeps what they wrote."""

    def __init__(self, host: Side, silo: Side, logs: Path, limit_s: float) -> None:
        self._sides = (host, silo)
        self._logs = logs
        self._limit_s = limit_s

    def round(self, result: Result, *, together: bool) -> None:
        """Run a unit once more on both sides.

        Args:
            result: gets the outcomes.
            together: both at the same time; else in turns, the first one alternating.
        """
        number = len(result.host) + 1
        env = REPORT if number > 1 and lines_wanted(result.host, result.silo) else {}
        with ThreadPoolExecutor(2 if together else 1) as pool:
            order = self._sides if number % 2 else self._sides[::-1]
            futures = {side.name: pool.submit(self._run, side, result.unit, number, env) for side in order}
            result.host.append(futures["host"].result())
            result.silo.append(futures["silo"].result())

    def _run(self, side: Side, unit: Unit, number: int, env: Mapping[str, str]) -> Outcome:
        log = self._logs / f"{unit.module}.{unit.name}.{side.name}.{number}.log"
        return side.run(unit, self._limit_s, log, env)


@contextlib.contextmanager
def both_sides(programs: Path, console: Console) -> Iterator[tuple[Prefix, Silos]]:
    """A host of our own and a prefix beside it, in a temporary folder; nothing of them is left."""
    with private_place("conformance") as (folder, host):
        with console.status("making a base and a prefix to compare with"):
            host.init()
            prepare_base(host.base, programs)
            prefix = Prefix(host.base, folder / "prefix")
            host.start()
        with prefix:
            yield prefix, Silos(host)


def find_units(prefix: Prefix, programs: Path, patterns: Sequence[str]) -> list[Unit]:
    """The units of all programs that are wanted; the programs are asked once, then it is kept beside them."""
    kept = programs / "units.json"
    if not kept.is_file():
        found = {}
        for program in sorted(programs.glob(f"*{SUFFIX}")):
            found[program.name.removesuffix(SUFFIX)] = list_units(prefix.list_units(program.name))
        kept.write_text(json.dumps(found, indent=1))
    known: dict[str, list[str]] = json.loads(kept.read_text())
    units = [Unit(module, name) for module, names in known.items() for name in names]
    return sorted(unit for unit in units if unit.wanted(patterns))


def run_all(units: Sequence[Unit], runner: Runner, results_file: Path, console: Console) -> list[Result]:
    """Run every unit once, both sides together; then repeat what looks worse until that is decided."""
    results = [Result(unit) for unit in units]
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=len(results))
        for number, result in enumerate(results):
            progress.update(task, description=str(result.unit))
            runner.round(result, together=True)
            _tell(console, result)
            progress.advance(task)
            write_results(results_file, results[: number + 1])
        open_ones = [result for result in results if result.verdict is Verdict.UNDECIDED]
        progress.reset(task, total=len(open_ones))
        for result in open_ones:
            progress.update(task, description=f"again: {result.unit}")
            while result.verdict is Verdict.UNDECIDED:
                runner.round(result, together=False)
            _tell(console, result)
            progress.advance(task)
            write_results(results_file, results)
    return results


def _tell(console: Console, result: Result) -> None:
    host, silo = result.host[-1], result.silo[-1]
    note = "" if result.verdict is Verdict.SAME else f"  {result.verdict.value}: {result.reason}"
    sides = f"host {host} {host.seconds} s, silo {silo} {silo.seconds} s"
    console.print(f"{result.unit}: {sides}{note}")


def write_results(path: Path, results: Sequence[Result]) -> None:
    """The machine-readable results."""
    verdicts = [result.verdict for result in results]
    document = {
        "wine": wine.find().version_text,
        "units": len(results),
        "summary": {verdict.value: verdicts.count(verdict) for verdict in Verdict},
        "results": [result.record() for result in results],
    }
    files.write_atomic(path, json.dumps(document, indent=1).encode(), sync=False)


def table(results: Sequence[Result]) -> Table:
    """A row for each module, and one for each unit that is worse."""
    made = Table("module or unit", "units", "tests", "failed on host", "in silo", "flaky", "shorter", "worse")
    for module in sorted({result.unit.module for result in results}):
        rows = [result for result in results if result.unit.module == module]
        worse = [result for result in rows if result.verdict is Verdict.WORSE]
        made.add_row(
            module,
            str(len(rows)),
            str(sum(row.silo[0].executed for row in rows)),
            str(sum(min(outcome.failures for outcome in row.host) for row in rows)),
            str(sum(min(outcome.failures for outcome in row.silo) for row in rows)),
            *(
                str(sum(row.verdict is verdict for row in rows))
                for verdict in (Verdict.FLAKY, Verdict.SHORTER)
            ),
            str(len(worse)),
            style="red" if worse else None,
        )
        for result in worse:
            sides = [str(runs[-1]) for runs in (result.host, result.silo)]
            made.add_row(f"  {result.unit}", "", "", *sides, "", "", result.reason)
    return made


def main() -> int:
    """Build, run, compare; 1 if a unit is worse."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--only", default="", help="modules or units (patterns, separated by commas)")
    parser.add_argument("--timeout", type=float, default=LIMIT_S, help="seconds for one unit")
    parser.add_argument("--list", action="store_true", help="only print the units")
    arguments = parser.parse_args()
    found = wine.find()
    version = ".".join(str(number) for number in found.version)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that nothing is left behind
    caches = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    cache = caches / "winesilo" / "conformance" / version
    subprocess.run([HERE / "build.sh", cache], check=True)
    out = HERE.parent.parent / "build" / "conformance" / version
    shutil.rmtree(out / "logs", ignore_errors=True)
    (out / "logs").mkdir(parents=True)
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 140)
    begin = time.monotonic()
    with both_sides(cache / "exes", console) as (prefix, silos):
        units = find_units(prefix, cache / "exes", [word for word in arguments.only.split(",") if word])
        if arguments.list:
            console.print("\n".join(map(str, units)))
            return 0
        runner = Runner(prefix, silos, out / "logs", arguments.timeout)
        results = run_all(units, runner, out / "results.json", console)
    worse = [result for result in results if result.verdict is Verdict.WORSE]
    console.print(table(results))
    for result in results:
        if result.verdict is Verdict.SHORTER:
            counts = [outcome.executed for outcome in (result.silo[-1], result.host[-1])]
            console.print(f"shorter {result.unit}: the same checks, {counts[0]} times instead of {counts[1]}")
    for result in worse:
        console.print(f"[red]worse[/] {'; '.join([f'{result.unit}: {result.reason}', *result.places[:12]])}")
    console.print(f"{found.version_text}, {time.monotonic() - begin:.0f} s; all output: {out}")
    console.print(f"conformance: {len(results)} units, {len(worse)} worse")
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main())
