"""Whether a unit does worse in a silo than on the host, from several runs of both.

A run of the silo is *bad* if it is worse than the worst run of the host: it is dead where no run of the
host is, it is slower to die (a time-out where the host's worst is a crash), it has more failures, or it
made fewer checks.  One bad run proves nothing, as many units depend on time.  So a unit with a bad run is
repeated on both sides, in turns:

* after 3 runs each it is worse if all 3 of the silo are bad, fine if none is;
* otherwise it is decided after 6 runs each: worse if 4 or more are bad.

How many checks a unit makes depends on its surroundings where it makes them for each process, thread,
file or service that there is.  So if a silo's run has fewer, the repeated runs say which lines of the source
they reached, and those are compared: fewer checks means that there is a line which every run of the host
reached and the silo did not; a line that only says that something Wine gets wrong went wrong does not count.
If there is none, the silo only repeated some of them less often: its verdict is *shorter*, which is told, and
is not worse.

With sides that are the same, 3 of 3 come about with a probability of 1/20 at most, 4 of 6 with 1/33
(Fisher's exact test, one-sided: none of the host's runs is worse than the host's worst).
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Final

from winetest import Outcome

__all__ = ["ROUNDS", "Verdict", "fewer_tests", "judge", "lines_wanted", "worse_than"]

#: How many bad runs make a unit worse, after so many runs of each side.
ROUNDS: Final = {3: 3, 6: 4}
#: How many of the missing checks are named.
NAMED: Final = 8
#: A unit with more checks than this is not asked to write a line for each.
MAX_REPORTED: Final = 400_000
_DEATHS: Final = {"crash": 1, "flood": 2, "timeout": 2}


class Verdict(enum.Enum):
    """What is known about a unit."""

    SAME = "same"
    FLAKY = "flaky"  # a bad run, but not often enough
    WORSE = "worse"
    SHORTER = "shorter"  # makes the same checks, some of them fewer times
    UNDECIDED = "undecided"  # to be run again


def worse_than(silo: Outcome, host: Sequence[Outcome]) -> str | None:
    """In which way a run of the silo is worse than the worst run of the host; None: in none."""
    death = max(_DEATHS.get(outcome.status, 0) for outcome in host)
    if _DEATHS.get(silo.status, 0) > death:
        return silo.status
    failures = max(outcome.failures for outcome in host)
    if silo.failures > failures and not (death and not silo.dead):
        return f"{silo.failures - failures} more failures"
    if silo.dead:
        return None
    told = [outcome.reached for outcome in host if outcome.reached is not None]
    if silo.reached is not None and told:
        failing = frozenset[str]().union(*(outcome.expected for outcome in host))
        missing = sorted(frozenset.intersection(*told) - failing - silo.reached)
        return f"{len(missing)} checks not made: {', '.join(missing[:NAMED])}" if missing else None
    executed = min(outcome.executed for outcome in host)
    return f"{executed - silo.executed} fewer tests" if silo.executed < executed else None


def fewer_tests(host: Sequence[Outcome], silo: Sequence[Outcome]) -> bool:
    """Whether all that is wrong is that the silo made fewer checks, and few enough to write them all down."""
    return (
        not any(outcome.dead for outcome in [*host, *silo])
        and max(outcome.failures for outcome in silo) <= max(outcome.failures for outcome in host)
        and max(outcome.executed for outcome in silo) < min(outcome.executed for outcome in host)
        and max(outcome.executed for outcome in host) <= MAX_REPORTED
    )


def lines_wanted(host: Sequence[Outcome], silo: Sequence[Outcome]) -> bool:
    """Whether the next runs are to say which lines they reach.

    Once they are, all are: the variable that asks for it makes the environment, and so the heap, another
    one, on which the number of checks may depend (kernel32/heap of Wine 10).
    """
    plain = [pair for pair in zip(host, silo, strict=True) if pair[1].reached is None]
    return any(fewer_tests([one], [other]) for one, other in plain)


def judge(host: Sequence[Outcome], silo: Sequence[Outcome]) -> Verdict:
    """What the runs so far prove; both sides have the same number of them."""
    told = next((number for number, outcome in enumerate(silo) if outcome.reached is not None), 0)
    host, silo = host[told:], silo[told:]  # those before did not say what they reached
    runs, bad = len(silo), sum(worse_than(outcome, host) is not None for outcome in silo)
    if not bad and runs >= min(ROUNDS):
        return Verdict.SHORTER if fewer_tests(host, silo) else Verdict.FLAKY
    if not bad and silo[0].reached is None:
        return Verdict.SAME if runs == 1 else Verdict.FLAKY
    if bad >= ROUNDS.get(runs, runs + 1):
        return Verdict.WORSE
    return Verdict.UNDECIDED if runs < max(ROUNDS) else Verdict.FLAKY
