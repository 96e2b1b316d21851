"""The silo's service control manager: dependencies, groups, shared processes, failures, controls."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers import Cli, TemporarySilo

from winesilo import Service
from winesilo.errors import ServiceDied, ServiceError, ServiceStartFailed

Guest = Callable[[str], Path]
PATIENCE_S = 30.0


class Services:
    """Services made of the test program in one silo."""

    def __init__(self, silo: TemporarySilo) -> None:
        self.silo = silo.silo
        self._silo = silo

    def make(self, name: str, mode: str = "normal", **options: Any) -> Service:
        """A service that runs ``testsvc.exe MODE``."""
        return self.silo.create_service(name, rf"C:\testsvc.exe {mode}", **options)

    def log(self) -> list[str]:
        """What the services have noted, in order."""
        done = self.silo.run(["cmd", "/c", r"if exist C:\testsvc.log type C:\testsvc.log"])
        return done.stdout.splitlines()

    def state(self, name: str) -> str:
        """The state word."""
        return self.silo.service(name).info().state

    def sc(self, *words: str) -> str:
        """The output of ``sc.exe`` in the silo."""
        return self._silo.run("sc", *words)

    def await_true(self, condition: Callable[[], bool]) -> None:
        """Wait, with a deadline, until something that is only seen by looking is so."""
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline, "it did not come true in time"
            time.sleep(0.05)


@pytest.fixture
def services(silo: TemporarySilo, guest: Guest) -> Services:
    silo.silo.copy_in(guest("testsvc"), "C:\\")
    return Services(silo)


def group(services: Services, *names: str) -> None:
    """Services of the test DLL in the svchost group ``tests``."""
    svchost = r"HKLM\Software\Microsoft\Windows NT\CurrentVersion\Svchost"
    reg = ["reg", "add"]
    done = services.silo.run(
        [*reg, svchost, "/v", "tests", "/t", "REG_MULTI_SZ", "/d", r"\0".join(names), "/f"]
    )
    assert done.returncode == 0, done
    for name in names:
        services.silo.create_service(
            name, r"C:\windows\system32\svchost.exe -k tests", service_type="share-process"
        )
        parameters = rf"HKLM\System\CurrentControlSet\Services\{name}\Parameters"
        done = services.silo.run([*reg, parameters, "/v", "ServiceDll", "/d", r"C:\testdll.dll", "/f"])
        assert done.returncode == 0, done


# -- dependencies -------------------------------------------------------------------------------


def test_dependencies_start_first_and_stop_last(services: Services) -> None:
    services.make("Bottom")
    services.make("Middle", dependencies=["Bottom", "Tcpip"])
    top = services.make("Top", dependencies=["Middle"])
    top.start()
    assert [line for line in services.log() if line.startswith("run")] == [
        "run Bottom",
        "run Middle",
        "run Top",
    ]
    bottom = services.silo.service("Bottom")
    assert list(bottom.info().dependents) == ["Top", "Middle"]
    with pytest.raises(ServiceError) as caught:
        bottom.stop()
    assert caught.value.code == 1051
    bottom.stop(with_dependents=True)
    stops = [line for line in services.log() if line.startswith("stop")]
    assert stops == ["stop Top", "stop Middle", "stop Bottom"]


@pytest.mark.parametrize(
    ("dependencies", "code"),
    [(["NoSuch"], 1075), (["Fails"], 1068), (["Off"], 1068), (["Circle"], 1059)],
)
def test_dependencies_that_do_not_work(services: Services, dependencies: list[str], code: int) -> None:
    services.make("Fails", "fails")
    services.make("Off", start_type="disabled")
    services.make("Circle", dependencies=["Needs"])
    service = services.make("Needs", dependencies=dependencies)
    with pytest.raises(ServiceError) as caught:
        service.start()
    assert caught.value.code == code
    assert services.state("Needs") == "stopped"


def test_group_dependency_takes_one_member(services: Services) -> None:
    services.make("GroupBad", "fails", group="TestGroup")
    services.make("GroupGood", group="TestGroup")
    service = services.make("NeedsGroup", dependencies=["+TestGroup"])
    assert service.start().state == "running"
    assert list(service.info().dependencies) == ["+TestGroup"]
    assert services.state("GroupGood") == "running"
    with pytest.raises(ServiceError) as caught:
        services.silo.service("GroupGood").stop()
    assert caught.value.code == 1051


def test_automatic_start_by_groups(services: Services) -> None:
    order = r"HKLM\System\CurrentControlSet\Control\ServiceGroupOrder"
    add = ["reg", "add", order, "/v", "List", "/t", "REG_MULTI_SZ", "/d", r"First\0Second", "/f"]
    assert services.silo.run(add).returncode == 0
    services.make("InSecond", start_type="auto", group="Second")
    services.make("InFirst", start_type="auto", group="First")
    services.silo.restart()
    services.await_true(lambda: services.state("InSecond") == "running")
    runs = [line for line in services.log() if line.startswith("run")]
    assert runs == ["run InFirst", "run InSecond"]


def test_delayed_start(services: Services) -> None:
    control = r"HKLM\System\CurrentControlSet\Control"
    add = ["reg", "add", control, "/v", "AutoStartDelay", "/t", "REG_DWORD", "/d", "500", "/f"]
    assert services.silo.run(add).returncode == 0
    services.make("Later", start_type="auto", delayed_start=True)
    services.make("Soon", start_type="auto")
    assert services.silo.service("Later").info().delayed_start
    services.silo.restart()
    services.await_true(lambda: services.state("Later") == "running")
    assert [line for line in services.log() if line.startswith("run")] == ["run Soon", "run Later"]


# -- processes ----------------------------------------------------------------------------------


def test_shared_process(services: Services) -> None:
    for name in ("One", "Two"):
        services.make(name, "shared One Two", service_type="share-process")
    one, two = (services.silo.service(name) for name in ("One", "Two"))
    assert one.start().pid == two.start().pid
    one.stop()
    assert (one.info().state, two.info().state) == ("stopped", "running")
    assert one.start().pid == two.info().pid


def test_service_that_is_not_in_its_program(services: Services) -> None:
    for name in ("One", "Stranger"):
        services.make(name, "shared One Two", service_type="share-process")
    with pytest.raises(ServiceError) as caught:
        services.silo.service("Stranger").start()
    assert caught.value.code == 1083


def test_svchost_group(services: Services, guest: Guest) -> None:
    services.silo.copy_in(guest("testsvc").with_name("testdll.dll"), "C:\\")
    group(services, "GoodOne", "GoodTwo", "Lost")
    broken = r"HKLM\System\CurrentControlSet\Services\Lost\Parameters"
    change = ["reg", "add", broken, "/v", "ServiceDll", "/d", r"C:\no-such.dll", "/f"]
    assert services.silo.run(change).returncode == 0
    one, two, lost = (services.silo.service(name) for name in ("GoodOne", "GoodTwo", "Lost"))
    pid = one.start().pid
    assert two.start().pid == pid
    with pytest.raises(ServiceStartFailed) as caught:
        lost.start()
    assert caught.value.code == 126, "ERROR_MOD_NOT_FOUND"
    one.stop()
    assert (one.info().state, two.info().state) == ("stopped", "running")
    assert one.start().pid == pid


def test_crash_in_a_svchost_group(services: Services, guest: Guest) -> None:
    services.silo.copy_in(guest("testsvc").with_name("testdll.dll"), "C:\\")
    group(services, "GoodOne", "Crasher")
    services.silo.service("GoodOne").start()
    with contextlib.suppress(ServiceDied):  # it reports that it runs before it crashes
        services.silo.service("Crasher").start()
    services.await_true(lambda: services.state("GoodOne") == "dead")
    info = services.silo.service("Crasher").info()
    assert (info.state, info.win32_exit_code, info.process_exit_code) == ("dead", 1067, 0xC0000005)
    assert services.silo.service("GoodOne").start().state == "running"


# -- failures -----------------------------------------------------------------------------------


def test_death_is_seen_by_programs_inside(services: Services) -> None:
    service = services.make("Mortal")
    pid = service.start().pid
    assert services.silo.run(["taskkill", "/f", "/pid", str(pid)]).returncode == 0
    services.await_true(lambda: services.state("Mortal") == "dead")
    assert "1067" in services.sc("query", "Mortal")


def test_restart_after_failure(services: Services) -> None:
    service = services.make("Phoenix", failure_actions=["restart:100", "none"], failure_reset_s=3600)
    info = service.start()
    assert (list(info.failure_actions), info.failure_reset_s) == (["restart:100", "none:0"], 3600)
    kill = ["taskkill", "/f", "/pid"]
    assert services.silo.run([*kill, str(info.pid)]).returncode == 0
    services.await_true(lambda: services.state("Phoenix") == "running")
    again = service.info()
    assert (again.failures, again.pid != info.pid) == (1, True)
    assert services.silo.run([*kill, str(again.pid)]).returncode == 0
    services.await_true(lambda: service.info().failures == 2)
    assert services.state("Phoenix") == "dead"


def test_command_after_failure(services: Services) -> None:
    service = services.make(
        "Caller", failure_actions=["run"], failure_command=r"cmd /c echo fail=%1% > C:\failed.txt"
    )
    pid = service.start().pid
    assert services.silo.run(["taskkill", "/f", "/pid", str(pid)]).returncode == 0
    read = ["cmd", "/c", r"if exist C:\failed.txt type C:\failed.txt"]
    services.await_true(lambda: "fail=1" in services.silo.run(read).stdout)


@pytest.mark.parametrize("on_error", [True, False])
def test_stop_with_an_error(services: Services, on_error: bool) -> None:
    service = services.make(
        "Faulty", "fails-late", failure_actions=["none"], failure_on_error=on_error, failure_reset_s=60
    )
    service.start()
    services.await_true(lambda: services.state("Faulty") == "stopped")
    info = service.info()
    assert (info.win32_exit_code, info.failures, info.failure_on_error) == (42, int(on_error), on_error)


def test_death_at_start(services: Services) -> None:
    service = services.make("Still", "dies-late", failure_actions=["none"])
    with pytest.raises(ServiceDied) as caught:
        service.start()
    assert caught.value.code == 1067
    assert service.info().process_exit_code == 4


# -- controls -----------------------------------------------------------------------------------


def test_pause_continue_and_own_controls(services: Services, cli: Cli) -> None:
    name = services.silo.name
    services.make("Pausing", "pauses").start()
    assert cli("service", name, "pause", "Pausing", "--json").json()["state"] == "paused"
    assert "PAUSED" in services.sc("query", "Pausing").upper()
    assert cli("service", name, "continue", "Pausing", "--json").json()["state"] == "running"
    cli.ok("service", name, "control", "Pausing", "200")
    assert "control 200 Pausing" in services.log()
    services.make("Plain").start()
    refused = cli("service", name, "pause", "Plain")
    assert (refused.code, "1052" in refused.err) == (1, True)
    refused = cli("service", name, "control", "Spooler", "200")
    assert (refused.code, "1062" in refused.err) == (1, True)


def test_shutdown_order_and_preshutdown(services: Services) -> None:
    services.make("Base")
    services.make("Early", "preshutdown", dependencies=["Base"])
    services.silo.service("Early").start()
    services.silo.restart()
    lines = [line for line in services.log() if not line.startswith(("begin", "run"))]
    assert lines == ["control 15 Early", "stop Early", "control 1 Base", "stop Base", *lines[4:]]
    assert not any(lines[4:])


# -- configuration ------------------------------------------------------------------------------


def test_configuration_on_the_command_line(services: Services, cli: Cli) -> None:
    name = services.silo.name
    words = (
        "--failure-action", "restart:250", "--failure-action", "run", "--failure-reset", "60",
        "--failure-command", "cmd /c exit", "--failure-on-error", "--depends-on", "RpcSs",
        "--depends-on", "+Grp", "--group", "Mine", "--type", "share-process",
    )  # fmt: skip
    made = cli("service", name, "create", "Full", r"C:\x.exe", *words, "--json").json()
    assert made["failure_actions"] == ["restart:250", "run:0"]
    assert made["dependencies"] == ["RpcSs", "+Grp"]
    assert (made["type"], made["group"]) == ("share-process", "Mine")
    changed = cli(
        "service", name, "config", "Full", "--depends-on", "", "--failure-action", "", "--json"
    ).json()
    assert (changed["dependencies"], changed["failure_actions"]) == ([], [])
    assert changed["failure_command"] == "cmd /c exit"
    assert cli("service", name, "dependents", "RpcSs", "--json").json() == []
    assert cli("service", name, "config", "Full", "--failure-action", "explode").code == 2


def test_deletion_waits_for_the_last_handle(services: Services) -> None:
    service = services.make("Doomed")
    service.start()
    assert services.silo.run(["sc", "delete", "Doomed"]).returncode == 0
    with pytest.raises(ServiceError) as caught:
        services.make("Doomed")
    assert caught.value.code == 1072
    service.stop()
    services.await_true(lambda: "Doomed" not in {info.name for info in services.silo.services()})


@pytest.mark.parametrize(
    ("command", "code"),
    [(r"C:\no-such-program.exe", 2), (r"C:\testsvc.log", 193)],
)
def test_programs_that_can_not_run(services: Services, command: str, code: int) -> None:
    assert services.silo.run(["cmd", "/c", r"echo no program > C:\testsvc.log"]).returncode == 0
    service = services.silo.create_service("Bad", command)
    with pytest.raises(ServiceError) as caught:
        service.start()
    assert caught.value.code == code
