"""The tables of names and of system calls: docs/namespaces.md has what the C library is built from."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import namespaces

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts" / "namespaces.py"


def test_page_is_up_to_date() -> None:
    done = subprocess.run([sys.executable, SCRIPT, "--check"], check=False)
    assert done.returncode == 0, "run: scripts/namespaces.py"


def test_every_row_has_a_class_and_a_reason() -> None:
    rows = namespaces.names("NAME") + namespaces.names("NOTE")
    source = (namespaces.SOURCE / "names.def").read_text(encoding="utf-8")
    assert len(rows) == source.count("\nNAME(") + source.count("\nNOTE(") > 40
    assert len({path for _, path, _ in rows}) == len(rows)
    for kind, path, reason in rows:
        assert kind in ("private", "shared", "merged", "catalogue")
        assert path.startswith("\\")
        assert reason


def test_every_rule_has_a_class_and_a_reason() -> None:
    rows = namespaces.rules()
    source = (namespaces.SOURCE / "rules.def").read_text(encoding="utf-8")
    assert len(rows) == source.count("\nRULE(") > 20
    for kind, what, reason in rows:
        assert kind in ("private", "shared", "refused")
        assert what
        assert reason


def test_every_call_has_one_place() -> None:
    calls = namespaces.hooked() + [name for names in namespaces.unhooked().values() for name in names]
    twice = {name for name in calls if calls.count(name) > 1}
    assert not twice, "take hooked calls out of unhooked.def, then run: scripts/namespaces.py"
    assert len(calls) > 230
