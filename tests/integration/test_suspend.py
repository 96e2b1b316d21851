"""Suspended silos: nothing of them runs, everything else does, and afterwards they go on where they were."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from guests import holding
from helpers import Cli, Machine, TemporarySilo, host_processes, wait_until

from winesilo.api import PIPE
from winesilo.errors import SiloNotRunning, SiloRunning, SiloSuspended

Guest = Callable[[str], Path]
NewSilo = Callable[..., TemporarySilo]


def states(silo: TemporarySilo) -> dict[str, str]:
    """Name and Linux state of each of its processes, looked up by their ids in the host's pid namespace."""
    running = host_processes(silo.host)
    found: dict[str, str] = {}
    for process in silo.silo.ps():
        if process.unix_pid in running:
            with contextlib.suppress(psutil.NoSuchProcess):  # it has ended meanwhile
                found[process.name] = running[process.unix_pid].status()
    assert found
    return found


def test_nothing_runs(machine: Machine, cli: Cli, new_silo: NewSilo, guest: Guest) -> None:
    silo, other = new_silo(), new_silo()
    silo.silo.service("Spooler").start()
    with holding(silo, guest, "processes", "hold"):
        cli.ok("suspend", silo.name)
        assert silo.silo.info().state == "suspended"
        assert {row["state"] for row in cli("ls", "--json").json() if row["name"] == silo.name} == {
            "suspended"
        }
        seen = states(silo)
        assert {"services.exe", "rpcss.exe", "spoolsv.exe", "processes.exe"} <= seen.keys()
        assert set(seen.values()) == {psutil.STATUS_STOPPED}
        assert machine.agent_of(silo.host).status() != psutil.STATUS_STOPPED
        assert psutil.STATUS_STOPPED not in states(other).values()
        assert other.run("cmd", "/c", "echo works").strip() == "works"
        assert other.silo.service("Spooler").start().state == "running"
        assert new_silo().silo.info().state == "running"
        cli.ok("resume", silo.name)
        assert silo.silo.info().state == "running"
        assert psutil.STATUS_STOPPED not in states(silo).values()
    assert silo.silo.service("Spooler").info().state == "running"
    assert silo.silo.service("Spooler").stop().state == "stopped"


def test_goes_on_where_it_was(silo: TemporarySilo) -> None:
    """A program that waits for time and one that waits for input come to their ends."""
    command = "ping -n 3 127.0.0.1 > nul & set /p line= & call echo got %line%"
    with silo.silo.popen(["cmd", "/v:on", "/c", command], stdin=PIPE, stdout=PIPE) as program:
        wait_until(lambda: any(process.name.lower() == "ping.exe" for process in silo.silo.ps()), "ping runs")
        for _ in range(3):
            silo.silo.suspend()
            silo.silo.resume()
        silo.silo.suspend()
        assert program.stdin is not None
        program.stdin.write(b"something\r\n")
        program.stdin.flush()
        silo.silo.resume()
        output, _ = program.communicate(timeout=60)
    assert program.returncode == 0
    assert b"got something" in output


def test_while_it_starts_programs(silo: TemporarySilo) -> None:
    """One that starts others all the time leaves none behind that runs."""
    loop = "for /l %i in (1,1,1000) do @cmd /c exit"
    with silo.silo.popen(["cmd", "/c", loop], stdout=PIPE) as program:
        for _ in range(5):
            wait_until(lambda: len(silo.silo.ps()) > 4, "the loop runs")
            silo.silo.suspend()
            before = {process.pid for process in silo.silo.ps()}
            assert set(states(silo).values()) == {psutil.STATUS_STOPPED}
            assert {process.pid for process in silo.silo.ps()} == before
            silo.silo.resume()
        program.terminate()


def test_what_can_be_done_meanwhile(cli: Cli, silo: TemporarySilo, tmp_path: Path) -> None:
    name = silo.name
    (tmp_path / "file").write_text("content")
    silo.silo.suspend()
    cli.ok("cp", str(tmp_path / "file"), rf"{name}:C:\file")
    assert any(row["name"] == "services.exe" for row in cli("ps", name, "--json").json())
    for words, code in (
        (("exec", name, "cmd"), 125),
        (("service", name, "ls"), 1),
        (("start", name), 1),
        (("suspend", name), 1),
    ):
        result = cli(*words)
        assert result.code == code, result
        assert "is suspended" in result.err, result
        assert f"silo resume {name}" in result.err, result
    assert cli("rm", name).code == 1
    assert cli("clone", name, "copy-of-suspended").code == 1
    assert cli("host", "status", "--json").json()["silos_running"] >= 1
    cli.ok("resume", name)
    assert silo.run("cmd", "/c", r"type C:\file").strip() == "content"


def test_wrong_states(cli: Cli, silo: TemporarySilo) -> None:
    with pytest.raises(SiloRunning):
        silo.silo.resume()
    silo.silo.suspend()
    with pytest.raises(SiloSuspended):
        silo.silo.suspend()
    silo.silo.stop()
    with pytest.raises(SiloNotRunning):
        silo.silo.suspend()
    with pytest.raises(SiloNotRunning):
        silo.silo.resume()
    result = cli("suspend", silo.name, "no-such-silo")
    assert result.code == 1
    assert "silo start" in result.err
    assert "no-such-silo" in result.err


def test_stop_and_restart(silo: TemporarySilo) -> None:
    """Both resume it first: services stop in order, and what was written is kept."""
    silo.silo.service("Spooler").start()
    silo.reg_set(r"HKLM\Software\Kept", "a", "b")
    silo.silo.suspend()
    assert silo.silo.restart().state == "running"
    assert silo.reg_get(r"HKLM\Software\Kept", "a") == "b"
    silo.silo.suspend()
    assert silo.silo.stop().state == "stopped"
    assert not any("were not stopped" in line.text for line in silo.silo.logs())
    silo.silo.start()
    assert silo.reg_get(r"HKLM\Software\Kept", "a") == "b"


def test_remove(cli: Cli, silo: TemporarySilo) -> None:
    silo.silo.suspend()
    cli.ok("rm", "-f", silo.name)
    assert cli("inspect", silo.name).code == 1
