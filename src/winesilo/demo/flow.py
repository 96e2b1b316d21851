"""The demo, step by step; every step checks what it has shown."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from winesilo.api import Host, Silo
from winesilo.demo.mysql import MySql
from winesilo.demo.prefix import PlainPrefix
from winesilo.demo.spooler import Spooler
from winesilo.demo.workload import PREFIX_ADDRESS, Comparable, Say
from winesilo.errors import DemoError, SiloExists, SiloNotFound, SiloNotRunning

TEMPLATE: Final = "demo-template"
NAMES: Final = ("demo-db1", "demo-db2")
#: What a service gets to stop by itself. MySQL has done its work after two or three seconds, but its process
#: never ends on Wine 8, so waiting longer is waiting for nothing.
STOP_S: Final = 6.0
WORKLOADS: Final[dict[str, Callable[[], Comparable]]] = {"mysql": MySql, "spooler": Spooler}


@dataclass(frozen=True)
class Row:
    """One line of the demo's table.

    Attributes:
        name: of the silo, or ``own prefix``.
        address: where its service listens.
        services: which services run.
        create_s: seconds to make it.
        boot_s: seconds from there to an SCM that answers and a running RpcSs.
        service_s: seconds from the service's start to its first answer.
        pss: memory of all its processes in bytes.
        disk: bytes of disk that are its own.
    """

    name: str
    address: str
    services: str
    create_s: float
    boot_s: float
    service_s: float
    pss: int = 0
    disk: int = 0


@dataclass(frozen=True)
class Report:
    """What the demo has shown.

    Attributes:
        title: what ran in the silos.
        rows: the silos, then the plain prefix.
    """

    title: str
    rows: tuple[Row, ...]


class Stopwatch:
    """Seconds since it was made."""

    def __init__(self) -> None:
        self._begin = time.monotonic()

    def seconds(self) -> float:
        """The time so far."""
        return time.monotonic() - self._begin


def run(host: Host, service: str, *, keep: bool, say: Say) -> Report:
    """Run the demo.

    Args:
        host: made if it does not exist yet.
        service: a key of :data:`WORKLOADS`.
        keep: leave the silos behind, running.
        say: told what goes on, a line at a time.

    Returns:
        The figures.

    Raises:
        DemoError: something is not as it must be.
        WinesiloError: something failed.
    """
    workload = WORKLOADS[service]()
    workload.fetch(say)
    with contextlib.ExitStack() as cleanup:
        _prepare_host(host, cleanup, keep, say)
        template = _make_template(host, workload, cleanup, say)
        with contextlib.ExitStack() as silo_cleanup:
            silos: list[Silo] = []
            rows: list[Row] = []
            for name in NAMES:
                _remove_later(host, name, silo_cleanup)
                silo, row = _make_silo(template, name, workload, say)
                silos.append(silo)
                rows.append(row)
            _check_separation(host, silos, workload, say)
            rows = [_weigh(row, silo) for row, silo in zip(rows, silos, strict=True)]
            _stop_one(silos, workload, say)
            rows.append(_plain_prefix(template, workload, say))
            if keep:
                silos[0].start()
                silos[0].service(workload.service).start()
                silo_cleanup.pop_all()
            else:
                say("removing the silos")
    return Report(workload.title, tuple(rows))


def _prepare_host(host: Host, cleanup: contextlib.ExitStack, keep: bool, say: Say) -> None:
    """Make the host if there is none; stop it at the end if it did not run before."""
    if not host.initialised:
        say("making the Wine host; this is done once")
        host.init(on_progress=_steps(say))
    taken = {info.name for info in host.list()} & {TEMPLATE, *NAMES}
    if taken:
        names = " ".join(sorted(taken))
        raise SiloExists(f"the demo's silos exist already: {names}", f"remove them: silo rm -f {names}")
    if not host.running and not keep:
        cleanup.callback(_stop_host, host)


def _stop_host(host: Host) -> None:
    if not any(info.state == "running" for info in host.list()):
        host.stop()


def _steps(say: Say) -> Callable[[str, float | None], None]:
    """An ``on_progress`` that says each new step once."""
    last = ""

    def on_progress(text: str, _done: float | None) -> None:
        nonlocal last
        if text != last:
            say(text)
            last = text

    return on_progress


def _remove_later(host: Host, name: str, cleanup: contextlib.ExitStack) -> None:
    """Have a silo removed at the end, even if we are interrupted while it is made."""

    def remove() -> None:
        silo = host.silo(name)
        with contextlib.suppress(SiloNotFound, SiloNotRunning):
            silo.stop(timeout=STOP_S)
        with contextlib.suppress(SiloNotFound):
            silo.remove(force=True)

    cleanup.callback(remove)


def _make_template(host: Host, workload: Comparable, cleanup: contextlib.ExitStack, say: Say) -> Silo:
    """A stopped silo that holds what the demo's silos share."""
    say(f"making the silo {TEMPLATE}")
    _remove_later(host, TEMPLATE, cleanup)
    template = host.create(TEMPLATE)
    template.start()
    workload.prepare(template, say)
    template.stop()
    return template


