"""``silo analyze``: what a program or service needs, and where two of it would collide without silos.

It runs in two throw-away silos, one after the other, from install to stop.  What each run makes beyond
what an idle silo does is told by :meth:`winesilo.api.Silo.audit`; names that both runs make are those
that two instances on one machine would fight over.  Names with a process id or a random number in
them differ between the runs and so are left out.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from winesilo.api import Host, Silo
from winesilo.errors import SiloExists, SiloNotFound, UsageError, WinesiloError
from winesilo.host.base import OnProgress
from winesilo.models import Audit, Rendezvous
from winesilo.services.model import Service, check_name

FOLDER: Final = "C:\\analyze"
RUNS: Final = 2
DEFAULT_TIMEOUT_S: Final = 120.0
#: Kinds that processes meet through by what is made; others are only used.
_MADE: Final = frozenset(
    (
        *("object", "pipe", "mailslot", "rpc endpoint", "com class", "socket", "window station", "device"),
        *("key", "file", "service"),
    )
)
_MAKING: Final = frozenset(("created", "bound", "changed", "written", "deleted"))
#: The SCM numbers the pipes over which it speaks with services.
_NUMBERED: Final = re.compile(r"net\\NtControlPipe\d+", re.IGNORECASE)
_RUNNING: Final = "running"


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was done.

    Attributes:
        name: ``install``, ``start NAME`` or ``stop NAME``.
        ok: whether it worked.
        detail: what the program printed, or what went wrong.
    """

    name: str
    ok: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Analysis:
    """What was found out.

    Attributes:
        target: the program or service.
        services: the services that were started and stopped.
        steps: what was done in the first run.
        needs_services: services that those depend on, or that were started with them.
        uses: what was opened and not made: endpoints, devices, objects ...
        makes: what was made or written.
        collides: what both runs made.
        undeclared: what is shared with the host and no rule says why.
        complete: whether the audits lost nothing.
    """

    target: str
    services: Sequence[str]
    steps: Sequence[Step]
    needs_services: Sequence[str]
    uses: Sequence[Rendezvous]
    makes: Sequence[Rendezvous]
    collides: Sequence[Rendezvous]
    undeclared: Sequence[Rendezvous]
    complete: bool

    @property
    def good(self) -> bool:
        """Whether all steps worked and nothing is undeclared."""
        return self.complete and not self.undeclared and all(step.ok for step in self.steps)


@dataclass(slots=True)
class _Run:
    """One run, as it goes on: what was there before, and what was found since."""

    before: Audit
    states: dict[str, str]
    audits: list[Audit] = field(default_factory=list)
    services: list[str] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    needs: set[str] = field(default_factory=set)

    def all(self) -> list[Rendezvous]:
        """What any audit showed; of what several show, the last one's word."""
        found = {_key(one): one for audit in self.audits for one in audit.rendezvous}
        return list(found.values())

    def new(self) -> list[Rendezvous]:
        """What was not there before."""
        known = {(_key(one), tuple(one["how"])) for one in self.before.rendezvous}
        return [one for one in self.all() if (_key(one), tuple(one["how"])) not in known]


def _key(one: Rendezvous) -> tuple[str, str, str]:
    return (one["kind"], one["name"].lower(), one["class"])


def analyze(
    host: Host,
    target: str,
    args: Sequence[str] = (),
    *,
    source: str | None = None,
    folder: bool = False,
    timeout_s: float = DEFAULT_TIMEOUT_S,
    on_progress: OnProgress = lambda text, done: None,
) -> Analysis:
    r"""Run a program or service in throw-away silos, which are always removed.

    Args:
        host: where.
        target: a Linux path of a program (it has a slash), a program of the silo (``C:\...``), or a
            service's name.
        args: of the program.
        source: a stopped silo to clone; None: new silos.
        folder: copy the whole folder that the program is in.
        timeout_s: for each step.
        on_progress: told what goes on.

    Raises:
        UsageError: there is no such program, or no service can have such a name.
        SiloNotFound, SiloRunning: ``source``.
        WinesiloError: a silo could not be made or started.
    """
    if _is_local(target) and not os.path.isfile(target):
        raise UsageError(f"there is no program {target}", "name a file, a program C:\\... or a service")
    if not _is_program(target):
        check_name(target)
    runs = []
    for number in range(RUNS):
        on_progress(f"run {number + 1} of {RUNS}", number / RUNS)
        with _throw_away(host, source) as silo:
            runs.append(_run(silo, target, args, folder, timeout_s))
    return _conclude(target, runs[0], runs[1])


