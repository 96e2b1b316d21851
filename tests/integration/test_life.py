"""The life of a silo: create, start, stop, restart, clone, remove; what survives what."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from helpers import Cli, Machine, TemporarySilo, wait_until

from winesilo import Host
from winesilo.errors import SiloNotFound, SiloRunning
from winesilo.host.paths import HostPaths

NewSilo = Callable[..., TemporarySilo]
KEY = r"HKLM\Software\Life"
#: A key of the base that nothing in these tests needs.
BASE_KEY = r"HKLM\Software\Microsoft\Windows NT\CurrentVersion\ProfileList"


def test_from_create_to_rm(cli: Cli, host: Host) -> None:
    name = "life"
    cli.ok("create", name)
    assert cli("inspect", name, "--json").json()["state"] == "stopped"
    cli.ok("start", name)
    info = cli("inspect", name, "--json").json()
    assert info["state"] == "running"
    assert info["processes"] >= 2
    assert info["memory_pss_bytes"] > 1 << 20
    assert info["private_bytes"] <= 1 << 20
    assert psutil.pid_exists(host.status().pid or 0)
    cli.ok("restart", name)
    assert cli("inspect", name, "--json").json()["state"] == "running"
    cli.ok("stop", name)
    info = cli("inspect", name, "--json").json()
    assert (info["state"], info["processes"]) == ("stopped", 0)
    cli.ok("rm", name)
    assert name not in {silo["name"] for silo in cli("ls", "--json").json()}


def test_json_documents(cli: Cli, silo: TemporarySilo) -> None:
    for words in (
        ("ls",),
        ("inspect", silo.name),
        ("ps", silo.name),
        ("service", silo.name, "ls"),
        ("service", silo.name, "show", "RpcSs"),
        ("host", "status"),
    ):
        result = cli(*words, "--json")
        assert result.json(), words
        assert result.err == ""
        assert result.out == json.dumps(result.json(), indent=2, ensure_ascii=False) + "\n"


def test_plain_listings(cli: Cli, silo: TemporarySilo) -> None:
    assert silo.silo.address in cli.ok("ls")
    assert "running" in cli.ok("inspect", silo.name)
    assert "rpcss.exe" in cli.ok("ps", silo.name)
    assert "RpcSs" in cli.ok("service", silo.name, "ls")


def test_several_at_once_on_the_command_line(cli: Cli, new_silo: NewSilo) -> None:
    names = [new_silo(start=False).name for _ in range(3)]
    cli.ok("start", *names)
    states = {silo["name"]: silo["state"] for silo in cli("ls", "--json").json()}
    assert [states[name] for name in names] == ["running"] * 3
    cli.ok("stop", *names)
    cli.ok("rm", *names)


def test_one_failure_does_not_stop_the_others(cli: Cli, new_silo: NewSilo) -> None:
    name = new_silo(start=False).name
    result = cli("start", "no-such-silo", name)
    assert result.code == 1
    assert result.err.startswith("silo: there is no silo 'no-such-silo'\n")
    assert cli("inspect", name, "--json").json()["state"] == "running"


def test_two_starts_at_the_same_time(new_silo: NewSilo) -> None:
    silos = [new_silo(start=False) for _ in range(2)]
    with ThreadPoolExecutor() as pool:
        infos = list(pool.map(lambda silo: silo.silo.start(), silos))
    assert [info.state for info in infos] == ["running", "running"]
    for silo in silos:
        assert silo.silo.service("RpcSs").info().state == "running"


def test_the_same_silo_started_twice_at_once(new_silo: NewSilo) -> None:
    silo = new_silo(start=False)

    def start() -> str:
        try:
            return silo.silo.start().state
        except SiloRunning:
            return "refused"

    with ThreadPoolExecutor() as pool:
        results = [future.result() for future in [pool.submit(start), pool.submit(start)]]
    assert sorted(results) == ["refused", "running"]


def test_registry_survives_stop_and_start(silo: TemporarySilo) -> None:
    silo.reg_set(KEY, "a", "kept")
    silo.reg_set(r"HKCU\Software\Life", "a", "kept too")
    silo.run("reg", "delete", BASE_KEY, "/f")
    silo.silo.stop()
    silo.silo.start()
    assert silo.reg_get(KEY, "a") == "kept"
    assert silo.reg_get(r"HKCU\Software\Life", "a") == "kept too"
    assert silo.silo.run(["reg", "query", BASE_KEY]).returncode != 0


def test_files_survive_stop_and_start(silo: TemporarySilo) -> None:
    silo.run("cmd", "/c", r"mkdir C:\life & echo kept>C:\life\file.txt")
    silo.silo.stop()
    silo.silo.start()
    assert silo.run("cmd", "/c", r"type C:\life\file.txt").strip() == "kept"


def test_registry_survives_a_crash(host: Host, silo: TemporarySilo) -> None:
    """It is saved within seconds; killing everything at once loses nothing that was saved."""
    hive = silo.silo.info().directory
    assert hive is not None
    path = Path(hive) / "registry.hive"
    silo.reg_set(KEY, "before", "crash")
    wait_until(lambda: b"crash" in path.read_bytes(), "the hive is saved", 10)
    pid = host.status().pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not psutil.pid_exists(pid), "the daemon is gone")
    assert silo.silo.info().state == "stopped"
    silo.silo.start()
    assert silo.reg_get(KEY, "before") == "crash"


def test_a_killed_daemon_leaves_nothing_running(host: Host, machine: Machine, silo: TemporarySilo) -> None:
    silo.silo.service("Spooler").start()
    machine.stop_others(host)
    pid = host.status().pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: machine.processes() == [], "its processes are gone")
    assert machine.mounts() == []
    assert not host.running
    note = HostPaths.of(host.name).server_note
    old = Path(note.read_text().strip())
    silo.silo.start()
    assert silo.silo.info().state == "running"
    assert not old.exists(), "the killed wineserver's directory was swept"
    host.stop(force=True)
    assert not note.exists()


def test_a_killed_scm_is_noticed(silo: TemporarySilo) -> None:
    silo.silo.run(["taskkill", "/f", "/im", "services.exe"])  # may be ended with the rest before it is done
    wait_until(lambda: silo.silo.info().state == "failed", "the silo counts as failed")
    assert silo.silo.info().error
    silo.silo.start()
    assert silo.silo.info().state == "running"


def test_clone(new_silo: NewSilo, host: Host) -> None:
    source = new_silo()
    source.run("cmd", "/c", r"echo common>C:\common.txt")
    source.reg_set(KEY, "a", "common")
    with pytest.raises(SiloRunning):
        source.silo.clone("never")
    source.silo.stop()
    with source.silo.clone("life-clone") as clone:
        twin = TemporarySilo(host)
        twin.name = clone.name
        assert twin.reg_get(KEY, "a") == "common"
        assert twin.run("cmd", "/c", r"type C:\common.txt").strip() == "common"
        twin.run("cmd", "/c", r"echo own>C:\common.txt")
        twin.reg_set(KEY, "a", "own")
        source.silo.start()
        assert source.run("cmd", "/c", r"type C:\common.txt").strip() == "common"
        assert source.reg_get(KEY, "a") == "common"
        assert clone.address != source.silo.address
        source.silo.remove(force=True)
        assert twin.run("cmd", "/c", r"type C:\common.txt").strip() == "own"
    with pytest.raises(SiloNotFound):
        clone.info()


def test_windows_version(host: Host, cli: Cli) -> None:
    cli.ok("create", "version", "--windows", "win10")
    try:
        cli.ok("start", "version")
        assert "10.0" in cli.ok("exec", "version", "--", "cmd", "/c", "ver")
        assert cli("inspect", "version", "--json").json()["windows"] == "win10"
    finally:
        host.silo("version").remove(force=True)


def test_address(host: Host, cli: Cli) -> None:
    cli.ok("create", "address", "--address", "127.7.0.77")
    try:
        assert host.silo("address").address == "127.7.0.77"
        result = cli("create", "other", "--address", "127.7.0.77")
        assert result.code == 1
        assert "127.7.0.77" in result.err
    finally:
        host.silo("address").remove()


def test_context_managers(host: Host) -> None:
    with host.create("managed") as silo:
        assert silo.info().state == "running"
    with pytest.raises(SiloNotFound):
        silo.info()
    host.create("kept")
    try:
        with host.silo("kept") as kept:
            assert kept.info().state == "running"
        assert kept.info().state == "stopped"
    finally:
        host.silo("kept").remove(force=True)
