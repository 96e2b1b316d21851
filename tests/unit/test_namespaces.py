"""The tables of names and of system calls: docs/namespaces.md has what the C library is built from."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import namespaces

#: Processes and threads are opened by id, Wine looks at one key only, and replaces none (a stub): whatever
#: name is in these attributes is not used.
WITHOUT_NAME = {"NtOpenProcess", "NtOpenThread", "NtNotifyChangeMultipleKeys", "NtReplaceKey"}
#: What decides where a name leads, or calls that.
JUDGES = re.compile(
    r"\b(move_(object|file|key|target)|place_find|open_key|create_key|open_transacted|prepare_load)\("
)
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


def test_every_hook_that_is_given_a_name_judges_it() -> None:
    """What judges a name also notes it for the audit; a hook may not hand a name on by itself."""
    text = "".join(path.read_text(encoding="utf-8") for path in namespaces.SOURCE.glob("hook_*.c"))
    rows = re.findall(r"^SYSCALL\(\w+,\s*(Nt\w+),\s*\(([^)]*)\)", syscalls(), re.MULTILINE)
    named = [call for call, parameters in rows if "OBJECT_ATTRIBUTES *attr" in parameters]
    assert len(named) > 40
    for call in named:
        if call in WITHOUT_NAME:
            continue
        macro = re.search(rf"^([A-Z_]+)\({call}\b", text, re.MULTILINE)
        body = re.search(rf"hook_{call}\([^;{{]*\)\n\{{.*?^\}}", text, re.MULTILINE | re.DOTALL)
        assert judges(text, macro[1]) if macro else body and JUDGES.search(body[0]), call


def judges(text: str, macro: str) -> bool:
    """Whether what a macro stands for judges a name, by itself or by another macro."""
    found = re.search(rf"^#define {macro}\([^)]*\)(.*?[^\\])$", text, re.MULTILINE | re.DOTALL)
    assert found, macro
    inner = re.search(r"\b([A-Z]+_CALL)\(", found[1])
    return bool(JUDGES.search(found[1])) or (inner is not None and judges(text, inner[1]))


def syscalls() -> str:
    return (namespaces.SOURCE / "syscalls.def").read_text(encoding="utf-8")


def test_every_call_has_one_place() -> None:
    calls = namespaces.hooked() + [name for names in namespaces.unhooked().values() for name in names]
    twice = {name for name in calls if calls.count(name) > 1}
    assert not twice, "take hooked calls out of unhooked.def, then run: scripts/namespaces.py"
    assert len(calls) > 230
