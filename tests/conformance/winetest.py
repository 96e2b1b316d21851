"""What one of Wine's test programs wrote, read.

A test program runs one *unit* (a source file of tests) and ends with a line like ::

    0284:service:0.123 117 tests executed (2 marked as todo, 0 as flaky, 3 failures), 0 skipped.

Its exit code is the number of failures, 255 at most.  Programs that it starts write such lines too.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

__all__ = ["CRASH", "DEAD", "REPORT", "SUFFIX", "Outcome", "Unit", "list_units", "read_outcome", "stopped"]

CRASH: Final = "crash"
#: Ways in which a unit does not come to its end.
DEAD: Final = frozenset({CRASH, "timeout", "flood"})
#: What the name of a test program ends with.
SUFFIX: Final = "_test.exe"
MAX_EXIT: Final = 255
MAX_PLACES: Final = 60

_SUMMARY: Final = re.compile(
    r"^([0-9a-f]{4,8}):([\w.-]+):(?:[\d.]+)? (\d+) tests? executed \((\d+) marked as todo, "
    r"(?:(\d+) as flaky, )?(\d+) failures?\), (\d+) skipped\.",
    re.MULTILINE,
)
_CHECK: Final = re.compile(
    r"([\w.-]+\.\w+:\d+):(?:[\d.]+)? Test (failed: |succeeded inside todo block: |succeeded$|marked)",
    re.MULTILINE,
)
_FAILED, _UNEXPECTED = "failed: ", "succeeded inside todo block: "
_SUCCEEDED, _EXPECTED = "succeeded", "marked"
#: Makes a test program write a line for each check.
REPORT: Final = {"WINETEST_REPORT_SUCCESS": "1"}
_EXCEPTION: Final = re.compile(r"([0-9a-f]{4,8}):([\w.-]+):(?:[\d.]+)? unhandled exception ([0-9a-f]{8})")
_PLACE: Final = re.compile(r"([\w-]+\.(?:c|cpp|h|idl|l|y):\d+):")
_UNIT: Final = re.compile(r"^    (\S+)\s*$", re.MULTILINE)


@dataclass(frozen=True, order=True, slots=True)
class Unit:
    """A unit of a module's test program."""

    module: str
    name: str

    @property
    def program(self) -> str:
        """The program's file name."""
        return self.module + SUFFIX

    def __str__(self) -> str:
        return f"{self.module}/{self.name}"

    def wanted(self, patterns: Sequence[str]) -> bool:
        """Whether one of the patterns names the unit or its module; none of them name every unit."""
        names = (self.module, str(self))
        return not patterns or any(fnmatch.fnmatch(name, pattern) for name in names for pattern in patterns)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a unit ended.

    Attributes:
        status: ``ok``, ``fail``, or one of :data:`DEAD`.
        executed: how many checks it made; 0 if it is dead.
        failures: failed checks, without those that Wine expects to fail and that did not; of a dead unit,
            those until then.
        todo: checks that Wine expects to fail, and that did.
        skipped: how many groups of checks it left out.
        exit_code: of its program, negative: the number of the signal that ended it.
        seconds: how long it took.
        places: source lines of the failed checks, or where it was last heard of.
        reached: source lines of all checks that were made; None unless it was told to say that.
        expected: those of them where every check failed as Wine expects.
    """

    status: str
    executed: int
    failures: int
    todo: int
    skipped: int
    exit_code: int
    seconds: float
    places: tuple[str, ...] = ()
    reached: frozenset[str] | None = None
    expected: frozenset[str] = frozenset()

    @property
    def dead(self) -> bool:
        """Whether it did not come to its end."""
        return self.status in DEAD

    def __str__(self) -> str:
        words = self.status if self.dead else f"{self.executed} tests"
        return f"{words}, {self.failures} failed" if self.failures else words


def read_outcome(output: str, unit: str, exit_code: int, seconds: float) -> Outcome:
    """Read what a program wrote that ended by itself.

    Args:
        output: all of it.
        unit: the unit that it was told to run.
        exit_code: what it ended with.
        seconds: how long it took.
    """
    output = output.replace("\r\n", "\n")
    lines = _CHECK.findall(output)
    failed = [place for place, kind in lines if kind == _FAILED]
    done = _own_summary(output, unit, exit_code)
    if done is None:
        exceptions = [f"exception {found.group(3)}" for found in _EXCEPTION.finditer(output)]
        places = (*exceptions[-1:], *_counted(failed), *_last_place(output))
        return Outcome(CRASH, 0, len(failed), 0, 0, exit_code, seconds, places)
    executed, todo, counted, skipped = (int(done.group(i)) for i in (3, 4, 6, 7))
    # What succeeds though Wine expects it to fail is a failure in Wine's own count; here it is none. And the
    # programs that a unit starts fail in lines of their own.
    unexpected = sum(kind == _UNEXPECTED for _, kind in lines)
    failures = max(counted - unexpected, len(failed))
    status = "fail" if failures else "ok"
    reached = frozenset(place for place, _ in lines) if any(kind == _SUCCEEDED for _, kind in lines) else None
    otherwise = {place for place, kind in lines if kind != _EXPECTED}
    expected = frozenset(place for place, _ in lines if place not in otherwise)
    return Outcome(
        status, executed, failures, todo, skipped, exit_code, seconds, _counted(failed), reached, expected
    )


def stopped(output: str, status: str, seconds: float) -> Outcome:
    """The outcome of a program that had to be ended.

    Args:
        output: what it wrote until then.
        status: why it was ended, ``timeout`` or ``flood``.
        seconds: how long it had run.
    """
    output = output.replace("\r\n", "\n")
    failed = [place for place, kind in _CHECK.findall(output) if kind == _FAILED]
    return Outcome(status, 0, len(failed), 0, 0, -9, seconds, (*_counted(failed), *_last_place(output)))


def list_units(output: str) -> list[str]:
    """The units of a program, from what it writes for ``--list``."""
    return _UNIT.findall(output.replace("\r\n", "\n"))


def _own_summary(output: str, unit: str, exit_code: int) -> re.Match[str] | None:
    """The summary of the program itself: the last one that agrees with its exit code; None if it has none."""
    agreeing = [
        found
        for found in _SUMMARY.finditer(output)
        if found.group(2) == unit and min(int(found.group(6)), MAX_EXIT) == exit_code
    ]
    if not agreeing:
        return None
    crashed = {found.group(1) for found in _EXCEPTION.finditer(output)}
    return None if agreeing[-1].group(1) in crashed else agreeing[-1]


def _counted(places: Iterable[str]) -> tuple[str, ...]:
    counts: dict[str, int] = {}
    for place in places:
        counts[place] = counts.get(place, 0) + 1
    words = [place if count == 1 else f"{place} ({count} times)" for place, count in counts.items()]
    return tuple(words[:MAX_PLACES])


def _last_place(output: str) -> tuple[str, ...]:
    places = _PLACE.findall(output)
    return (f"last heard of at {places[-1]}",) if places else ()
