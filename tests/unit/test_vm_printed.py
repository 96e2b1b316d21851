"""Reading what services printed."""

from __future__ import annotations

from pathlib import Path

import pytest

from winesilo.vm import printed

LINE = "2026-01-02T03:04:05.678Z\tOne/Other one\tsays:\tthis"


def test_lines() -> None:
    assert printed.parse(LINE) == {
        "time": "2026-01-02T03:04:05.678+00:00",
        "services": ["One", "Other one"],
        "text": "says:\tthis",
    }
    for other in ("0024:err:module", "", LINE.replace("\t", " "), LINE[1:]):
        assert printed.parse(other) == {"time": None, "services": [], "text": other}
    assert printed.parse("2026-01-02T03:04:05.678Z\t\t")["services"] == []


@pytest.mark.parametrize("block", [1, 7, 65536])
def test_the_last_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(printed, "_BLOCK", block)
    log = tmp_path / "services.log"
    assert printed.last(log, None, 10) == []
    log.write_text(f"{LINE}\nraw\n\n{LINE.replace('One', 'Third')} ä\nunended", encoding="utf-8")
    texts = [row["text"] for row in printed.last(log, None, 10)]
    assert texts == ["says:\tthis", "raw", "says:\tthis ä", "unended"]
    assert [row["text"] for row in printed.last(log, None, 2)] == texts[-2:]
    assert [row["services"] for row in printed.last(log, "other ONE", 10)] == [
        ["One", "Other one"],
        ["Third", "Other one"],
    ]
    assert printed.last(log, "none", 10) == []
    assert printed.tail(log, 2) == "Third, Other one: says:\tthis ä\nunended"
