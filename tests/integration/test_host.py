"""The host: made once, started when it is needed, stopped without a trace."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers import Cli, Machine, TemporarySilo, interrupt, wait_until

from winesilo import Host
from winesilo.errors import HostBusy
from winesilo.host import process, wine
from winesilo.host.base import discard_prefix, lock
from winesilo.host.paths import HostPaths
from winesilo.host.wineserver import WineServer, clients

NewSilo = Callable[..., TemporarySilo]


def test_init_again_changes_nothing(host: Host, cli: Cli) -> None:
    before = (host.base / "system.reg").stat()
    cli.ok("host", "init")
    assert (host.base / "system.reg").stat() == before


def test_status(host: Host, cli: Cli, silo: TemporarySilo) -> None:
    status = cli("host", "status", "--json").json()
    assert status["running"]
    assert status["wine"].startswith("wine-")
    assert status["base"] == str(host.base)
    assert status["silos_running"] >= 1
    assert status["memory_pss_bytes"] > 1 << 20
    assert "running" in cli.ok("host", "status")


def test_stop_with_silos_needs_force(cli: Cli, silo: TemporarySilo) -> None:
    result = cli("host", "stop")
    assert result.code == 1
    assert silo.name in result.err
    assert silo.silo.info().state == "running"


def test_stop_leaves_nothing(host: Host, cli: Cli, machine: Machine, new_silo: NewSilo) -> None:
    machine.stop_others(host)
    silo = new_silo()
    silo.silo.service("Spooler").start()
    cli.ok("host", "stop", "--force")
    assert machine.processes() == []
    assert machine.mounts() == []
    assert not host.running
    assert cli("host", "status", "--json").json()["running"] is False
    assert silo.silo.info().state == "stopped"
    cli.ok("host", "stop")


def dead_sockets() -> set[Path]:
    """Where a wineserver listened that was killed (Debian's Wine; others use a fixed place)."""
    dead = set()
    for path in Path("/tmp").glob("wine-*/server-*/socket"):
        with socket.socket(socket.AF_UNIX) as probe, contextlib.suppress(FileNotFoundError):
            if probe.connect_ex(str(path)) == errno.ECONNREFUSED:
                dead.add(path)
    return dead


def test_stop_while_it_starts(host: Host, machine: Machine) -> None:
    """Requests are taken before Wine is up: the stop waits for the start to give up."""
    host.stop(force=True)
    machine.stop_others(host)
    before = dead_sockets()
    for _ in range(3):
        host.start()
        host.stop(force=True)
        assert machine.processes() == []
        assert machine.mounts() == []
    wait_until(lambda: not dead_sockets() - before, "nothing of a wineserver is left")


def test_a_client_does_not_outlive_its_server(scratch: Path) -> None:
    """Wine's own can: one that was starting when the server ended waits for ever. This one never asks."""
    server = WineServer(wine.find(), scratch)
    client = process.spawn(["sleep", "infinity"], env=wine.environment(scratch))
    assert set(clients(scratch)) == {server.process.pid, client.pid}
    server.stop()
    assert client.wait(0) == -signal.SIGKILL
    assert clients(scratch) == []
    assert not server.directory.exists()


def test_what_a_killed_wineserver_leaves(scratch: Path) -> None:
    """Its directory in /tmp goes with the prefix: the name is known before Wine makes it."""
    prefix = scratch / "prefix"
    prefix.mkdir()
    server = WineServer(wine.find(), prefix)
    directory = Path("/tmp", (prefix / "wineserver").read_text())
    assert directory.is_dir() or server.directory.parent.parent == Path("/run/user", str(os.getuid()))
    server.process.kill()
    server.process.wait()
    discard_prefix(prefix)
    assert not directory.exists()
    assert not prefix.exists()


def test_starts_when_needed(host: Host, silo: TemporarySilo, cli: Cli) -> None:
    host.stop(force=True)
    cli.ok("ls")
    cli.ok("inspect", silo.name)
    assert not host.running
    cli.ok("start", silo.name)
    assert host.running


def test_not_initialised(cli: Cli, machine: Machine) -> None:
    elsewhere = Cli({**cli.environment, "WINESILO_HOST": "nothing"})
    for words in (("create", "x"), ("start", "x"), ("rm", "x"), ("exec", "x", "cmd"), ("ps", "x")):
        result = elsewhere(*words)
        assert result.code == (125 if words[0] == "exec" else 1), result
        assert "silo host init" in result.err, result
    assert elsewhere("ls", "--json").json() == []
    assert elsewhere("host", "status", "--json").json()["initialised"] is False


@pytest.mark.parametrize("at", ["looking for a way to mount", "creating the base prefix", "reading the base"])
def test_interrupted_init_leaves_nothing(cli: Cli, machine: Machine, at: str) -> None:
    """Ctrl-C while the base is made."""
    elsewhere = Cli({**cli.environment, "WINESILO_HOST": "interrupted"})
    before = set(machine.processes())
    process = elsewhere.start("host", "init", stderr=subprocess.PIPE)
    assert process.stderr is not None
    assert any(at.encode() in line for line in process.stderr)
    interrupt(process)
    rest = process.stderr.read()
    process.stderr.close()
    assert process.wait(30) == 128 + signal.SIGINT, rest
    wait_until(lambda: set(machine.processes()) <= before, "its processes are gone")
    paths = HostPaths.of("interrupted")
    assert not paths.initialised
    assert not paths.base.exists()
    assert not paths.base_partial.exists()


def test_two_inits_at_once(machine: Machine) -> None:
    with lock(HostPaths.of("busy")), pytest.raises(HostBusy):
        Host("busy").init()
