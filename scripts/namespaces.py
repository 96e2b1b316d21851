#!/usr/bin/env python3
"""Write docs/namespaces.md: the tables of names and of system calls, from the files that the C library uses.

With --check: exit with 1 if the page is not what would be written.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
SOURCE: Final = ROOT / "src" / "interposer"
PAGE: Final = ROOT / "docs" / "namespaces.md"
_TEXT: Final = r'"((?:[^"\\]|\\.)*)"'

HEAD: Final = """\
# Namespaces: what is private, what is shared

Made by `scripts/namespaces.py` from `names.def`, `rules.def`, `syscalls.def` and `unhooked.def` in
`src/interposer`, which the C library is built from; a test compares. How it works:
[design/objects-and-pipes.md](design/objects-and-pipes.md).

## Names of objects

What no row names is private: it lies in the silo's directory, and neither the host nor another silo sees
it. The first row that fits decides. *Shared* is the host's, unless the silo has made an object of that name
itself: that one is its own. *Merged* are directories that both have: a list shows what the silo may see of
the host's entries, and its own. *Catalogue*: the catalogue of drivers and devices says
(`src/winesilo/host/catalogue.toml`, [design/audit.md](design/audit.md)). `*` is any one name, `@` a letter.

"""
NOTES: Final = """
Well-known names, which these rows decide:

"""
RULES: Final = """
## Other rules

What is decided about names that those rows are not for; `silo audit` shows the rule of each name.

| what | | why |
|---|---|---|
"""
CALLS: Final = """
## System calls

Every call that `ntdll.so` exports, on Wine 8.0 and 10.0: hooked, or why it need not be.

| call | |
|---|---|
"""


def strings(text: str) -> list[str]:
    """The C string literals in a text."""
    return [re.sub(r"\\(.)", r"\1", literal) for literal in re.findall(_TEXT, text)]


def names(macro: str) -> list[tuple[str, str, str]]:
    """The rows of names.def that a macro writes: class, path, reason."""
    source = (SOURCE / "names.def").read_text(encoding="utf-8")
    rows = re.findall(rf"^{macro}\((\w+), ({_TEXT}), ({_TEXT})\)$", source, re.MULTILINE)
    return [(row[0].lower(), *strings(row[1]), *strings(row[3])) for row in rows]


def rules() -> list[tuple[str, str, str]]:
    """The rows of rules.def: class, kind of name, reason."""
    source = (SOURCE / "rules.def").read_text(encoding="utf-8")
    rows = re.findall(rf"^RULE\(\w+, (\w+), ({_TEXT}), ({_TEXT})\)$", source, re.MULTILINE)
    return [(row[0].lower(), *strings(row[1]), *strings(row[3])) for row in rows]


def hooked() -> list[str]:
    """The calls of syscalls.def."""
    source = (SOURCE / "syscalls.def").read_text(encoding="utf-8")
    return sorted(re.findall(r"^SYSCALL\(\w+,\s*(Nt\w+)", source, re.MULTILINE))


def unhooked() -> dict[str, list[str]]:
    """The calls of unhooked.def, by reason."""
    source = (SOURCE / "unhooked.def").read_text(encoding="utf-8")
    found = re.findall(rf"^UNHOOKED\(({_TEXT}),\s*([^)]*)\)", source, re.MULTILINE)
    return {strings(row[0])[0]: row[2].split() for row in found}


def table(rows: list[tuple[str, str, str]]) -> str:
    """Rows of names.def as Markdown."""
    lines = [f"| `{path}` | {kind} | {reason} |" for kind, path, reason in rows]
    return "\n".join(["| name | | why |", "|---|---|---|", *lines, ""])


def page() -> str:
    """The whole page."""
    calls = dict.fromkeys(hooked(), "hooked")
    calls |= {name: reason for reason, names in unhooked().items() for name in names}
    rows = "".join(f"| `{name}` | {calls[name]} |\n" for name in sorted(calls))
    others = "".join(f"| {what} | {kind} | {reason} |\n" for kind, what, reason in rules())
    return HEAD + table(names("NAME")) + NOTES + table(names("NOTE")) + RULES + others + CALLS + rows


def main() -> int:
    """Write the page, or compare it."""
    if "--check" in sys.argv[1:]:
        return int(PAGE.read_text(encoding="utf-8") != page())
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
