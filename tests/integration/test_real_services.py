"""Real Windows services in two silos at once, and what the violent end of a silo's processes does to others.

More of them, on more Windows versions: ``make matrix``.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from catalogue import CATALOGUE
from epmapper import map_endpoint
from helpers import TemporarySilo, host_processes, wait_until
from hostside import HostSide
from postgres import PACKAGE as POSTGRES
from postgres import Postgres
from trial import run_trial
from web import NGINX, NSSM
from wineown import RpcSs, interface

from winesilo import Host
from winesilo.demo.package import Package, cache_folder
from winesilo.errors import DemoError

#: A service, the endpoint mapper, and the Service Control Manager, whose end is that of its silo.
PROGRAMS = ("spoolsv.exe", "rpcss.exe", "services.exe")
PACKAGES: dict[str, tuple[Package, ...]] = {"nginx": (NGINX, NSSM), "postgres": (POSTGRES,)}


def kill(process: psutil.Process) -> None:
    process.kill()
    wait_until(lambda: not process.is_running(), f"{process} is gone")


def system_processes(host: Host) -> set[int]:
    """Windows' own services of the host, without the silos': their ids out here."""
    found = set()
    for process in host_processes(host).values():
        with contextlib.suppress(psutil.Error):
            name = process.cmdline()[0] if process.cmdline() else ""
            if name.endswith(PROGRAMS) and "WINESILO_CONFIG" not in process.environ():
                found.add(process.pid)
    return found


@pytest.mark.needs_network
@pytest.mark.parametrize("name", PACKAGES)
def test_in_two_silos(host: Host, silo: TemporarySilo, name: str) -> None:
    missing = [p for p in PACKAGES[name] if not (cache_folder() / p.archive_name).is_file()]
    if missing and shutil.which("npm") is None:
        pytest.skip(f"{missing[0].name} is not in the cache, and there is no npm to fetch it with")
    steps: list[str] = []
    outcome = run_trial(host, HostSide(host, silo.name), CATALOGUE[name], "win10", steps.append)
    assert outcome.verdict == "ok", (outcome, steps)
    assert len(outcome.start_s) == 2


@pytest.mark.needs_network
def test_events(silo: TemporarySilo) -> None:
    """What PostgreSQL reports as a service is shown as its own, with its text."""
    if not (cache_folder() / POSTGRES.archive_name).is_file() and shutil.which("npm") is None:
        pytest.skip("PostgreSQL is not in the cache, and there is no npm to fetch it with")
    server = Postgres()
    steps: list[str] = []
    server.fetch(steps.append)
    server.prepare(silo.silo, steps.append)
    server.install(silo.silo)
    silo.silo.service(server.service).start()
    server.wait_ready(silo.silo)

    def said() -> str:
        events = silo.silo.events(server.service, log="Application")
        return "\n".join(event.text for event in events if event.source == "PostgreSQL")

    wait_until(lambda: "Server started and accepting connections" in said(), f"its event; so far {said()!r}")
    system = silo.silo.events(server.service, log="System")
    assert [event.event_id for event in system][:2] == [7045, 7036]


@pytest.fixture
def endpoints(guest: Callable[[str], Path]) -> Iterator[RpcSs]:
    """A client for the endpoint mappers; its programs must have been built."""
    for name in RpcSs.programs:
        guest(name)
    with contextlib.closing(RpcSs()) as client:
        yield client


def test_killed_processes_are_nobody_elses_business(
    host: Host, new_silo: Callable[..., TemporarySilo], endpoints: RpcSs
) -> None:
    """SIGKILL, which nothing can prepare for; the other silo and the host go on with the same processes."""
    victim, witness = new_silo().silo, new_silo().silo
    hostside = HostSide(host, witness.name)
    for name in ("RpcSs", "Spooler"):
        hostside.start(name)
    for silo in (victim, witness):
        endpoints.prepare(silo, lambda _: None)
        silo.service("Spooler").start()
    endpoints.wait_ready(witness)
    endpoints.check(witness)
    before = {process.pid: process.name for process in witness.ps()}
    on_host = system_processes(host)
    assert len(on_host) == len(PROGRAMS), "the host has its own"

    for program in PROGRAMS:
        (inside,) = (process.unix_pid for process in victim.ps() if process.name.lower() == program)
        assert inside is not None
        kill(host_processes(host)[inside])

        endpoints.check(witness)
        now = {process.pid: process.name for process in witness.ps()}
        assert {pid: now.get(pid) for pid in before} == before
        assert witness.service("Spooler").info().state == "running"
        assert [hostside.state(name) for name in ("RpcSs", "Spooler")] == ["RUNNING", "RUNNING"]
        assert on_host <= system_processes(host)
        if program == "rpcss.exe":  # as long as its own is gone, it gets none of another silo's
            with pytest.raises(DemoError, match="nobody answers"):
                map_endpoint(victim, interface(witness.name))

    assert witness.info().state == "running"
    victim.restart()
    victim.service("Spooler").start()
    endpoints.check(witness)
