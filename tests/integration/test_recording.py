"""The disc recording package: a COM local service that activation starts, in each silo its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from helpers import TemporarySilo, wait_until
from iso import content

from winesilo.api import PIPE

PARAMETERS = r"HKLM\SYSTEM\CurrentControlSet\Services\ImapiService\Parameters"


@pytest.fixture
def recorder(new_silo: Callable[..., TemporarySilo]) -> Callable[[], TemporarySilo]:
    def make() -> TemporarySilo:
        silo = new_silo()
        assert silo.silo.install("imapi") == ["ImapiService"]
        return silo

    return make


def state(silo: TemporarySilo) -> str:
    return silo.silo.service("ImapiService").info().state


def test_activation_starts_each_silos_own(recorder: Callable[[], TemporarySilo], scratch: Path) -> None:
    one, other = recorder(), recorder()
    info = one.silo.service("ImapiService").info()
    assert (info.type, info.start_type, info.state) == ("own-process", "demand", "stopped")
    folder = scratch / "disc"
    (folder / "Straße").mkdir(parents=True)
    (folder / "a long name with blanks.txt").write_bytes(b"first")
    (folder / "Straße" / "big.bin").write_bytes(bytes(range(256)) * 300)
    (folder / "empty").write_bytes(b"")
    one.silo.copy_in(folder, "C:\\")
    assert one.run("cdburn", "-list") == "0 ISO image C:\\images\n"
    assert (state(one), state(other)) == ("running", "stopped")
    assert one.run("cdburn", "-burn", "0", r"C:\disc", "MyDisc") == "C:\\images\\disc1.iso\n"
    one.silo.copy_out(r"C:\images\disc1.iso", scratch)
    assert content(scratch / "disc1.iso") == (
        "MyDisc",
        {
            "a long name with blanks.txt": b"first",
            "Straße/big.bin": bytes(range(256)) * 300,
            "empty": b"",
        },
    )
    assert other.run("cdburn", "-list")
    one.silo.service("ImapiService").stop()
    assert (state(one), state(other)) == ("stopped", "running")


def test_stops_when_idle(recorder: Callable[[], TemporarySilo]) -> None:
    silo = recorder()
    silo.run("reg", "add", PARAMETERS, "/v", "IdleSeconds", "/t", "REG_DWORD", "/d", "5", "/f")
    with silo.silo.popen(["cdburn", "-hold"], stdin=PIPE, stdout=PIPE) as client:
        assert client.stdin is not None
        assert client.stdout is not None
        assert client.stdout.readline().strip() == b"holding"
        assert silo.run("cdburn", "-list")
        assert state(silo) == "running"
        client.stdin.close()
        client.wait(30)
    wait_until(lambda: state(silo) == "stopped", "the service stops by itself")
    assert silo.run("cdburn", "-list")


def test_what_fails(recorder: Callable[[], TemporarySilo]) -> None:
    silo = recorder()
    for words in (("1", r"C:\windows", "x"), ("0", r"C:\missing", "x"), ("0", r"C:\users", "x" * 40)):
        done = silo.silo.run(["cdburn", "-burn", *words])
        assert done.returncode == 1, words
        assert "Burn failed" in done.stderr
    assert silo.silo.run(["cmd", "/c", "dir", "/b", r"C:\images"]).stdout.strip() == ""
    silo.silo.uninstall("imapi")
    assert silo.silo.run(["reg", "query", r"HKCR\Winesilo.Recorders"]).returncode != 0
