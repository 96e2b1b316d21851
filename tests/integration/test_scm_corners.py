"""The silo's service control manager where it is seldom used: order at boot, time-outs, programs, names."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers import Cli, TemporarySilo, wait_until
from test_scm import Services, group

from winesilo.errors import ServiceDied, ServiceError, ServiceStartFailed, ServiceTimeout

Guest = Callable[[str], Path]
CONTROL = r"HKLM\System\CurrentControlSet\Control"
SERVICES = r"HKLM\System\CurrentControlSet\Services"
#: How long the SCM waits for a program's answer in tests of that; as short as a loaded machine allows.
PIPE_TIMEOUT_MS = 3000


@pytest.fixture
def services(silo: TemporarySilo, guest: Guest) -> Services:
    silo.silo.copy_in(guest("testsvc"), "C:\\")
    return Services(silo)


@pytest.fixture
def impatient(services: Services) -> Services:
    """Its SCM waits for programs for a short time only."""
    reg_add(services, CONTROL, "ServicesPipeTimeout", "REG_DWORD", str(PIPE_TIMEOUT_MS))
    services.silo.restart()
    return services


def reg_add(services: Services, key: str, value: str, kind: str, data: str) -> None:
    done = services.silo.run(["reg", "add", key, "/v", value, "/t", kind, "/d", data, "/f"])
    assert done.returncode == 0, done


def await_state(services: Services, name: str, state: str) -> None:
    services.await_true(lambda: services.state(name) == state)


def said(services: Services, name: str, text: str) -> bool:
    """Whether the SCM has said this of a service."""
    return any(text in line.text for line in services.silo.logs(name))


def kill(services: Services, pid: int | None) -> None:
    assert services.silo.run(["taskkill", "/f", "/pid", str(pid)]).returncode == 0


def read(services: Services, path: str) -> str:
    return services.silo.run(["cmd", "/c", f"if exist {path} type {path}"]).stdout


def machine_changed(program: Path, machine: int) -> bytes:
    """The program as one for another processor: PE format, "Machine Types"."""
    data = bytearray(program.read_bytes())
    (header,) = struct.unpack_from("<I", data, 0x3C)
    struct.pack_into("<H", data, header + 4, machine)
    return bytes(data)


# -- the order at boot --------------------------------------------------------------------------


def test_tags_order_a_group(services: Services) -> None:
    """As GroupOrderList has them, then those with another tag, then those without; then the next group."""
    reg_add(services, rf"{CONTROL}\ServiceGroupOrder", "List", "REG_MULTI_SZ", r"Tagged\0Second")
    order = struct.pack("<4I", 3, 3, 1, 2).hex()
    reg_add(services, rf"{CONTROL}\GroupOrderList", "Tagged", "REG_BINARY", order)
    for name, tag in (("Bare", 0), ("One", 1), ("Two", 2), ("Unlisted", 9), ("Three", 3)):
        services.make(name, start_type="auto", group="Tagged")
        if tag:
            reg_add(services, rf"{SERVICES}\{name}", "Tag", "REG_DWORD", str(tag))
    services.make("Without", start_type="auto")
    services.make("After", start_type="auto", group="Second")
    services.silo.restart()
    services.await_true(lambda: services.state("Without") == "running")
    began = [line.removeprefix("begin ") for line in services.log() if line.startswith("begin")]
    assert began == ["Three", "One", "Two", "Unlisted", "Bare", "After", "Without"]


@pytest.mark.parametrize("data", ["", "03", "ffffffff01000000", "00000000"])
def test_group_order_that_makes_no_sense(services: Services, data: str) -> None:
    """It is read as far as it goes; every service starts."""
    reg_add(services, rf"{CONTROL}\GroupOrderList", "Tagged", "REG_BINARY", data)
    for name, tag in (("One", "1"), ("Two", "2")):
        services.make(name, start_type="auto", group="Tagged")
        reg_add(services, rf"{SERVICES}\{name}", "Tag", "REG_DWORD", tag)
    services.silo.restart()
    for name in ("One", "Two"):
        await_state(services, name, "running")


# -- failures -----------------------------------------------------------------------------------


def test_failures_are_forgotten_after_the_reset_period(services: Services) -> None:
    """The count falls back, and the next failure takes the first action again."""
    service = services.make("Forgets", failure_actions=["restart:0", "none"], failure_reset_s=6)
    pids = [service.start().pid]
    for _ in range(2):
        kill(services, pids[-1])
        services.await_true(lambda: service.info().pid not in (None, *pids))
        assert service.info().failures == 1
        services.await_true(lambda: service.info().failures == 0)
        pids.append(service.info().pid)
    assert services.state("Forgets") == "running"


def test_reboot_after_failure_is_only_logged(services: Services) -> None:
    service = services.make("Wishes", failure_actions=["reboot:0"], failure_reset_s=600)
    kill(services, service.start().pid)
    services.await_true(lambda: said(services, "Wishes", "has failed, and asks for a reboot"))
    assert services.state("Wishes") == "dead"
    assert services.silo.info().state == "running"
    assert service.start().state == "running"


def test_command_after_failure_has_the_count(services: Services) -> None:
    command = r"cmd /c echo [%1%]>> C:\failed.txt"
    service = services.make("Counts", failure_actions=["run:0"], failure_reset_s=600, failure_command=command)
    expected: list[str] = []
    for count in (1, 2, 3):
        expected.append(f"[{count}]")
        kill(services, service.start().pid)
        services.await_true(lambda: read(services, r"C:\failed.txt").split() == expected)
    service.config(failure_command=r"C:\no-such-program.exe")
    kill(services, service.start().pid)
    services.await_true(lambda: said(services, "Counts", "the command for its failure can't run, error 2"))


# -- programs -----------------------------------------------------------------------------------


def test_environment_of_its_own(services: Services) -> None:
    """The value Environment of its key comes on top of what all services get."""
    service = services.silo.create_service("Env", r"cmd /c set > C:\environment.txt")
    reg_add(services, rf"{SERVICES}\Env", "Environment", "REG_MULTI_SZ", r"MINE=some = value\0temp=C:\own")
    with pytest.raises(ServiceError):  # it is no service
        service.start()
    lines = read(services, r"C:\environment.txt").splitlines()
    assert "MINE=some = value" in lines
    assert [line.split("=", 1)[1] for line in lines if line.lower().startswith("temp=")] == [r"C:\own"]
    assert any(line.lower().startswith("systemroot=") for line in lines)


def test_program_for_another_processor(services: Services, guest: Guest, tmp_path: Path) -> None:
    program = tmp_path / "arm.exe"
    program.write_bytes(machine_changed(guest("testsvc"), 0xAA64))
    services.silo.copy_in(program, "C:\\")
    with pytest.raises(ServiceError) as caught:
        services.silo.create_service("Arm", r"C:\arm.exe").start()
    assert caught.value.code == 193, "ERROR_BAD_EXE_FORMAT"
    assert services.state("Arm") == "stopped"


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda dll: machine_changed(dll, 0xAA64), 193),
        (lambda dll: dll.read_bytes().replace(b"ServiceMain\0", b"ServiceMine\0"), 127),
        (lambda _: b"no program", 193),
    ],
    ids=["another processor", "no main function", "no DLL"],
)
def test_service_dll_that_can_not_be_used(
    services: Services, guest: Guest, tmp_path: Path, make: Callable[[Path], bytes], code: int
) -> None:
    """Its own service stops with the loader's error; the others of the process go on."""
    dll = guest("testsvc").with_name("testdll.dll")
    bad = tmp_path / "bad.dll"
    bad.write_bytes(make(dll))
    for file in (dll, bad):
        services.silo.copy_in(file, "C:\\")
    group(services, "GoodOne", "BadOne")
    reg_add(services, rf"{SERVICES}\BadOne\Parameters", "ServiceDll", "REG_SZ", r"C:\bad.dll")
    good = services.silo.service("GoodOne")
    pid = good.start().pid
    with pytest.raises(ServiceStartFailed) as caught:
        services.silo.service("BadOne").start()
    assert caught.value.code == code
    assert (good.info().state, good.info().pid) == ("running", pid)


