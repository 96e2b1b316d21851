"""Services as programs in a silo see them through the API: the same as `silo service` and MS-SCMR show."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers import TemporarySilo, wait_until
from test_guest_programs import failures

from winesilo import Service
from winesilo.errors import ServiceDied, ServiceError

Guest = Callable[[str], Path]


def dump(silo: TemporarySilo, name: str, program: str = "scmapi") -> list[str]:
    """What the functions answer, a line for each item."""
    return silo.run(rf"C:\{program}.exe", "dump", name).splitlines()


def check(silo: TemporarySilo, guest: Guest, program: str) -> None:
    for name in (program, "testsvc"):
        silo.silo.copy_in(guest(name), "C:\\")
    done = silo.silo.run([rf"C:\{program}.exe", "check", "C:"], timeout=120)
    assert failures(done.stdout) == []
    assert done.returncode == 0, done
    assert "done " in done.stdout, done
    left = {info.name for info in silo.silo.services()}
    assert not left & {"ApiTop", "ApiBottom"}


def test_functions(silo: TemporarySilo, guest: Guest) -> None:
    check(silo, guest, "scmapi")


def test_functions_for_32_bits(
    silo32: TemporarySilo,
    guest: Guest,
) -> None:
    check(silo32, guest, "scmapi32")
    service = silo32.silo.create_service("Narrow", r"C:\x.exe", dependencies=["RpcSs", "+Some"])
    assert list(service.info().dependencies) == ["RpcSs", "+Some"]
    lines = dump(silo32, "Narrow", "scmapi32")
    assert [line for line in lines if line.startswith("needs")] == ["needs RpcSs", "needs +Some"]
    assert "dependent Narrow state 1" in dump(silo32, "RpcSs", "scmapi32")


def test_the_same_as_the_command_sees(silo: TemporarySilo, guest: Guest) -> None:
    silo.silo.copy_in(guest("scmapi"), "C:\\")
    silo.silo.create_service("Bottom", r"C:\x.exe")
    for name, needed in (("Middle", "Bottom"), ("Top", "Middle")):
        silo.silo.create_service(
            name,
            r"C:\a program.exe -x",
            dependencies=[needed, "+Many"],
            description="what it is for",
            display_name=f"{name} of all",
            group="Mine",
            start_type="auto",
            delayed_start=True,
            failure_actions=["restart:100", "run:7"],
            failure_command="cmd /c exit",
            failure_reset_s=60,
            failure_on_error=True,
        )
    bottom = silo.silo.service("Bottom").info()
    lines = dump(silo, "Bottom")
    assert [line.split()[1] for line in lines if line.startswith("dependent ")] == list(bottom.dependents)
    assert list(bottom.dependents) == ["Top", "Middle"]
    assert "description -" in lines
    info = silo.silo.service("Top").info()
    lines = dump(silo, "Top")
    assert [line[6:] for line in lines if line.startswith("needs ")] == list(info.dependencies)
    assert [line[8:] for line in lines if line.startswith("A needs ")] == list(info.dependencies)
    expected = (
        f"image {info.binary_path}",
        f"A image {info.binary_path}",
        f"group {info.group}",
        f"account {info.account}",
        f"display {info.display_name}",
        f"A display {info.display_name}",
        "type 16 start 2 error 1 tag 0",
        f"description {info.description}",
        f"A description {info.description}",
        f"reset 60 command {info.failure_command}",
        f"A command {info.failure_command}",
        "action 1 100",
        "action 3 7",
        "level 3 1",
        "level 4 1",
        "level 5 0",
        "level 7 180000",
    )
    assert [line for line in expected if line not in lines] == []
    assert "DELETE" not in silo.run("sc", "query", "Top").upper()


def test_net_knows_dependents(silo: TemporarySilo, guest: Guest) -> None:
    """Wine's net.exe stops what depends on a service before it, which it asks EnumDependentServices for.

    It does not wait for it, so that this one has stopped when its handler returns.
    """
    silo.silo.copy_in(guest("multisvc"), "C:\\")
    below = silo.silo.create_service("Below", r"C:\multisvc.exe wide Below")
    above = silo.silo.create_service("Above", r"C:\multisvc.exe wide Above", dependencies=["Below"])
    above.start()
    silo.run("net", "stop", "Below")
    assert (below.info().state, above.info().state) == ("stopped", "stopped")


# -- programs that host several services --------------------------------------------------------


def log(silo: TemporarySilo) -> list[str]:
    done = silo.silo.run(["cmd", "/c", r"if exist C:\multisvc.log type C:\multisvc.log"])
    return done.stdout.splitlines()


def make(silo: TemporarySilo, guest: Guest, form: str, *names: str) -> list[Service]:
    silo.silo.copy_in(guest("multisvc"), "C:\\")
    command = rf"C:\multisvc.exe {form} One Two Three"
    return [silo.silo.create_service(name, command, service_type="share-process") for name in names]


@pytest.mark.parametrize("form", ["wide", "ansi"])
def test_services_whose_main_functions_return(silo: TemporarySilo, guest: Guest, form: str) -> None:
    one, two = make(silo, guest, form, "One", "Two")
    pid = one.start(["first", ""]).pid
    assert two.start().pid == pid
    one.stop()
    assert (one.info().state, two.info().state) == ("stopped", "running")
    assert two.info().pid == pid
    assert one.start().pid == pid
    two.stop()
    assert one.info().pid == pid
    one.stop()
    assert (one.info().state, two.info().state) == ("stopped", "stopped")
    wait_until(lambda: "end" in log(silo), "the dispatcher returns")
    assert log(silo) == [
        "main One <first> <>",
        "main Two",
        "control 1 One",
        "main One",
        "control 1 Two",
        "control 1 One",
        "end",
    ]
    wait_until(lambda: pid not in {process.pid for process in silo.silo.ps()}, "its process ends")


def test_a_service_that_is_not_in_the_table(silo: TemporarySilo, guest: Guest) -> None:
    one, other = make(silo, guest, "wide", "One", "Other")
    pid = one.start().pid
    with pytest.raises(ServiceError) as caught:
        other.start()
    assert caught.value.code == 1083
    assert one.info().pid == pid
    one.stop()


def test_a_table_of_one_takes_a_service_of_another_name(silo: TemporarySilo, guest: Guest) -> None:
    silo.silo.copy_in(guest("multisvc"), "C:\\")
    own = silo.silo.create_service("OtherName", r"C:\multisvc.exe wide One")
    with contextlib.suppress(ServiceDied):
        own.start()
    wait_until(lambda: "main OtherName" in log(silo), "its main function is called")


def test_a_program_that_is_no_service(silo: TemporarySilo, guest: Guest) -> None:
    """It is told so, and goes on: many run in a console then."""
    silo.silo.copy_in(guest("multisvc"), "C:\\")
    done = silo.silo.run([r"C:\multisvc.exe", "wide", "One"])
    assert (done.returncode, done.stdout.strip()) == (7, "not a service: error 1063")
