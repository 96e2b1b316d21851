"""Wine's own programs for processes, inside a silo: they find and end the silo's processes only."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from helpers import TemporarySilo

from winesilo.api import PIPE
from winesilo.host import wine

Guest = Callable[[str], Path]
DEADLINE_S = 20.0
IMAGE = "jobs.exe"


@pytest.fixture
def pair(
    new_silo: Callable[..., TemporarySilo], guest: Guest
) -> Iterator[tuple[TemporarySilo, TemporarySilo]]:
    """Two silos, in each of which `jobs parent` and its child wait to be ended."""
    silos = (new_silo(), new_silo())
    with contextlib.ExitStack() as waiting:
        for silo in silos:
            silo.silo.copy_in(guest("jobs"), "C:\\")
            program = waiting.enter_context(silo.silo.popen([rf"C:\{IMAGE}", "parent"], stdout=PIPE))
            waiting.callback(program.terminate)
            assert program.stdout is not None
            assert program.stdout.readline().startswith(b"child ")
        yield silos


def waiting(silo: TemporarySilo) -> dict[int, int]:
    """Process and parent ids of the programs that wait."""
    return {process.pid: process.ppid for process in silo.silo.ps() if process.name == IMAGE}


def test_taskkill(pair: tuple[TemporarySilo, TemporarySilo]) -> None:
    one, other = pair
    inside, outside = waiting(one), waiting(other)
    assert len(inside) == len(outside) == 2
    child = next(pid for pid, parent in inside.items() if parent in inside)
    for foreign in outside:
        assert one.silo.run(["taskkill", "/f", "/pid", str(foreign)]).returncode != 0
    one.run("taskkill", "/f", "/pid", str(child))
    assert set(waiting(one)) == set(inside) - {child}
    one.run("taskkill", "/f", "/im", IMAGE)
    assert not waiting(one)
    assert one.silo.run(["taskkill", "/f", "/im", IMAGE]).returncode != 0
    assert waiting(other) == outside


def test_tree_and_list(pair: tuple[TemporarySilo, TemporarySilo]) -> None:
    """Wine 8.0's tasklist is a stub, and its taskkill has no /t."""
    one, other = pair
    inside, outside = waiting(one), waiting(other)
    root = next(pid for pid, parent in inside.items() if parent not in inside)
    listed = [line.split() for line in one.run("tasklist").splitlines()]
    ended = one.silo.run(["taskkill", "/f", "/t", "/pid", str(root)]).returncode
    if wine.find().version < (10, 0):
        assert not listed
        assert ended != 0
        assert waiting(one) == inside
    else:
        assert {int(words[1]) for words in listed if words and words[0] == IMAGE} == set(inside)
        assert sum(words[0] == "services.exe" for words in listed if words) == 1
        assert ended == 0
        assert not waiting(one)
    assert waiting(other) == outside
