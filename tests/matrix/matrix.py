"""Real Windows services in two silos at once, each on several Windows versions; writes docs/services.md.

    make matrix                                          on the machine's Wine
    make matrix MATRIX_ARGS="--only nginx,mysql --windows win10"
    make matrix-wine10                                   on Wine 10, in a Debian 13 tree

Results are kept in tests/matrix/results, a file for each version of Wine; a run replaces what it ran again.
The table in docs/services.md is made of all of them.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

from catalogue import CATALOGUE
from document import Results, document
from hostside import HostSide, private_host
from rich.console import Console
from rich.status import Status
from rich.table import Table
from trial import Outcome, run_trial

from winesilo.host import files, wine

REPO = Path(__file__).resolve().parents[2]
WINDOWS = ("win2003", "win7", "win10")


def _show(status: Status, what: str, text: str) -> None:
    status.update(f"{what}: {text}")


def run_all(names: Sequence[str], versions: Sequence[str], console: Console, kept: Path) -> list[Outcome]:
    """Run the trials, one after the other; the results file is written after each."""
    results: Results = json.loads(kept.read_text()) if kept.is_file() else {}
    results["wine"] = wine.find().version_text
    rows = results.setdefault("rows", {})
    outcomes = []
    with private_host("matrix", console) as host, host.create("keeper") as keeper:
        hostside = HostSide(host, keeper.name)
        for name in names:
            entry = CATALOGUE[name]
            for windows in versions:
                begin = time.monotonic()
                with console.status(f"{name} on {windows}") as status:
                    outcome = run_trial(
                        host,
                        hostside,
                        entry,
                        windows,
                        partial(_show, status, f"{name} on {windows}"),
                    )
                outcomes.append(outcome)
                seconds = round(time.monotonic() - begin, 1)
                console.print(f"{name} on {windows}: {outcome.verdict}, {seconds} s {outcome.reason}")
                row = rows.setdefault(name, {"title": entry.make().title, "trials": {}})
                row["trials"][windows] = asdict(outcome) | {"seconds": seconds}
                files.write_atomic(kept, json.dumps(results, indent=1).encode(), sync=False)
    return outcomes


def table(results: Results, versions: Sequence[str]) -> Table:
    """A row for each service, a column for each Windows version."""
    made = Table("service", *versions, "why not", title=results["wine"])
    for row in (results["rows"][name] for name in CATALOGUE if name in results["rows"]):
        trials = row["trials"]
        cells = []
        for version in versions:
            trial = trials.get(version)
            colour = {"ok": "green", "failed": "red"}[trial["verdict"]] if trial else "dim"
            cells.append(f"[{colour}]{trial['verdict'] if trial else 'not run'}[/]")
        reasons = dict.fromkeys(trial["reason"] for trial in trials.values() if trial["reason"])
        made.add_row(row["title"], *cells, "; ".join(reasons))
    return made


def main() -> int:
    """Run what was asked for; 1 if a trial failed."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--only", default=",".join(CATALOGUE), help="rows, separated by commas")
    parser.add_argument("--windows", default=",".join(WINDOWS), help="Windows versions, separated by commas")
    parser.add_argument("--fetch", action="store_true", help="only get the programs into the cache")
    arguments = parser.parse_args()
    names, versions = arguments.only.split(","), arguments.windows.split(",")
    if unknown := set(names) - set(CATALOGUE):
        parser.error(f"no such row: {', '.join(sorted(unknown))}; there are {', '.join(CATALOGUE)}")
    if arguments.fetch:
        for name in names:
            CATALOGUE[name].make().fetch(print)
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that nothing is left behind
    version = ".".join(str(number) for number in wine.find().version)
    folder = REPO / "tests" / "matrix" / "results"
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 140)
    outcomes = run_all(names, versions, console, folder / f"{version}.json")
    results = {file.stem: json.loads(file.read_text()) for file in folder.glob("*.json")}
    console.print(table(results[version], WINDOWS))
    (REPO / "docs" / "services.md").write_text(document(results, list(CATALOGUE), WINDOWS))
    failed = sum(outcome.verdict == "failed" for outcome in outcomes)
    console.print(f"matrix: {len(outcomes)} trials, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
