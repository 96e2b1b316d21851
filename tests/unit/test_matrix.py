"""The matrix' page, made of results; what it makes of audits."""

from __future__ import annotations

from typing import Any

import pytest
from document import document
from trial import FIRST_NAMES, Outcome, judge

from winesilo.errors import DemoError
from winesilo.models import Audit


def trial(
    verdict: str = "ok", reason: str = "", notes: tuple[str, ...] = (), audit: int | None = None
) -> Any:
    return {"verdict": verdict, "reason": reason, "notes": list(notes), "audit": audit}


def results(**rows: Any) -> dict[str, Any]:
    return {"wine": "wine", "rows": {name: {"title": name.upper(), "trials": t} for name, t in rows.items()}}


def lines(text: str) -> list[list[str]]:
    rows = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


def test_both_versions_of_wine_in_one_table() -> None:
    page = document(
        {"10.0": results(a={"win7": trial("failed", "no | answer")}), "8.0": results(a={"win7": trial()})},
        ["a", "b"],
        ["win7", "win10"],
    )
    head, _, row = lines(page)
    assert head == [
        "service",
        "Wine 8.0 win7",
        "Wine 8.0 win10",
        "Wine 10.0 win7",
        "Wine 10.0 win10",
        "audit",
    ]
    assert row == ["A", "ok", "not run", "failed", "not run", "not run"]
    assert "- A: no | answer (Wine 10.0 win7)" in page


def test_the_worst_audit_counts() -> None:
    page = document(
        {"8.0": results(a={"win7": trial(audit=0), "win10": trial(audit=2)})}, ["a"], ["win7", "win10"]
    )
    assert lines(page)[-1][-1] == "2"


def test_a_remark_is_made_once() -> None:
    row = {
        "win7": trial(notes=("process 12 was slow: 6.0 s", "process 34 was slow: 6.1 s")),
        "win10": trial(notes=("process 56 was slow: 6.0 s",)),
    }
    page = document({"8.0": results(a=row)}, ["a"], ["win7", "win10"])
    assert page.endswith("## Remarks\n- A: process was slow: 6 s (Wine 8.0 win7, Wine 8.0 win10)\n")


def audit(*undeclared: str, lost: int = 0) -> Audit:
    found: list[Any] = [
        {"kind": "device", "name": name, "class": "undeclared", "seen": ["handles"]} for name in undeclared
    ]
    found.append({"kind": "pipe", "name": "svcctl", "class": "private", "seen": ["record"]})
    counts = {"undeclared": len(undeclared), "private": 1}
    return Audit("a", "", not lost, lost, 0, counts, found)


def test_nothing_undeclared_is_good() -> None:
    outcome = Outcome()
    judge([audit(), audit()], outcome)
    assert (outcome.audit, outcome.undeclared) == (0, [])


def test_undeclared_in_any_silo_is_not() -> None:
    outcome = Outcome()
    names = [f"x{number:02}" for number in range(FIRST_NAMES + 3)]
    with pytest.raises(DemoError, match=r"14 are undeclared: device x00 \(handles\), device x01"):
        judge([audit("x00"), audit(*names)], outcome)
    assert outcome.audit == 14
    assert outcome.undeclared == [f"device {name} (handles)" for name in names[:FIRST_NAMES]]


def test_neither_is_a_record_with_holes() -> None:
    with pytest.raises(DemoError, match="lacks 7 names"):
        judge([audit(), audit(lost=7)], Outcome())
