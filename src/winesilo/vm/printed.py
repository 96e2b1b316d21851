"""What the services of a silo printed: its ``services.log``, which its SCM writes (src/guest/scm/output.c).

A line is a time (UTC, ISO 8601), the names of the services of the process that printed it, parted by
slashes, and the text, parted by tabs.  Lines of another form are Wine's own.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Final

_LINE: Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3})Z\t([^\t]*)\t(.*)")
_BLOCK: Final = 65536


def last(path: Path, service: str | None, lines: int) -> list[dict[str, Any]]:
    """The last lines of a log, as rows of :class:`winesilo.models.Printed`; none if there is no such file.

    Args:
        path: the file.
        service: only what processes of this service printed, and what the SCM said of it.
        lines: how many at most.
    """
    wanted = None if service is None else service.lower()
    rows = (parse(line) for line in _backwards(path))
    found = (row for row in rows if wanted is None or wanted in (name.lower() for name in row["services"]))
    return list(islice(found, lines))[::-1]


def parse(line: str) -> dict[str, Any]:
    """A line of the log as a row."""
    match = _LINE.fullmatch(line)
    if match is None:
        return {"time": None, "services": [], "text": line}
    time, services, text = match.groups()
    return {"time": f"{time}+00:00", "services": [name for name in services.split("/") if name], "text": text}


def tail(path: Path, lines: int) -> str:
    """The last lines for people; empty if there is no such file."""
    rows = last(path, None, lines)
    return "\n".join(": ".join(filter(None, (", ".join(row["services"]), row["text"]))) for row in rows)


def _backwards(path: Path) -> Iterator[str]:
    """The lines of a file, the last one first."""
    try:
        with path.open("rb") as stream:
            at, begun = stream.seek(0, os.SEEK_END), b""
            while at:
                size = min(at, _BLOCK)
                at -= size
                stream.seek(at)
                begun, *whole = (stream.read(size) + begun).split(b"\n")
                for line in reversed(whole):
                    if line:
                        yield line.decode("utf-8", "replace")
            if begun:
                yield begun.decode("utf-8", "replace")
    except OSError:
        return
