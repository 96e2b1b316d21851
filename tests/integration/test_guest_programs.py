"""The Windows test programs: all their checks hold in a silo and in a plain Wine prefix alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from helpers import TemporarySilo

from winesilo.demo.prefix import PlainPrefix
from winesilo.errors import DemoError

PROGRAMS = (
    "objects",
    "devices",
    "names",
    "network",
    "pipes",
    "mailslots",
    "registry",
    "keys",
    "startup",
    "files",
    "filenames",
    "sharing",
    "processes",
    "jobs",
    "debugging",
    "sockets",
    "drivers",
    "windows",
)


@pytest.fixture(scope="module")
def prefix() -> Iterator[PlainPrefix]:
    with PlainPrefix() as prefix:
        prefix.create()
        prefix.boot()
        yield prefix


def failures(output: str) -> list[str]:
    return [line for line in output.splitlines() if line.startswith("not ok ")]


@pytest.mark.parametrize("program", PROGRAMS)
def test_in_silo(silo: TemporarySilo, guest: Callable[[str], Path], program: str) -> None:
    silo.silo.copy_in(guest(program), "C:\\")
    done = silo.silo.run([rf"C:\{program}.exe", "silo"], timeout=120)
    assert failures(done.stdout) == []
    assert done.returncode == 0, done
    assert "done " in done.stdout, done


@pytest.mark.parametrize("program", PROGRAMS)
def test_on_plain_wine(prefix: PlainPrefix, guest: Callable[[str], Path], program: str) -> None:
    """What a program expects of a silo it must find in Wine itself, or the check is wrong."""
    (prefix.drive_c / f"{program}.exe").write_bytes(guest(program).read_bytes())
    try:
        output = prefix.run([rf"C:\{program}.exe", "host"], timeout_s=120)
    except DemoError as error:
        output = error.message
    assert failures(output) == []
    assert "done " in output
