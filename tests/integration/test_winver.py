"""Windows versions: each silo's programs see their own, on one host at the same time."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from guests import holding
from helpers import Cli, TemporarySilo

from winesilo import Host
from winesilo.errors import SiloRunning
from winesilo.host import wine
from winesilo.vm.winver import VERSIONS, Platform, WindowsVersion

Guest = Callable[[str], Path]
PLATFORM_IDS = {Platform.WIN32S: 0, Platform.WIN9X: 1, Platform.NT: 2}
#: What GetVersionEx tells at most to a program whose manifest does not know later versions.
UNKNOWN_TO_PROGRAM = (6, 2, 9200)


@pytest.fixture
def silos(host: Host) -> Iterator[Callable[[str], TemporarySilo]]:
    """Makes silos of given versions that run until the end of the test."""
    with contextlib.ExitStack() as stack:
        yield lambda version: stack.enter_context(TemporarySilo(host, windows=version))


def answers(lines: Sequence[str]) -> dict[str, str]:
    """What winver.exe printed, by the names of its questions."""
    split = (line.partition(":") for line in lines if ":" in line)
    return {name: told.removeprefix(" ") for name, _, told in split}


def look(silo: TemporarySilo, guest: Guest, program: str = "winver") -> dict[str, str]:
    silo.silo.copy_in(guest(program), "C:\\")
    return answers(silo.run(rf"C:\{program}.exe").splitlines())


def expected(row: WindowsVersion) -> dict[str, str]:
    """What programs must be told of a version (Wine's tables and what its winecfg writes)."""
    nt, number = row.platform is Platform.NT, (row.major, row.minor)
    platform = PLATFORM_IDS[row.platform]
    kind = 0 if not nt else 1 if row.kind == "WinNT" else 3
    build = row.build
    if row.platform is Platform.WIN9X:
        build |= (row.major << 8 | row.minor) << 16
    told = (*number, build) if number <= UNKNOWN_TO_PROGRAM[:2] else UNKNOWN_TO_PROGRAM
    pack = f"{row.csd >> 8}.{row.csd & 0xFF}"
    text = f"{row.major}.{row.minor}"
    modern = row.major == 10 and wine.find().version >= (9, 0)
    known = [(4, 0), (5, 1), (6, 0), (6, 1), (10, 0)]
    lines = {
        "RtlGetVersion": f"{text}.{build} platform {platform} '{row.service_pack}' {pack} type {kind}",
        "RtlGetNtVersionNumbers": f"{text}.{build & 0x0FFFFFFF}",
        "RtlGetNtProductType": str(kind),
        "at least": "".join(
            f" {major}.{minor}" for major, minor in known if number >= (major, minor)
        ).strip(),
        "GetVersionEx": "{}.{}.{}".format(*told) + f" platform {platform} '{row.service_pack}'",
        "GetProductInfo": "28" if kind == 1 else "7",
        "server": str(int(kind != 1)),
        "PEB": f"{text}.{build & 0xFFFF} platform {platform}",
        "CurrentVersion": "'6.3'" if modern else f"'{text}'",
        "CurrentMajorVersionNumber": str(row.major),
        "CurrentMinorVersionNumber": str(row.minor),
        "CurrentBuild": f"'{row.build}'",
        "CurrentBuildNumber": f"'{row.build}'",
        "CSDVersion": f"'{row.service_pack}'",
        "ProductName": f"'Microsoft {row.product}'",
        "ProductType": f"'{row.kind}'",
        "service pack": str(row.csd),
        "OS": "'Windows_NT'",
    }
    others = {"VersionNumber": "none", "SubVersionNumber": "none", "9x ProductName": "none", "Wine": "none"}
    if not nt:
        for name in [
            name for name in lines if name.startswith(("Current", "CSD", "Product", "service", "OS"))
        ]:
            others[name] = lines.pop(name) and "none"
    if row.platform is Platform.WIN9X:
        others["VersionNumber"] = f"'{text}.{row.build}'"
        others["SubVersionNumber"] = f"'{row.service_pack}'"
        others["9x ProductName"] = f"'Microsoft {row.product}'"
    if row.platform is Platform.WIN32S:
        others["Wine"] = f"'{row.name}'"
    return lines | others


def wrong(seen: dict[str, str], row: WindowsVersion) -> dict[str, tuple[str | None, str]]:
    return {name: (seen.get(name), want) for name, want in expected(row).items() if seen.get(name) != want}


@pytest.mark.parametrize("name", VERSIONS)
def test_each_version(silos: Callable[[str], TemporarySilo], guest: Guest, name: str) -> None:
    """Everything that Wine's winecfg knows can be had, and services run with it."""
    silo = silos(name)
    assert wrong(look(silo, guest), VERSIONS[name]) == {}
    assert silo.silo.service("Spooler").start().state == "running"
    assert silo.silo.info().windows == name


def test_several_at_once(silos: Callable[[str], TemporarySilo], cli: Cli, guest: Guest, host: Host) -> None:
    """Silos with different versions print different ones, at the same time, and the base's is left alone."""
    before = (host.base / "system.reg").read_bytes()
    names = ("winxp64", "win2003", "win7", "win11")
    made = {name: silos(name) for name in names}
    with contextlib.ExitStack() as stack:
        for name, silo in made.items():
            lines = stack.enter_context(holding(silo, guest, "winver", "hold"))
            assert wrong(answers(lines), VERSIONS[name]) == {}
        texts = {name: cli.ok("exec", silo.name, "--", "cmd", "/c", "ver") for name, silo in made.items()}
    for name, text in texts.items():
        row = VERSIONS[name]
        assert f"{row.major}.{row.minor}.{row.build}" in text, (name, text)
    assert (host.base / "system.reg").read_bytes() == before


def test_change(silo: TemporarySilo, cli: Cli, guest: Guest) -> None:
    """A stopped silo can get another version; what else is in its registry stays."""
    silo.reg_set(r"HKLM\Software\Microsoft\Windows NT\CurrentVersion", "RegisteredOwner", "somebody")
    silo.reg_set(r"HKLM\Software\Of mine", "Umlaut", "äöü")
    refused = cli("update", silo.name, "--windows", "win2003")
    assert refused.code == 1
    assert "silo stop" in refused.err
    with pytest.raises(SiloRunning):
        silo.silo.update(windows="win2003")
    for name in ("win2003", "win98", "win31", "win81"):
        silo.silo.stop()
        cli.ok("update", silo.name, "--windows", name)
        silo.silo.start()
        assert wrong(look(silo, guest), VERSIONS[name]) == {}
        assert cli("inspect", silo.name, "--json").json()["windows"] == name
    assert silo.reg_get(r"HKLM\Software\Microsoft\Windows NT\CurrentVersion", "RegisteredOwner") == "somebody"
    silo.silo.stop()
    directory = silo.silo.info().directory
    assert directory is not None
    assert r'"Umlaut"="\xe4\xf6\xfc"' in (Path(directory) / "registry.hive").read_text()
    assert cli("update", silo.name, "--windows", "win99").code == 2


def test_a_silo_can_change_it_itself(
    silo: TemporarySilo, guest: Guest, new_silo: Callable[..., TemporarySilo]
) -> None:
    other = look(new_silo(), guest)
    silo.run("winecfg", "/v", "win2008")
    seen = look(silo, guest)
    assert seen["RtlGetVersion"].startswith("6.0.6002 ")
    assert seen["server"] == "1"
    assert look(silo, guest)["RtlGetVersion"] != other["RtlGetVersion"]


@pytest.mark.parametrize("version", ["win99", "", "10.0", "win7;win8"])
def test_unknown(cli: Cli, version: str) -> None:
    result = cli("create", "unknown-version", "--windows", version)
    assert result.code == 2
    assert "winxp64" in result.err
    assert cli("inspect", "unknown-version").code == 1


@pytest.mark.xfail(
    strict=True, reason="one page for all processes of a wineserver, which keeps the time in it"
)
def test_shared_page(silos: Callable[[str], TemporarySilo], guest: Guest) -> None:
    assert look(silos("win2003"), guest)["shared page"].startswith("5.2.3790 ")
