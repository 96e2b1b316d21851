"""docs/services.md, made of the results of ``make matrix`` and ``make matrix-wine10``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["Results", "document"]

#: What a results file holds: ``wine`` and ``rows``, by name: ``title`` and ``trials``, by Windows version.
Results = dict[str, Any]

_HEAD = """\
# Services that run in silos

Made by `make matrix` and `make matrix-wine10` from real runs; don't edit. In each, a service is installed in
two silos of one host by its own installer, started in both at once by the silos' own SCMs, asked by its
client, stopped in one while the other goes on, started again and stopped. For a service that the host has
too, the host's own runs beside them all the time.

- *ok*: all of that. *failed*: see below. *not run*: not with this version yet.
- *stand-in*: a program of winesilo's in place of one of Windows that Wine lacks (services/README.md), not the
  original.
- audit: undeclared rendezvous that `silo audit` finds in both silos while the service runs, the worst of all
  runs. A single one makes the run a failed one.
"""


def document(results: Mapping[str, Results], names: Sequence[str], versions: Sequence[str]) -> str:
    """The page.

    Args:
        results: results files by the version of Wine.
        names: the rows, in their order.
        versions: the Windows versions.
    """
    wines = sorted(results, key=lambda text: [int(part) for part in text.split(".")])
    columns = [(wine, version) for wine in wines for version in versions]
    head = ["service", *(f"Wine {wine} {version}" for wine, version in columns), "audit"]
    lines = [_HEAD, _line(head), _line(["---"] * len(head))]
    remarks: dict[str, list[str]] = {}
    for name in names:
        rows = {wine: results[wine]["rows"].get(name) for wine in wines}
        title = next((row["title"] for row in rows.values() if row), None)
        if title is None:
            continue
        cells = []
        audits = []
        for wine, version in columns:
            trial = (rows[wine] or {"trials": {}})["trials"].get(version)
            cells.append(trial["verdict"] if trial else "not run")
            if trial is None:
                continue
            if trial["audit"] is not None:
                audits.append(trial["audit"])
            for text in dict.fromkeys(map(_common, [*trial["notes"], trial["reason"]])):
                if text:
                    remarks.setdefault(f"{title}: {text}", []).append(f"Wine {wine} {version}")
        lines.append(_line([title, *cells, str(max(audits)) if audits else "not run"]))
    if remarks:
        lines += ["", "## Remarks", *(f"- {text} ({', '.join(where)})" for text, where in remarks.items())]
    return "\n".join(lines) + "\n"


def _common(text: str) -> str:
    """Without what is different each time: the ids of processes, tenths of seconds."""
    return re.sub(r"(process) \d+", r"\1", re.sub(r"(\d+)\.\d+ s", r"\1 s", text))


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"
