"""The matrix' page, made of results."""

from __future__ import annotations

from typing import Any

from document import document


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
