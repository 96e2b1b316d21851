"""Packages of services: installing is all or nothing, uninstalling leaves a silo as it was."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from helpers import Cli, TemporarySilo

from winesilo.errors import PackageError, PackageNotFound, ServiceExists, ServiceNotFound, WinesiloError

Guest = Callable[[str], Path]
KEY = r"HKLM\Software\Mine"
SVCHOST = r"HKLM\Software\Microsoft\Windows NT\CurrentVersion\Svchost"

MANIFEST = r"""
name = "mine"
description = "A service of one's own"
[[file]]
source = "testsvc.exe"
target = 'C:\mine\bin\testsvc.exe'
[[file]]
source = "data"
target = 'C:\mine\data'
[[file]]
source = "hosts"
target = 'C:\windows\mine.ini'
[[folder]]
target = 'C:\mine\empty'
[[value]]
key = 'HKLM\Software\Mine\Deep\Key'
name = "Text"
type = "sz"
data = "some text"
[[value]]
key = 'HKLM\Software\Mine'
name = "Old"
type = "sz"
data = "new"
[[value]]
key = 'HKLM\Software\Mine'
name = "List"
type = "multi-sz"
data = ["one", "two"]
[[service]]
name = "Mine"
command = 'C:\mine\bin\testsvc.exe normal'
depends-on = ["RpcSs"]
svchost-group = "minegroup"
description = "A sentence"
[[class]]
clsid = "{12345678-1234-1234-1234-123456789abc}"
name = "Mine"
progid = "Mine.Thing"
appid = "{12345678-1234-1234-1234-123456789abd}"
local-service = "Mine"
"""


@pytest.fixture
def package(scratch: Path, guest: Guest) -> Path:
    folder = scratch / "package"
    (folder / "data" / "below").mkdir(parents=True)
    (folder / "data" / "below" / "file.txt").write_text("data")
    (folder / "hosts").write_text("new")
    (folder / "testsvc.exe").write_bytes(guest("testsvc").read_bytes())
    (folder / "service.toml").write_text(MANIFEST, encoding="utf-8")
    return folder


def registry(silo: TemporarySilo, key: str) -> str:
    done = silo.silo.run(["reg", "query", key, "/s"])
    return done.stdout if done.returncode == 0 else ""


def paths(silo: TemporarySilo) -> list[str]:
    """What there is of the package's files and folders, and of what is kept for taking it back."""
    patterns = (r"C:\mine*", r"C:\windows\mine*", r"C:\windows\winesilo*")
    return [
        line
        for pattern in patterns
        for line in silo.silo.run(["cmd", "/c", "dir", "/b", pattern]).stdout.split()
    ]


def test_install_and_uninstall(silo: TemporarySilo, cli: Cli, package: Path) -> None:
    silo.reg_set(KEY, "Old", "old")
    silo.run("cmd", "/c", r"echo old> C:\windows\mine.ini")
    before = (registry(silo, KEY), registry(silo, SVCHOST))
    answer = cli("service", silo.name, "install", f"{package}", "--json").json()
    assert answer == {"services": ["Mine"]}
    assert silo.reg_get(rf"{KEY}\Deep\Key", "Text") == "some text"
    assert silo.reg_get(KEY, "Old") == "new"
    assert "minegroup" in registry(silo, SVCHOST)
    assert (
        silo.reg_get(r"HKLM\Software\Classes\AppID\{12345678-1234-1234-1234-123456789abd}", "LocalService")
        == "Mine"
    )
    assert silo.run("cmd", "/c", r"type C:\mine\data\below\file.txt") == "data"
    service = silo.silo.service("Mine")
    assert service.start().state == "running"
    assert service.info().description == "A sentence"
    result = cli("service", silo.name, "install", f"{package}")
    assert result.code == 1
    assert "uninstall mine" in result.err
    silo.silo.restart()
    service.start()
    cli.ok("service", silo.name, "uninstall", "mine")
    with pytest.raises(ServiceNotFound):
        service.info()
    assert (registry(silo, KEY), registry(silo, SVCHOST)) == before
    assert registry(silo, r"HKLM\Software\Classes\Mine.Thing") == ""
    assert silo.run("cmd", "/c", r"type C:\windows\mine.ini").strip() == "old"
    assert paths(silo) == ["mine.ini"]
    with pytest.raises(PackageNotFound):
        silo.silo.uninstall("mine")


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ('[[value]]\nkey = \'HKLM\\Software\\X\'\nname = "Bad"\ntype = "dword"\ndata = "x"\n', PackageError),
        ('[[file]]\nsource = "missing"\ntarget = \'C:\\x\'\n', PackageError),
        ('[[service]]\nname = "RpcSs"\ncommand = "x"\n', ServiceExists),
        ('[[service]]\nname = "' + "n" * 257 + '"\ncommand = "x"\n', WinesiloError),
        ("[[folder]]\ntarget = 'C:\\" + "n" * 300 + "'\n", WinesiloError),
        ("[[value]]\nkey = 'HKLM\\Software\\" + "n" * 300 + "'\nname = \"\"\ntype = \"sz\"\ndata = \"x\"\n",
         WinesiloError),
        # what only shows when most of it is done
        ('[[service]]\nname = "Second"\ncommand = "x"\nstart-type = "never"\n', WinesiloError),
        ('[[value]]\nkey = \'HKLM\\SAM2\\x\'\nname = ""\ntype = "sz"\ndata = "x"\n'
         '[[service]]\nname = "Third"\ncommand = "x"\nsvchost-group = "occupied"\n', PackageError),
    ],
)  # fmt: skip
def test_failure_leaves_nothing(
    silo: TemporarySilo, package: Path, more: str, error: type[Exception]
) -> None:
    silo.run("reg", "add", SVCHOST, "/v", "occupied", "/t", "REG_DWORD", "/d", "1", "/f")
    before = (registry(silo, r"HKLM\Software\Mine"), registry(silo, SVCHOST), paths(silo))
    services = [service.name for service in silo.silo.services()]
    with (package / "service.toml").open("a", encoding="utf-8") as manifest:
        manifest.write(more)
    with pytest.raises(error):
        silo.silo.install(package)
    assert (registry(silo, r"HKLM\Software\Mine"), registry(silo, SVCHOST), paths(silo)) == before
    assert [service.name for service in silo.silo.services()] == services
    assert registry(silo, r"HKLM\SAM2") == ""


def test_what_is_not_there(silo: TemporarySilo, cli: Cli, scratch: Path) -> None:
    result = cli("service", silo.name, "install", "nonesuch")
    assert result.code == 1
    assert "tlntsvr" in result.err
    result = cli("service", silo.name, "install", f"{scratch}/")
    assert result.code == 1
    assert "service.toml" in result.err
    assert cli("service", silo.name, "uninstall", "../x").code == 2
    silo.silo.stop()
    assert "silo start" in cli("service", silo.name, "install", "tlntsvr").err