# -- programs that do not answer ----------------------------------------------------------------


@pytest.mark.parametrize("mode", ["never", "silent"])
def test_start_time_out(impatient: Services, mode: str) -> None:
    """1053 after the SCM's own time-out; the process is ended, and the service can be started again."""
    service = impatient.make("Mute", mode)
    began = time.monotonic()
    with pytest.raises(ServiceTimeout) as caught:
        service.start()
    assert caught.value.code == 1053
    assert time.monotonic() - began >= PIPE_TIMEOUT_MS / 1000
    assert (service.info().state, service.info().win32_exit_code) == ("stopped", 1053)
    wait_until(lambda: not any("testsvc" in p.name for p in impatient.silo.ps()), "its process has ended")
    service.config(binary_path=r"C:\testsvc.exe normal")
    assert service.start().state == "running"


def test_service_dll_that_hangs_in_its_main_function(impatient: Services, guest: Guest) -> None:
    """It alone is given up, unless it is the only one of its process, which is ended then."""
    impatient.silo.copy_in(guest("testsvc").with_name("testdll.dll"), "C:\\")
    group(impatient, "NeverOne", "GoodOne", "GoodTwo")
    never, one, two = (impatient.silo.service(name) for name in ("NeverOne", "GoodOne", "GoodTwo"))
    before = {process.pid for process in impatient.silo.ps()}
    with pytest.raises(ServiceTimeout) as caught:
        never.start()
    assert caught.value.code == 1053
    wait_until(lambda: {p.pid for p in impatient.silo.ps()} <= before, "its process has ended")
    pid = one.start().pid
    with pytest.raises(ServiceTimeout) as caught:
        never.start()
    assert caught.value.code == 1053
    assert (never.info().state, never.info().win32_exit_code, never.info().pid) == ("stopped", 1053, None)
    assert two.start().pid == pid
    assert one.stop().state == "stopped"
    assert two.info().state == "running"


