"""One trial: a service in two silos at once, checked by its client and controlled by the silos' own SCMs."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol, TypeVar, runtime_checkable

from catalogue import Entry
from hostside import HostSide
from wineown import NAMES

from winesilo import Host, Silo
from winesilo.demo.workload import Say, Workload
from winesilo.errors import DemoError, SiloNotFound, WinesiloError
from winesilo.models import Audit

__all__ = ["Outcome", "judge", "run_trial"]

#: How many undeclared rendezvous a trial tells by name.
FIRST_NAMES = 10

T = TypeVar("T")


@runtime_checkable
class SupportsClose(Protocol):
    """A workload that holds something on this side."""

    def close(self) -> None:
        """Let go of it."""


@dataclass
class Outcome:
    """What became of a trial.

    Attributes:
        verdict: ``ok`` or ``failed``.
        reason: why it failed.
        step: the last step that was begun.
        start_s: seconds from each service's start to its client's first answer.
        notes: what is worth knowing, such as a service that had to be ended.
        audit: undeclared rendezvous that ``silo audit`` found in both silos; None where it came not that far.
        undeclared: the first of them, and where they were seen.
    """

    verdict: str = "failed"
    reason: str = ""
    step: str = ""
    start_s: list[float] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    audit: int | None = None
    undeclared: list[str] = field(default_factory=list)


def run_trial(host: Host, hostside: HostSide, entry: Entry, windows: str, say: Say) -> Outcome:
    """Run a service in two silos of a Windows version.

    Args:
        host: runs.
        hostside: where the host's own instance is started, if it has one.
        entry: the row.
        windows: the version, as ``silo create --windows`` has it.
        say: told each step.

    Returns:
        The outcome; nothing of the silos is left.
    """
    outcome = Outcome()

    def step(text: str) -> None:
        outcome.step = text
        say(text)

    workload = entry.make()
    try:
        workload.fetch(lambda _: None)
        with _silos(host, workload, windows, step) as silos:
            _run(silos, workload, entry, hostside, step, outcome)
            outcome.verdict = "ok"
    except WinesiloError as error:
        outcome.reason = f"{outcome.step}: {error.message}"
    finally:
        if isinstance(workload, SupportsClose):
            workload.close()
    return outcome


@contextlib.contextmanager
def _silos(host: Host, workload: Workload, windows: str, step: Say) -> Iterator[list[Silo]]:
    """Two running silos with the same layer below."""
    with contextlib.ExitStack() as cleanup:

        def remove_later(silo: Silo) -> Silo:
            cleanup.callback(_remove, silo)
            return silo

        step("preparing")
        template = remove_later(host.create("matrix", windows=windows))
        template.start()
        workload.prepare(template, lambda _: None)
        template.stop()
        silos = [remove_later(template.clone(name)) for name in NAMES]
        step("starting two silos")
        _at_once(silos, lambda silo: silo.start())
        yield silos


def _remove(silo: Silo) -> None:
    with contextlib.suppress(SiloNotFound):
        silo.remove(force=True)


def _run(
    silos: Sequence[Silo], workload: Workload, entry: Entry, hostside: HostSide, step: Say, outcome: Outcome
) -> None:
    first, second = silos
    if entry.on_host:
        step("starting the host's own instance")
        hostside.start(workload.service)
    step("installing the service")
    _at_once(silos, workload.install)
    step("starting the service")

    def start(silo: Silo) -> float:
        begin = time.monotonic()
        service = silo.service(workload.service)
        if not entry.activated and service.info().state != "running":  # some run from a silo's start
            service.start()
        workload.wait_ready(silo)
        if entry.activated and (state := service.info().state) != "running":
            raise DemoError(f"{workload.service} in silo {silo.name} is {state} after a call")
        return round(time.monotonic() - begin, 2)

    outcome.start_s = _at_once(silos, start)
    step("asking the service")
    _at_once(silos, workload.write)
    _at_once(silos, workload.check)
    _own_processes(silos)
    step("stopping one of them")
    _stop(first, workload, entry, outcome)
    step("asking the other one")
    workload.check(second)
    step("starting it again")
    start(first)
    step("asking both again")
    _at_once(silos, workload.check)
    step("looking for undeclared rendezvous")
    judge(_at_once(silos, lambda silo: silo.audit()), outcome)
    step("stopping both")
    _at_once(silos, lambda silo: _stop(silo, workload, entry, outcome))
    if entry.on_host:
        step("looking at the host's own instance")
        if (state := hostside.state(workload.service)) != "RUNNING":
            raise DemoError(f"the host's own {workload.service} is {state or 'missing'}")


def _stop(silo: Silo, workload: Workload, entry: Entry, outcome: Outcome) -> None:
    for name in (workload.service, *entry.needs):
        stopped = silo.service(name).stop(timeout=entry.stop_s, with_dependents=True, force=entry.force)
        if stopped.note and stopped.note not in outcome.notes:
            outcome.notes.append(stopped.note)
        if stopped.state != "stopped":
            raise DemoError(f"{name} in silo {silo.name} is {stopped.state} after it was stopped")
    workload.check_gone(silo)


def _own_processes(silos: Sequence[Silo]) -> None:
    """No process may be in both."""
    first, second = ({process.unix_pid for process in silo.ps() if process.unix_pid} for silo in silos)
    if not first or not second or first & second:
        raise DemoError(f"the silos' processes are not their own: {sorted(first)} and {sorted(second)}")


def _at_once(silos: Sequence[Silo], work: Callable[[Silo], T]) -> list[T]:
    """Do it in all silos at the same time; raises what the first one raised."""
    with ThreadPoolExecutor(len(silos)) as pool:
        return list(pool.map(work, silos))


def judge(audits: Sequence[Audit], outcome: Outcome) -> None:
    """Nothing may be undeclared in any of the silos, and none of the records may lack something.

    Args:
        audits: what ``silo audit`` says of each.
        outcome: gets the number of undeclared rendezvous and the first of their names.

    Raises:
        DemoError: something is, with the first names, or a record is not whole.
    """
    outcome.audit = sum(audit.counts["undeclared"] for audit in audits)
    names = [
        f"{found['kind']} {found['name']} ({', '.join(found['seen'])})"
        for audit in audits
        for found in audit.rendezvous
        if found["class"] == "undeclared"
    ]
    outcome.undeclared = list(dict.fromkeys(names))[:FIRST_NAMES]
    if outcome.audit:
        raise DemoError(f"{outcome.audit} are undeclared: {', '.join(outcome.undeclared)}")
    for audit in audits:
        if not audit.complete:
            raise DemoError(f"the record of silo {audit.silo} lacks {audit.lost + audit.unfinished} names")