def _make_silo(template: Silo, name: str, workload: Comparable, say: Say) -> tuple[Silo, Row]:
    """Clone a silo and bring its service up, with the time each step took."""
    say(f"making the silo {name} and starting {workload.service} in it")
    watch = Stopwatch()
    silo = template.clone(name)
    create_s = watch.seconds()

    watch = Stopwatch()
    silo.start()
    boot_s = watch.seconds()

    workload.install(silo)
    watch = Stopwatch()
    silo.service(workload.service).start()
    workload.wait_ready(silo)
    service_s = watch.seconds()

    workload.write(silo)
    row = Row(
        name=name,
        address=silo.address,
        services=_service_states(silo, workload.service),
        create_s=create_s,
        boot_s=boot_s,
        service_s=service_s,
    )
    return silo, row


def _service_states(silo: Silo, service: str) -> str:
    """What the table says of a silo's services.

    Raises:
        DemoError: one that must run does not.
    """
    states = {info.name: info.state for info in silo.services()}
    for name in (service, "RpcSs"):
        if states.get(name) != "running":
            raise DemoError(f"the service {name} of silo {silo.name} is {states.get(name, 'missing')}")
    return _in_words(service, sum(state == "running" for state in states.values()))


def _in_words(service: str, running: int) -> str:
    more = f", {running - 2} more" if running > 2 else ""
    return f"{service} running, RpcSs running{more}"


def _check_separation(host: Host, silos: Sequence[Silo], workload: Comparable, say: Say) -> None:
    """Each silo has its own data, its own processes and its own service; the base has none of it."""
    seen: set[int] = set()
    for silo in silos:
        say(f"{silo.name}: {workload.check(silo)}")
        own = {process.unix_pid for process in silo.ps() if process.unix_pid is not None}
        if not own or own & seen:
            raise DemoError(f"the processes of silo {silo.name} are not its own: {sorted(own)}")
        seen |= own
    workload.check_base(host.base)
    say("the host knows nothing of it")


def _weigh(row: Row, silo: Silo) -> Row:
    """Add what the silo takes of memory and disk while its service runs."""
    info = silo.info()
    return dataclasses.replace(row, pss=info.memory_pss_bytes or 0, disk=info.private_bytes)


def _stop_one(silos: Sequence[Silo], workload: Comparable, say: Say) -> None:
    """The end of one silo is none of the other's business."""
    stopped, going_on = silos
    stopped.stop(timeout=STOP_S)
    state = stopped.info().state
    if state != "stopped":
        raise DemoError(f"silo {stopped.name} is {state} after it was stopped")
    workload.check_gone(stopped)
    say(f"{stopped.name} is stopped; {going_on.name}: {workload.check(going_on)}")


def _plain_prefix(template: Silo, workload: Comparable, say: Say) -> Row:
    """The same service in a Wine prefix of its own, for comparison."""
    say("for comparison: making a Wine prefix of its own")
    with PlainPrefix() as prefix:
        prefix.create()
        prefix.boot()
        say(f"starting {workload.service} in it")
        workload.install_in_prefix(template, prefix)
        watch = Stopwatch()
        prefix.run(["net", "start", workload.service])
        workload.wait_ready_in_prefix()
        service_s = watch.seconds()
        if not prefix.is_running(workload.service):
            raise DemoError(
                f"the service {workload.service} does not run in the Wine prefix made for comparison"
            )
        return Row(
            name="own prefix",
            address=PREFIX_ADDRESS,
            services=_in_words(workload.service, prefix.running_services()),
            create_s=prefix.create_s,
            boot_s=prefix.boot_s,
            service_s=service_s,
            pss=prefix.pss(),
            disk=prefix.disk(),
        )
