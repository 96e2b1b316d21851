"""Services through the silo's own SCM: states, errors in words, services with bad manners."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from helpers import Cli, TemporarySilo

from winesilo.errors import ServiceDied, ServiceError, ServiceStartFailed, ServiceTimeout

Guest = Callable[[str], Path]


@pytest.fixture
def with_program(silo: TemporarySilo, guest: Guest) -> TemporarySilo:
    silo.silo.copy_in(guest("testsvc"), "C:\\")
    return silo


def make(silo: TemporarySilo, mode: str) -> str:
    silo.silo.create_service(mode, rf"C:\testsvc.exe {mode}")
    return mode


def test_create_to_delete(cli: Cli, with_program: TemporarySilo) -> None:
    name = with_program.name
    created = cli(
        "service", name, "create", "Mine", r"C:\testsvc.exe normal",
        "--display-name", "My service", "--depends-on", "RpcSs", "--description", "A sentence", "--json",
    ).json()  # fmt: skip
    assert (created["state"], created["display_name"]) == ("stopped", "My service")
    assert created["dependencies"] == ["RpcSs"]
    assert created["description"] == "A sentence"
    started = cli("service", name, "start", "Mine", "one", "two words", "--json").json()
    assert started["state"] == "running"
    assert started["pid"]
    assert "stop" in started["controls"]
    arguments = with_program.run("cmd", "/c", r"type C:\testsvc-Mine.txt").splitlines()
    assert arguments[-2:] == ["one", "two words"]
    assert cli("service", name, "restart", "Mine", "--json").json()["pid"] != started["pid"]
    stopped = cli("service", name, "stop", "Mine", "--json").json()
    assert (stopped["state"], stopped["pid"], stopped["win32_exit_code"]) == ("stopped", None, 0)
    changed = cli("service", name, "config", "Mine", "--start-type", "auto", "--json").json()
    assert changed["start_type"] == "auto"
    cli.ok("service", name, "delete", "Mine")
    result = cli("service", name, "show", "Mine")
    assert result.code == 1
    assert "1060" in result.err


def test_auto_start(with_program: TemporarySilo) -> None:
    with_program.silo.create_service("Auto", r"C:\testsvc.exe normal", start_type="auto")
    with_program.silo.restart()
    info = with_program.silo.service("Auto").info()
    assert info.state in ("running", "start-pending")


@pytest.mark.parametrize(
    ("mode", "error"),
    [
        ("dies", ServiceError),
        ("dies-late", ServiceDied),
        ("fails", ServiceStartFailed),
        ("never", ServiceError),
        ("hangs", ServiceTimeout),
    ],
)
def test_bad_manners_at_start(
    with_program: TemporarySilo, cli: Cli, mode: str, error: type[Exception]
) -> None:
    """Each failure has its code, and leaves the SCM able to start other services."""
    service = make(with_program, mode)
    with pytest.raises(error):
        with_program.silo.service(service).start(timeout=20)
    result = cli("service", with_program.name, "start", service, "--timeout", "20")
    assert result.code == 1, result
    assert result.err.startswith("silo: "), result
    assert with_program.silo.service("Spooler").start().state == "running"


def test_death_is_noticed(with_program: TemporarySilo) -> None:
    service = with_program.silo.service(make(with_program, "normal"))
    pid = service.start().pid
    assert with_program.silo.run(["taskkill", "/f", "/pid", str(pid)]).returncode == 0
    assert service.info().state in ("dead", "stopped")
    assert service.start().state == "running"


@pytest.mark.parametrize("mode", ["lingers", "undead", "stays"])
def test_bad_manners_at_stop(with_program: TemporarySilo, mode: str) -> None:
    service = with_program.silo.service(make(with_program, mode))
    pid = service.start().pid
    stopped = service.stop(timeout=3, force=True)
    assert stopped.state == "stopped"
    assert pid not in {process.pid for process in with_program.silo.ps()}


def test_stop_refused_without_force(with_program: TemporarySilo, cli: Cli) -> None:
    service = make(with_program, "stays")
    with_program.silo.service(service).start()
    result = cli("service", with_program.name, "stop", service)
    assert result.code == 1
    assert with_program.silo.service(service).info().state == "running"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("show", "NoSuch"), "1060"),
        (("start", "NoSuch"), "1060"),
        (("stop", "NoSuch"), "1060"),
        (("delete", "NoSuch"), "1060"),
        (("start", "RpcSs"), "1056"),
        (("stop", "Spooler"), "1062"),
        (("create", "Spooler", "C:\\x.exe"), "1073"),
        (("start", "Off"), "1058"),
    ],
)
def test_errors_carry_the_windows_code(
    cli: Cli, silo: TemporarySilo, words: tuple[str, ...], code: str
) -> None:
    silo.silo.create_service("Off", r"C:\off.exe", start_type="disabled")
    result = cli("service", silo.name, *words)
    assert result.code == 1, result
    assert code in result.err, result
    assert "ERROR_" in result.err, result


def test_service_of_a_stopped_silo(cli: Cli, new_silo: Callable[..., TemporarySilo]) -> None:
    result = cli("service", new_silo(start=False).name, "ls")
    assert result.code == 1
    assert "silo start" in result.err


def test_bad_configuration(cli: Cli, silo: TemporarySilo) -> None:
    for words in (
        ("create", "", "C:\\x.exe"),
        ("create", "a/b", "C:\\x.exe"),
        ("create", "n" * 300, "C:\\x.exe"),
        ("create", "Empty", ""),
        ("create", "Delayed", "C:\\x.exe", "--delayed-start"),
        ("config", "Spooler"),
        ("config", "Spooler", "--start-type", "sometimes"),
    ):
        result = cli("service", silo.name, *words)
        assert result.code == 2, (words, result)


def test_an_essential_service_that_the_scm_has_not_started_is_started(silo: TemporarySilo) -> None:
    """As on a busy machine, where the SCM gives up waiting for it; or where somebody has set it so."""
    silo.silo.service("RpcSs").config(start_type="demand")
    silo.silo.restart()
    assert silo.silo.service("RpcSs").info().state == "running"
