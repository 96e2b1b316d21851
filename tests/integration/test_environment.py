"""Environment variables: programs get those of their silo's registry, also the first one of `silo exec`."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import pytest
from helpers import TemporarySilo

from winesilo.demo.prefix import PlainPrefix
from winesilo.errors import ServiceError

NewSilo = Callable[..., TemporarySilo]
SYSTEM = r"HKLM\System\CurrentControlSet\Control\Session Manager\Environment"
USER = r"HKCU\Environment"
VOLATILE = r"HKCU\Volatile Environment"
FOLDERS = r"HKLM\Software\Microsoft\Windows\CurrentVersion"
PROFILES = r"HKLM\Software\Microsoft\Windows NT\CurrentVersion\ProfileList"
#: Key, name, type, data: references forwards and backwards, to nothing, to itself; a PATH in both keys.
VALUES = (
    (SYSTEM, "A_FORWARD", "REG_EXPAND_SZ", "<%Z_LATER%>"),
    (SYSTEM, "Z_LATER", "REG_SZ", "later"),
    (SYSTEM, "Z_PLAIN", "REG_SZ", "%SystemRoot%"),
    (SYSTEM, "Z_ROOT", "REG_EXPAND_SZ", r"%SystemRoot%\z;%Z_LATER%;%Nothing%;100%"),
    (SYSTEM, "Z_SELF", "REG_EXPAND_SZ", "%Z_SELF%+"),
    (SYSTEM, "Path", "REG_EXPAND_SZ", r"%SystemRoot%\system32;C:\machine"),
    (USER, "Z_LATER", "REG_SZ", "of the user"),
    (USER, "Z_NUMBER", "REG_DWORD", "66"),
    (USER, "PATH", "REG_EXPAND_SZ", r"C:\mine;%Z_LATER%"),
    (USER, "TEMP", "REG_SZ", r"C:\mine\temp"),
    (VOLATILE, "Z_VOLATILE", "REG_SZ", "until the end"),
    (FOLDERS, "ProgramFilesDir", "REG_SZ", r"C:\Programs"),
    (PROFILES, "Public", "REG_EXPAND_SZ", r"%SystemDrive%\all"),
)


def variables(output: str) -> dict[str, str]:
    """What ``cmd /c set`` printed."""
    lines = output.replace("\r\n", "\n").splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


def of(silo: TemporarySilo, *before: str) -> dict[str, str]:
    return variables(silo.run(*before, "cmd", "/c", "set"))


def add(key: str, name: str, kind: str, data: str) -> list[str]:
    return ["reg", "add", key, "/v", name, "/t", kind, "/d", data, "/f"]


@pytest.fixture(scope="module")
def prefix() -> Iterator[PlainPrefix]:
    with PlainPrefix() as prefix:
        prefix.create()
        prefix.boot()
        yield prefix


def test_as_on_plain_wine(silo: TemporarySilo, prefix: PlainPrefix) -> None:
    """The same values make the same variables, for a first program and for those that it starts."""
    for value in VALUES:
        prefix.run(add(*value))
        silo.run(*add(*value))
    wanted, first = variables(prefix.run(["cmd", "/c", "set"])), of(silo)
    assert wanted["A_FORWARD"] == "<of the user>"
    assert wanted["PATH"].endswith(r"C:\machine;C:\mine;later")
    differ = {name for name in wanted.keys() | first.keys() if wanted.get(name) != first.get(name)}
    assert {name for name in differ if not name.startswith("WINE")} == set(), (wanted, first)
    assert of(silo, "cmd", "/c") == first
    assert not [name for name in first if name.startswith(("WINESILO", "LD_"))]


def test_unchanged_by_private_keys(silo: TemporarySilo) -> None:
    """Keys that were written to, but say what the base says, change nothing."""
    before = of(silo)
    for key in (SYSTEM, USER, VOLATILE, FOLDERS, PROFILES):
        silo.run(*add(key, "ZZ_TEST", "REG_SZ", "x"))
        silo.run("reg", "delete", key, "/v", "ZZ_TEST", "/f")
    assert of(silo) == before


def test_apart(new_silo: NewSilo) -> None:
    one, other = new_silo(), new_silo()
    one.run(*add(USER, "WHOSE", "REG_SZ", "one"))
    assert "WHOSE" not in of(other)
    other.run(*add(SYSTEM, "WHOSE", "REG_SZ", "other"))
    assert (of(one)["WHOSE"], of(other)["WHOSE"]) == ("one", "other")
    one.run("reg", "delete", USER, "/v", "WHOSE", "/f")
    assert "WHOSE" not in of(one)


def test_deleted(silo: TemporarySilo) -> None:
    """A value or key of the base that the silo has deleted makes no variable."""
    assert of(silo)["TEMP"] != r"C:\windows\temp"
    silo.run("reg", "delete", USER, "/v", "TEMP", "/f")
    assert of(silo)["TEMP"] == r"C:\windows\temp"
    silo.run("reg", "delete", VOLATILE, "/f")
    assert "LOGONSERVER" not in of(silo)


def test_from_outside_and_below(silo: TemporarySilo) -> None:
    """What `silo exec` is given counts where the registry says nothing; children get what they are given."""
    silo.run(*add(USER, "MINE", "REG_SZ", "registry"))
    done = silo.silo.run(["cmd", "/c", "set"], env={"MINE": "outside", "GIVEN": "outside"})
    seen = variables(done.stdout)
    assert (seen["MINE"], seen["GIVEN"]) == ("registry", "outside")
    assert variables(silo.run("cmd", "/c", "set MINE=changed&& cmd /c set MINE")) == {"MINE": "changed"}


def test_long_values(silo: TemporarySilo) -> None:
    folders = ";".join(rf"C:\folder{number}" for number in range(400))
    silo.run(*add(USER, "PATH", "REG_SZ", folders))
    assert of(silo)["PATH"].endswith(";" + folders)


def test_of_services(silo: TemporarySilo) -> None:
    """Services get what the registry said when the silo was started."""
    silo.run(*add(SYSTEM, "FOR_SERVICES", "REG_EXPAND_SZ", r"%SystemRoot%\x"))
    silo.run(*add(USER, "OF_THE_USER", "REG_SZ", "mine"))
    silo.silo.create_service("Env", r'cmd /c "set > C:\env.txt"')
    silo.silo.restart()
    with contextlib.suppress(ServiceError):  # it is none, and only writes
        silo.silo.service("Env").start(timeout=10)
    seen = variables(silo.run("cmd", "/c", r"type C:\env.txt"))
    assert seen["FOR_SERVICES"] == r"C:\windows\x"
    assert seen["OF_THE_USER"] == "mine"
