"""Window stations of two silos and the host: windows, messages, clipboard, hooks, DDE do not cross."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from helpers import TemporarySilo
from hostside import HostSide

from winesilo.api import PIPE, Host

Start = Callable[[Sequence[str]], "subprocess.Popen[bytes]"]
DEADLINE_S = 60.0
#: What a program of the same silo sends: see visit() of tests/guest/windows.c.
FROM_OWN = 4


@dataclass(frozen=True)
class Place:
    """Where the test program runs: a silo, or the host."""

    name: str
    start: Start

    def run(self, *words: str) -> list[str]:
        with self.start(words) as process:
            out, _ = process.communicate(timeout=DEADLINE_S)
        assert process.returncode in (0, 1), out
        return out.decode().splitlines()

    @contextlib.contextmanager
    def holding(self) -> Iterator[Held]:
        """Run the program that has a window, a hook and more, named after this place."""
        with self.start(("hold", self.name)) as process:
            assert process.stdout is not None
            line = process.stdout.readline().decode()
            assert line.startswith("handles "), (line, process.wait(DEADLINE_S))
            handles = line.split()
            assert process.stdout.readline().decode().strip() == "ready"
            held = Held(self.name, handles[1:])
            try:
                yield held
            finally:
                out, _ = process.communicate(timeout=DEADLINE_S)
                held.end.extend(out.decode().splitlines())

    def visit(self, whose: str, held: Held) -> list[str]:
        """Look at what another program holds. Returns the checks that failed."""
        lines = self.run("visit", whose, held.label, *held.handles)
        assert any(line.startswith("done ") for line in lines), lines
        return [line for line in lines if line.startswith("not ok")]


@dataclass(frozen=True)
class Held:
    """Handles of a program that waits, and what it says at its end."""

    label: str
    handles: list[str]
    end: list[str] = field(default_factory=list)


def in_silo(silo: TemporarySilo, program: Path) -> Place:
    silo.silo.copy_in(program, "C:\\")
    return Place(
        silo.name, lambda words: silo.silo.popen([r"C:\windows.exe", *words], stdin=PIPE, stdout=PIPE)
    )


def on_host(host: Host, silo: str, program: Path) -> Place:
    side = HostSide(host, silo)
    return Place("host", lambda words: side.popen([str(program), *words], PIPE, PIPE))


@pytest.fixture
def places(new_silo: Callable[..., TemporarySilo], guest: Callable[[str], Path]) -> list[Place]:
    return [in_silo(new_silo(), guest("windows")), in_silo(new_silo(), guest("windows"))]


def test_two_silos(places: list[Place]) -> None:
    one, other = places
    with one.holding() as of_one, other.holding() as of_other:
        assert one.visit("own", of_one) == []
        assert other.visit("foreign", of_one) == []
        assert one.visit("foreign", of_other) == []
        assert other.visit("own", of_other) == []
    for held in (of_one, of_other):
        assert held.end == [f"received {FROM_OWN}", "hook 1"]


def test_silo_and_host(places: list[Place], host: Host, guest: Callable[[str], Path]) -> None:
    silo, base = places[0], on_host(host, places[0].name, guest("windows"))
    with base.holding() as of_host:
        assert base.visit("own", of_host) == []
        assert silo.visit("foreign", of_host) == []
        assert silo.run("stations") == ["station WinSta0"]
        assert "station winesilo-host" in base.run("stations")
    assert of_host.end == [f"received {FROM_OWN}", "hook 1"]
