"""What the command line prints: JSON documents, tables, progress and errors.

Only data goes to standard output. With a terminal there, tables are drawn; without one they are plain
aligned columns, which tools like awk can read. Progress and errors go to standard error.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from winesilo.api import OnProgress

MEBIBYTE = 1 << 20


def print_json(document: Any) -> None:
    """Print one JSON document and nothing else."""
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table: drawn on a terminal, aligned columns elsewhere.

    Args:
        columns: the headings.
        rows: as many cells each as there are headings.
    """
    if sys.stdout.isatty():
        from rich import box
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table = Table(*columns, box=box.SIMPLE_HEAD, pad_edge=False)
        for row in rows:
            table.add_row(*(Text(cell) for cell in row))
        Console().print(table)
        return
    widths = [max(len(row[i]) for row in [columns, *rows]) for i in range(len(columns))]
    for row in [columns, *rows]:
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        sys.stdout.write(line.rstrip() + "\n")


def print_fields(fields: Sequence[tuple[str, str]]) -> None:
    """Print ``name: value`` lines, the values aligned."""
    width = max(len(name) for name, _ in fields) + 1
    for name, value in fields:
        sys.stdout.write(f"{name + ':':<{width}} {value}\n")


def printable(name: str) -> str:
    """A name on one line, whatever a program put into it."""
    return "".join(letter if letter.isprintable() else f"\\u{ord(letter):04x}" for letter in name)


def print_error(message: str, hint: str | None = None) -> None:
    """Print ``silo: what failed`` and, where there is one, a line with the fix."""
    sys.stderr.write(f"silo: {message}\n")
    if hint:
        sys.stderr.write(f"{hint}\n")
    sys.stderr.flush()


@contextlib.contextmanager
def progress(*, plain: bool = False) -> Iterator[OnProgress]:
    """Show what a long call does, on standard error.

    Args:
        plain: without a terminal, print each new step on a line of its own (else nothing is shown there).

    Yields:
        A function to pass as ``on_progress``.
    """
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.markup import escape

        with Console(stderr=True).status("...") as status:
            yield lambda text, done: status.update(escape(text + percentage(done)))
        return
    last = ""

    def lines(text: str, _done: float | None) -> None:
        nonlocal last
        if plain and text != last:
            sys.stderr.write(f"{text}\n")
            sys.stderr.flush()
        last = text

    yield lines


def percentage(done: float | None) -> str:
    """`` (42 %)`` for 0.42, nothing where the share is unknown."""
    return "" if done is None else f" ({done:.0%})".replace("%", " %")


def size(count: int | None) -> str:
    """Bytes in the largest fitting binary unit; ``-`` for unknown."""
    if count is None:
        return "-"
    if count >= 1 << 30:
        return f"{count / (1 << 30):.1f} GiB"
    if count >= MEBIBYTE:
        return f"{count / MEBIBYTE:.1f} MiB"
    return f"{count / 1024:.0f} KiB"


def moment(value: str | None) -> str:
    """An ISO time as local date and time; ``-`` for none."""
    if not value:
        return "-"
    return datetime.fromisoformat(value).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def text_or_dash(value: object) -> str:
    """The value as text; ``-`` for nothing."""
    return "-" if value is None or value == "" else str(value)