def test_service_dll_that_hangs_in_its_handler(impatient: Services, guest: Guest) -> None:
    """Controls of its whole process time out, as one thread hands them out; afterwards all is well again."""
    impatient.silo.copy_in(guest("testsvc").with_name("testdll.dll"), "C:\\")
    group(impatient, "DeafOne", "GoodOne")
    deaf, good = (impatient.silo.service(name) for name in ("DeafOne", "GoodOne"))
    pid = deaf.start().pid
    assert good.start().pid == pid
    for service, code in ((deaf, 128), (good, 200)):
        with pytest.raises(ServiceError) as caught:
            service.control(code)
        assert caught.value.code == 1053, "ERROR_SERVICE_REQUEST_TIMEOUT"
    assert impatient.silo.service("Spooler").start().state == "running", "others do not wait for it"
    impatient.silo.run(["cmd", "/c", r"echo now > C:\deaf.txt"])
    assert good.control(200).state == "running"
    assert deaf.control(128).state == "running"
    assert deaf.stop().state == "stopped"
    assert (good.info().state, good.info().pid) == ("running", pid)


def test_handler_that_hangs_at_stop(impatient: Services) -> None:
    service = impatient.make("Deaf", "deaf")
    pid = service.start().pid
    with pytest.raises(ServiceError) as caught:
        service.control(129)
    assert caught.value.code == 1053
    stopped = service.stop(timeout=5)
    assert stopped.state == "stopped"
    assert f"its process {pid} was ended" in (stopped.note or "")
    assert service.start().state == "running"


# -- dependencies -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dependencies", "options", "code"),
    [
        (["Needs"], {}, 1059),
        (["+Mine"], {"group": "Mine"}, 1059),
        (["Leaving"], {}, 1075),
        (["+Broken"], {}, 1068),
        (["+NoMember"], {}, 0),
    ],
    ids=["itself", "its own group", "one that is deleted", "a group that fails", "an empty group"],
)
def test_dependencies_that_are_odd(
    services: Services, dependencies: list[str], options: dict[str, Any], code: int
) -> None:
    services.make("Fails", "fails", group="Broken")
    leaving = services.make("Leaving")
    leaving.start()
    assert services.silo.run(["sc", "delete", "Leaving"]).returncode == 0
    service = services.make("Needs", dependencies=dependencies, **options)
    if not code:
        assert service.start().state == "running"
        return
    with pytest.raises(ServiceError) as caught:
        service.start()
    assert caught.value.code == code
    assert services.state("Needs") == "stopped"


# -- names --------------------------------------------------------------------------------------


def test_the_longest_names(services: Services, cli: Cli) -> None:
    """256 characters are a name, for the service and for people; more are none."""
    name, display = "n" * 256, "d" * 256
    service = services.make(name, display_name=display)
    assert service.start().state == "running"
    assert services.sc("query", name).count(name) == 1
    assert service.info().display_name == display
    service.stop()
    services.silo.restart()
    assert service.start().state == "running"
    listing = cli("service", services.silo.name, "ls", "--json").json()
    assert {row["display_name"] for row in listing if row["name"] == name} == {display}
    service.stop()
    service.delete()
    assert name not in {info.name for info in services.silo.services()}
    refused = cli("service", services.silo.name, "create", "n" * 257, r"C:\x.exe")
    assert refused.code == 2, refused
    with pytest.raises(ServiceError) as caught:
        services.make("Short", display_name="d" * 257)
    assert caught.value.code == 123, "ERROR_INVALID_NAME"
    short = services.make("Short")
    with pytest.raises(ServiceError) as caught:
        short.config(display_name="d" * 257)
    assert caught.value.code == 87, "ERROR_INVALID_PARAMETER"


def test_death_in_a_dependency(services: Services) -> None:
    """What needs it goes on; only a start looks at it."""
    below = services.make("Below")
    above = services.make("Above", dependencies=["Below"])
    above.start()
    kill(services, below.info().pid)
    services.await_true(lambda: services.state("Below") == "dead")
    assert above.info().state == "running"
    below.config(binary_path=r"C:\testsvc.exe dies-late")
    above.stop()
    with pytest.raises(ServiceStartFailed) as caught:
        above.start()
    assert caught.value.code == 1068
    with pytest.raises(ServiceDied):
        below.start()