def _is_local(target: str) -> bool:
    return "/" in target


def _is_program(target: str) -> bool:
    return _is_local(target) or "\\" in target


@contextlib.contextmanager
def _throw_away(host: Host, source: str | None) -> Iterator[Silo]:
    for number in itertools.count(1):
        name = f"analyze-{os.getpid()}-{number}"
        try:
            silo = host.create(name) if source is None else host.silo(source).clone(name)
        except SiloExists:
            continue
        break
    try:
        silo.start()
        yield silo
    finally:
        with contextlib.suppress(SiloNotFound):
            silo.remove(force=True)


def _run(silo: Silo, target: str, args: Sequence[str], folder: bool, timeout_s: float) -> _Run:
    program = _copy(silo, Path(target), folder) if _is_local(target) else target
    run = _Run(silo.audit(), {one.name: one.state for one in silo.services()})
    if _is_program(target):
        run.steps.append(_install(silo, [program, *args], timeout_s))
        run.services += [one.name for one in silo.services() if one.name not in run.states]
    else:
        run.services.append(target)
    for name in run.services:
        _start_and_stop(silo, name, run, timeout_s)
    run.audits.append(silo.audit())
    return run


def _copy(silo: Silo, program: Path, folder: bool) -> str:
    r"""Copy the program to C:\analyze; returns its path there."""
    silo.run(["cmd", "/c", "mkdir", FOLDER])
    for path in sorted(program.parent.iterdir()) if folder else [program]:
        silo.copy_in(path, FOLDER)
    return f"{FOLDER}\\{program.name}"


def _install(silo: Silo, argv: Sequence[str], timeout_s: float) -> Step:
    try:
        done = silo.run(argv, cwd=FOLDER if argv[0].startswith(FOLDER) else None, timeout=timeout_s)
    except WinesiloError as error:
        return Step("install", False, error.message)
    printed = "\n".join(part.strip() for part in (done.stdout, done.stderr) if part.strip())
    return Step(
        "install", done.returncode == 0, f"exit code {done.returncode}" + (printed and f"\n{printed}")
    )


def _start_and_stop(silo: Silo, name: str, run: _Run, timeout_s: float) -> None:
    service = silo.service(name)
    try:
        info = service.start(timeout=timeout_s)
        run.steps.append(Step(f"start {name}", True, ""))
    except WinesiloError as error:
        run.steps.append(Step(f"start {name}", False, error.message))
        return
    run.audits.append(silo.audit())  # what it holds shows while it runs only
    run.needs |= {*info.dependencies, *_started(silo.services(), run)}
    try:
        service.stop(timeout=timeout_s)
        run.steps.append(Step(f"stop {name}", True, ""))
    except WinesiloError as error:
        run.steps.append(Step(f"stop {name}", False, error.message))


def _started(services: Sequence[Service], run: _Run) -> set[str]:
    """Services that run now, did not before, and are not what is analyzed."""
    now = {one.name for one in services if one.state == _RUNNING}
    return {name for name in now if run.states.get(name) != _RUNNING and name not in run.services}


def _conclude(target: str, one: _Run, other: _Run) -> Analysis:
    new = one.new()
    makes = [rendezvous for rendezvous in new if _makes(rendezvous)]
    again = {_key(rendezvous) for rendezvous in other.new() if _makes(rendezvous)}
    made = {_key(rendezvous) for rendezvous in makes}
    return Analysis(
        target=target,
        services=one.services,
        steps=one.steps,
        needs_services=sorted(one.needs - set(one.services)),
        uses=[rendezvous for rendezvous in new if _is_used(rendezvous) and _key(rendezvous) not in made],
        makes=makes,
        collides=[rendezvous for rendezvous in makes if _key(rendezvous) in again],
        undeclared=[rendezvous for rendezvous in one.all() if rendezvous["class"] == "undeclared"],
        complete=all(audit.complete for audit in (*one.audits, *other.audits)),
    )


def _makes(one: Rendezvous) -> bool:
    if one["kind"] == "socket" and one["name"].endswith(":0"):
        return False  # any port will do
    if _is_numbered(one):
        return False
    return one["kind"] in _MADE and bool(_MAKING & set(one["how"]))


def _is_numbered(one: Rendezvous) -> bool:
    return one["kind"] == "pipe" and _NUMBERED.fullmatch(one["name"]) is not None


def _is_used(one: Rendezvous) -> bool:
    if _is_numbered(one):
        return False
    return bool({"opened", "connected", "held"} & set(one["how"])) and one["seen"] != ["descriptors"]
