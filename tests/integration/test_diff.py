"""``silo diff``: what was changed in a silo since it was new."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers import Cli, TemporarySilo

from winesilo import Host

NewSilo = Callable[..., TemporarySilo]

#: What the first start of a silo writes by itself: the SCM reports it to the System log.
OWN = ("eventlog", "c:\\windows\\system32\\config")

COMMANDS = (
    r"md C:\made\sub & echo text > C:\made\sub\file.txt & echo more >> C:\windows\win.ini"
    r" & del C:\windows\system.ini & ren C:\windows\temp old-temp",
    r"reg add HKLM\Software\Mine\Settings /v number /t REG_DWORD /d 7 /f",
    r"reg add HKCU\Environment /v TEMP /d C:\made /f",
    r"reg delete HKLM\Software\Classes\.txt /f",
    r"sc create Mine binPath= C:\made\mine.exe",
)


def changes(rows: list[dict[str, Any]]) -> set[tuple[str, str, str]]:
    return {
        (row["change"], row["kind"], row["name"])
        for row in rows
        if not any(own in row["name"].lower() for own in OWN)
    }


def test_a_new_silo(cli: Cli, new_silo: NewSilo) -> None:
    """Also one that has been started and stopped."""
    silo = new_silo(start=False)
    found = cli("diff", silo.name, "--json").json()
    assert {kind: found[kind] for kind in ("files", "keys", "values", "services")} == {
        "files": [], "keys": [], "values": [], "services": [],
    }  # fmt: skip
    silo.silo.start()
    silo.silo.stop()
    found = cli("diff", silo.name, "--json").json()
    assert found["silo"] == silo.name
    for kind in ("files", "keys", "values", "services"):
        assert not changes([{"kind": kind, **row} for row in found[kind]]), kind


@pytest.mark.parametrize("windows", [None, "win7"])
def test_what_programs_change(host: Host, cli: Cli, windows: str | None) -> None:
    """The same while it runs, when it is stopped, and in a clone."""
    with TemporarySilo(host, windows=windows) as silo:
        check_changes(cli, silo)


def check_changes(cli: Cli, silo: TemporarySilo) -> None:
    for command in COMMANDS:
        silo.run("cmd", "/c", command)
    software, services = (
        r"HKEY_LOCAL_MACHINE\Software",
        r"HKEY_LOCAL_MACHINE\System\CurrentControlSet\Services",
    )
    running = cli("diff", silo.name, "--json").json()
    assert changes(running["files"]) == {
        ("added", "folder", r"C:\made"),
        ("added", "folder", r"C:\made\sub"),
        ("added", "file", r"C:\made\sub\file.txt"),
        ("changed", "file", r"C:\windows\win.ini"),
        ("deleted", "file", r"C:\windows\system.ini"),
        ("deleted", "folder", r"C:\windows\temp"),
        ("added", "folder", r"C:\windows\old-temp"),
    }
    assert changes(running["keys"]) == {
        ("added", "key", rf"{software}\Mine"),
        ("added", "key", rf"{software}\Mine\Settings"),
        ("deleted", "key", rf"{software}\Classes\.txt"),
        ("added", "key", rf"{services}\Mine"),
    }
    assert changes(running["services"]) == {("added", "service", "Mine")}
    values = {(row["name"], row["value"]): row for row in running["values"]}
    number = values[rf"{software}\Mine\Settings", "number"]
    assert (number["change"], number["old"], number["new"]) == (
        "added",
        None,
        {"type": "REG_DWORD", "data": 7},
    )
    temp = values[r"HKEY_CURRENT_USER\Environment", "TEMP"]
    assert (temp["change"], temp["new"]) == ("changed", {"type": "REG_SZ", "data": r"C:\made"})
    assert temp["old"]["data"]
    silo.silo.suspend()
    assert cli("diff", silo.name, "--json").json() == running
    silo.silo.stop()
    assert cli("diff", silo.name, "--json").json() == running
    clone = f"{silo.name}-clone"
    cli.ok("clone", silo.name, clone)
    try:
        assert cli("diff", clone, "--json").json() == {**running, "silo": clone}
    finally:
        cli.ok("rm", clone)
    text = cli.ok("diff", silo.name)
    assert r"HKLM\Software\Mine\Settings: number" in text
    assert "0x7" in text


def test_no_such_silo(cli: Cli) -> None:
    result = cli("diff", "nobody")
    assert (result.code, result.out) == (1, "")
    assert "there is no silo 'nobody'" in result.err


def test_a_damaged_hive_is_named(cli: Cli, new_silo: NewSilo) -> None:
    silo = new_silo(start=False)
    hive = Path(silo.silo.info().directory or "") / "registry.hive"
    whole = hive.read_bytes()
    hive.write_bytes(whole[: len(whole) // 2])
    result = cli("diff", silo.name)
    assert (result.code, result.out) == (1, "")
    assert f"{hive} is damaged" in result.err
    hive.write_bytes(whole)
    assert cli("diff", silo.name, "--json").json()["files"] == []
