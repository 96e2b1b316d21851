"""The indexing service package: in two silos at once, each with its own catalogue and pipe."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from helpers import TemporarySilo, wait_until
from standins import SCOPES, find

INDEX = r"C:\System Volume Information\catalog.wci\index"


@pytest.fixture
def indexed(new_silo: Callable[..., TemporarySilo]) -> Callable[[], TemporarySilo]:
    def make() -> TemporarySilo:
        silo = new_silo()
        assert silo.silo.install("cisvc") == ["CiSvc"]
        silo.run("cmd", "/c", r"mkdir C:\docs\below C:\docs\private")
        for path, flags in ((r"C:\docs", ",,5"), (r"C:\docs\private", ",,4")):
            silo.reg_set(SCOPES, path, flags)
        silo.silo.service("CiSvc").start()
        return silo

    return make


def write(silo: TemporarySilo, path: str, text: str) -> None:
    silo.run("cmd", "/c", f"echo {text}> {path}")


def wait_for(silo: TemporarySilo, expected: list[str], *words: str) -> None:
    wait_until(lambda: find(silo.silo, *words) == expected, f"{words} finds {expected}")


def test_two_catalogues_at_once(indexed: Callable[[], TemporarySilo]) -> None:
    one, other = indexed(), indexed()
    info = one.silo.service("CiSvc").info()
    assert (info.type, info.start_type, list(info.dependencies)) == ("share-process", "demand", ["RpcSs"])
    for silo in (one, other):
        write(silo, r"C:\docs\mine.txt", f"common word of {silo.name}")
    for silo, foreign in ((one, other), (other, one)):
        wait_for(silo, [r"C:\docs\mine.txt"], "common", silo.name)
        assert find(silo.silo, "common", foreign.name) == []
    assert {"cisvc.exe", "cidaemon.exe"} <= {process.name for process in one.silo.ps()}
    one.silo.service("CiSvc").stop()
    assert not {"cisvc.exe", "cidaemon.exe"} & {process.name for process in one.silo.ps()}
    wait_for(other, [r"C:\docs\mine.txt"], "common")


def test_changes_are_noticed(indexed: Callable[[], TemporarySilo]) -> None:
    silo = indexed()
    write(silo, r"C:\docs\below\a.txt", "Some quick-brown fox")
    write(silo, r"C:\docs\private\b.txt", "some secret")
    wait_for(silo, [r"C:\docs\below\a.txt"], "qui*", "BROWN", "-dog")
    assert find(silo.silo, "secret") == []
    write(silo, r"C:\docs\below\a.txt", "a lazy dog")
    wait_for(silo, [r"C:\docs\below\a.txt"], "lazy")
    assert find(silo.silo, "fox") == []
    silo.run("cmd", "/c", r"ren C:\docs\below\a.txt c.txt")
    wait_for(silo, [r"C:\docs\below\c.txt"], "lazy")
    silo.run("cmd", "/c", r"del C:\docs\below\c.txt")
    wait_for(silo, [], "lazy")


def test_index_survives(indexed: Callable[[], TemporarySilo]) -> None:
    """A restart goes on with the index; a damaged one, and a worker that was killed, are made good."""
    silo = indexed()
    service = silo.silo.service("CiSvc")
    write(silo, r"C:\docs\a.txt", "before")
    wait_for(silo, [r"C:\docs\a.txt"], "before")
    service.stop()
    write(silo, r"C:\docs\b.txt", "meanwhile")
    service.start()
    wait_for(silo, [r"C:\docs\b.txt"], "meanwhile")
    wait_for(silo, [r"C:\docs\a.txt"], "before")
    service.stop()
    write(silo, f'"{INDEX}"', "damaged")
    service.start()
    wait_for(silo, [r"C:\docs\a.txt"], "before")
    worker = next(process for process in silo.silo.ps() if process.name == "cidaemon.exe")
    silo.run("taskkill", "/f", "/pid", str(worker.pid))
    write(silo, r"C:\docs\c.txt", "afterwards")
    wait_for(silo, [r"C:\docs\c.txt"], "afterwards")


def test_uninstalling_leaves_nothing(indexed: Callable[[], TemporarySilo]) -> None:
    silo = indexed()
    silo.silo.uninstall("cisvc")
    assert "CiSvc" not in {service.name for service in silo.silo.services()}
    left = silo.silo.run(["cmd", "/c", "dir", "/b", r"C:\windows\system32\ci*.exe"]).stdout.split()
    assert not {"cisvc.exe", "cidaemon.exe", "ciquery.exe"} & set(left)
