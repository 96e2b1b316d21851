"""Wrong and unlucky requests: a clear error, the right exit code, nothing lost, nothing left behind."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from helpers import (
    INTERRUPTED,
    SILO_COMMAND,
    Cli,
    Machine,
    Result,
    TemporarySilo,
    handles_signals,
    interrupt,
    wait_until,
)

from winesilo import Host
from winesilo.errors import SiloNotFound

NewSilo = Callable[..., TemporarySilo]
LONG = "n" * 300


def refused(result: Result, code: int, *words: str) -> None:
    """One line that says what failed, perhaps one with the fix; no data, no traceback."""
    assert result.code == code, result
    assert result.out == "", result
    assert result.err.startswith("silo: "), result
    assert "Traceback" not in result.err, result
    assert len(result.err.splitlines()) <= 2, result
    for word in words:
        assert word in result.err, result


@pytest.mark.parametrize(
    "words",
    [
        ("start", "no-such"),
        ("stop", "no-such"),
        ("restart", "no-such"),
        ("rm", "no-such"),
        ("rm", "-f", "no-such"),
        ("inspect", "no-such"),
        ("ps", "no-such"),
        ("logs", "no-such"),
        ("clone", "no-such", "x"),
        ("cp", r"no-such:C:\windows\win.ini", "/tmp/never"),
        ("service", "no-such", "ls"),
        ("service", "no-such", "install", "tlntsvr"),
        ("service", "no-such", "uninstall", "tlntsvr"),
        ("audit", "no-such"),
        ("analyze", "--from", "no-such", "Spooler"),
        ("suspend", "no-such"),
        ("resume", "no-such"),
        ("update", "no-such", "--windows", "win10"),
    ],
)
def test_unknown_silo(cli: Cli, words: tuple[str, ...]) -> None:
    refused(cli(*words), 1, "no-such")


@pytest.mark.parametrize("name", ["../x", "", LONG, "with spaces", ".hidden", "a/b", "ünï", "-x"])
def test_bad_names(cli: Cli, host: Host, name: str) -> None:
    before = {info.name for info in host.list()}
    for command in ("create", "start", "inspect", "rm", "audit", "suspend", "resume", "update"):
        refused(cli(command, "--", name), 2)
    for command in ("install", "uninstall"):
        refused(cli("service", "--", name, command, "tlntsvr"), 2)
    refused(cli("analyze", f"--from={name}", "Spooler"), 2)
    assert {info.name for info in host.list()} == before


def test_name_taken(cli: Cli, silo: TemporarySilo, new_silo: NewSilo) -> None:
    refused(cli("create", silo.name), 1, silo.name)
    stopped = new_silo(start=False)
    refused(cli("clone", stopped.name, silo.name), 1, silo.name)


@pytest.mark.parametrize(
    "address", ["192.0.2.1", "127.0.0.1", "127.200.0.1", "::1", "nonsense", "127.7.0.256"]
)
def test_bad_address(cli: Cli, address: str) -> None:
    refused(cli("create", "never", "--address", address), 2, address)


def test_bad_windows_version(cli: Cli) -> None:
    refused(cli("create", "never", "--windows", "win42"), 2, "win42", "win10")


def test_wrong_usage(cli: Cli) -> None:
    for words in (
        ("no-such-command",),
        ("create",),
        ("start",),
        ("ls", "--no-such-option"),
        ("start", "--timeout", "0", "x"),
        ("start", "--timeout", "soon", "x"),
        ("service", "x"),
        ("service", "x", "start"),
        ("logs", "x", "-n", "0"),
        ("audit",),
        ("audit", "x", "y"),
        ("analyze",),
        ("analyze", "--timeout", "0", "x"),
        ("analyze", "--from"),
        ("suspend",),
        ("resume",),
        ("update",),
        ("update", "x", "--windows"),
        ("service", "x", "install"),
        ("service", "x", "install", "one", "two"),
        ("service", "x", "uninstall"),
    ):
        result = cli(*words)
        assert result.code == 2, result
        assert result.out == "", result
        assert "Traceback" not in result.err


def test_start_of_a_running_silo(cli: Cli, silo: TemporarySilo) -> None:
    refused(cli("start", silo.name), 1, "running")
    assert silo.silo.info().state == "running"


def test_stop_of_a_stopped_silo(cli: Cli, new_silo: NewSilo) -> None:
    refused(cli("stop", new_silo(start=False).name), 1, "not running")


def test_rm_of_a_running_silo(cli: Cli, silo: TemporarySilo) -> None:
    refused(cli("rm", silo.name), 1, "running", "rm -f")
    assert silo.silo.info().state == "running"
    cli.ok("rm", "-f", silo.name)
    with pytest.raises(SiloNotFound):
        silo.silo.info()


def test_update_that_makes_no_sense(cli: Cli, silo: TemporarySilo, new_silo: NewSilo) -> None:
    """Nothing of it is done, also not what would have been right."""
    other = new_silo(start=False)
    before = cli("inspect", silo.name, "--json").json()
    for words, code, text in (
        (("--windows", "win42"), 2, "win42"),
        (("--windows", "winxp"), 1, "running"),
        (("--link", "no-such"), 1, "no-such"),
        (("--link", other.name, "--link", "no-such"), 1, "no-such"),
        (("--link", LONG), 2, "nnn"),
        (("--link", silo.name), 2, silo.name),
        (("--unlink", other.name), 2, other.name),
        (("--publish", "nonsense"), 2, "nonsense"),
        (("--publish", "127.0.0.1:0:99999"), 2, "99999"),
        (("--link", other.name, "--publish", "1:2:3:4"), 2, "1:2:3:4"),
        (("--unpublish", "80"), 2, "80"),
    ):
        refused(cli("update", silo.name, *words), code, text)
    after = cli("inspect", silo.name, "--json").json()
    assert {key: after[key] for key in ("links", "publish", "windows")} == {
        key: before[key] for key in ("links", "publish", "windows")
    }
    assert not cli("inspect", other.name, "--json").json()["links"]


def test_analyze_leaves_no_silos(cli: Cli, host: Host, silo: TemporarySilo, scratch: Path) -> None:
    """Whatever is asked for; what can be seen to be wrong is before any silo is made."""
    (scratch / "folder").mkdir()
    for words, code, text in (
        (("--from", silo.name, "Spooler"), 1, "running"),
        ((f"{scratch}/missing.exe",), 2, "missing.exe"),
        ((f"{scratch}/folder",), 2, "folder"),
        ((f"{scratch}/{LONG}",), 2, "nnn"),
        ((LONG,), 2, "nnn"),
        (("",), 2, "''"),
    ):
        refused(cli("analyze", *words), code, text)
    result = cli("analyze", r"C:\no-such.exe")
    assert result.code == 1, result
    assert "install: failed" in result.out, result
    (scratch / "text.exe").write_text("no program")
    result = cli("analyze", f"{scratch}/text.exe")
    assert result.code == 1, result
    assert "install: failed" in result.out, result
    assert {info.name for info in host.list() if info.name.startswith("analyze-")} == set()


def test_packages_of_a_silo_that_can_not_take_them(
    cli: Cli, silo: TemporarySilo, new_silo: NewSilo, scratch: Path
) -> None:
    stopped = new_silo(start=False)
    for command in ("install", "uninstall"):
        refused(cli("service", stopped.name, command, "tlntsvr"), 1, "silo start")
    (scratch / "file").write_text("x")
    (scratch / "not-toml").mkdir()
    (scratch / "not-toml" / "service.toml").write_bytes(b"\xff\x00[[")
    (scratch / "a-folder" / "service.toml").mkdir(parents=True)
    for words, code, text in (
        (("install", f"{scratch}/missing"), 1, "missing"),
        (("install", f"{scratch}/file"), 1, "file"),
        (("install", f"{scratch}/not-toml"), 1, "not-toml"),
        (("install", f"{scratch}/a-folder"), 1, "a-folder"),
        (("install", f"{scratch}/{LONG}"), 1, "nnn"),
        (("install", LONG), 1, "nnn"),
        (("install", ""), 1, "''"),
        (("uninstall", "tlntsvr"), 1, "tlntsvr"),
        (("uninstall", LONG), 2, "nnn"),
        (("uninstall", ""), 2, "''"),
        (("uninstall", f"{scratch}/file"), 2, "file"),
    ):
        refused(cli("service", silo.name, *words), code, text)
    silo.silo.suspend()
    for command in ("install", "uninstall"):
        refused(cli("service", silo.name, command, "tlntsvr"), 1, "suspended", f"silo resume {silo.name}")
    silo.silo.resume()
    assert "winesilo" not in silo.silo.run(["cmd", "/c", "dir", "/b", r"C:\windows\winesilo*"]).stdout


def test_names_among_others(cli: Cli, silo: TemporarySilo, new_silo: NewSilo) -> None:
    """One that fails does not keep the others from their turn; the first failure gives the exit code."""
    stopped = new_silo(start=False)
    result = cli("suspend", "no-such", stopped.name, silo.name)
    assert (result.code, result.out) == (1, ""), result
    assert "no-such" in result.err
    assert "silo start" in result.err
    assert silo.silo.info().state == "suspended"
    result = cli("resume", LONG, stopped.name, silo.name)
    assert result.code == 2, result
    assert silo.silo.info().state == "running"
    refused(cli("resume", silo.name), 1, "not suspended")


@contextlib.contextmanager
def replaced(path: Path, content: bytes) -> Iterator[None]:
    """Another content for a file, for a while."""
    original = path.read_bytes()
    path.write_bytes(content)
    try:
        yield
    finally:
        if path.parent.is_dir():
            path.write_bytes(original)


@pytest.mark.parametrize("file", ["silo.json", "registry.hive"])
@pytest.mark.parametrize(
    "content", [b"", b"{", b"\0" * 100, b'{"format": 99}'], ids=["empty", "cut", "zeroes", "future"]
)
def test_corrupt_file(cli: Cli, new_silo: NewSilo, silo: TemporarySilo, file: str, content: bytes) -> None:
    """The silo is refused with the file named; other silos go on; it can still be removed."""
    broken = new_silo(start=False)
    folder = broken.silo.info().directory
    assert folder is not None
    path = Path(folder) / file
    with replaced(path, content):
        refused(cli("start", broken.name), 1, str(path))
        listing = {row["name"]: row["state"] for row in cli("ls", "--json").json()}
        assert listing[silo.name] == "running"
        assert broken.name in listing
        assert silo.run("cmd", "/c", "echo hello").strip() == "hello"
        cli.ok("create", f"{broken.name}-beside")
        cli.ok("rm", f"{broken.name}-beside")
    cli.ok("start", broken.name)
    with replaced(path, content):
        cli.ok("rm", "-f", broken.name)


@pytest.mark.parametrize(("number", "age"), [(1, "earlier"), (99, "later")])
def test_silo_of_another_version(
    cli: Cli, new_silo: NewSilo, silo: TemporarySilo, number: int, age: str
) -> None:
    """It is not started with a hive that means something else now; the others are."""
    old = new_silo(start=False)
    folder = old.silo.info().directory
    assert folder is not None
    path = Path(folder) / "silo.json"
    record = {**json.loads(path.read_text()), "format": number}
    with replaced(path, json.dumps(record).encode()):
        refused(cli("start", old.name), 1, age, str(path), f"silo rm -f {old.name}")
        refused(cli("clone", old.name, "never"), 1, age)
        assert silo.run("cmd", "/c", "echo hello").strip() == "hello"
    cli.ok("start", old.name)


@pytest.mark.parametrize(("number", "age"), [(1, "earlier"), (99, "later")])
def test_host_of_another_version(cli: Cli, host: Host, new_silo: NewSilo, number: int, age: str) -> None:
    silo = new_silo(start=False)
    host.stop(force=True)
    path = host.base.with_name("host.json")
    record = {**json.loads(path.read_text()), "format": number}
    with replaced(path, json.dumps(record).encode()):
        for words in (f"start {silo.name}", "create never", "ls", "host init", "host status"):
            refused(cli(*words.split()), 1, age, str(path), "silo host init")
    cli.ok("start", silo.name)


def test_base_deleted_underneath(cli: Cli, host: Host, new_silo: NewSilo) -> None:
    silo = new_silo(start=False)
    host.stop(force=True)
    aside = host.base.with_name("base.aside")
    host.base.rename(aside)
    try:
        for words in (("start", silo.name), ("create", "never")):
            refused(cli(*words), 1, str(host.base))
        assert silo.name in cli.ok("ls")
    finally:
        aside.rename(host.base)
    cli.ok("start", silo.name)


def test_base_deleted_while_the_host_runs(cli: Cli, host: Host, new_silo: NewSilo) -> None:
    silo, other = new_silo(), new_silo(start=False)
    aside = host.base.with_name("base.aside")
    host.base.rename(aside)
    try:
        refused(cli("start", other.name), 1, str(host.base))
        refused(cli("create", "never"), 1, str(host.base))
    finally:
        aside.rename(host.base)
    assert silo.silo.info().state == "running"


def test_address_in_use(cli: Cli, silo: TemporarySilo, guest: Callable[[str], Path]) -> None:
    """A port of the silo's address that a Linux program has got: the program in the silo is told so."""
    silo.silo.copy_in(guest("sockets"), "C:\\")
    with socket.create_server((silo.silo.address, 4477)):
        result = cli("exec", silo.name, "--", r"C:\sockets.exe", "serve", "127.0.0.1", "4477", "x")
        assert result.code != 0
        assert "listening" not in result.out


def test_full_disk(cli: Cli, machine: Machine, scratch: Path) -> None:
    """A data folder on a file system that has hardly any room."""
    small = scratch / "small"
    small.mkdir()
    script = (
        f"mount -t tmpfs -o size=20m tmpfs {small} && mkdir {small}/data && XDG_DATA_HOME={small}/data "
        'exec "$@"'
    )
    mount = ["unshare", "--mount", "--propagation", "private"]
    if subprocess.run([*mount, "true"], check=False, capture_output=True).returncode != 0:
        mount = ["unshare", "--map-root-user", "--mount", "--propagation", "private"]
    done = subprocess.run(
        [*mount, "bash", "-c", script, "bash", *SILO_COMMAND, "host", "init"],
        env=cli.environment,
        capture_output=True,
        check=False,
        timeout=60,
    )
    result = Result(done.returncode, done.stdout.decode(), done.stderr.decode())
    assert result.code == 1, result
    assert "space" in result.err
    assert "Traceback" not in result.err


def test_no_wine(cli: Cli) -> None:
    elsewhere = Cli({**cli.environment, "WINESILO_HOST": "no-wine", "WINESILO_WINE": "/no/such/wine64"})
    result = elsewhere("host", "init")
    assert result.code == 1, result
    assert "/no/such/wine64" in result.err
    assert "Traceback" not in result.err


@pytest.mark.parametrize("command", ["create", "start"])
@pytest.mark.parametrize("after_s", [0.0, 0.02, 0.1, 0.2, 0.4])
def test_ctrl_c(
    cli: Cli, host: Host, new_silo: NewSilo, machine: Machine, command: str, after_s: float
) -> None:
    """Interrupted at several points, a command has been done whole or not at all, and can be repeated."""
    name = f"ctrlc-{command}-{int(after_s * 1000)}"
    if command == "start":
        cli.ok("create", name)
    try:
        process = cli.start(command, name, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        wait_until(lambda: handles_signals(process), "it has begun")
        time.sleep(after_s)
        interrupt(process)
        _, errors = process.communicate(timeout=30)
        assert process.returncode in (0, *INTERRUPTED), errors
        assert b"Traceback" not in errors
        finished = process.returncode == 0
        if command == "start":
            wait_until(
                lambda: host.silo(name).info().state in ("stopped", "running"),
                "start has ended or was undone",
            )
            if not finished and host.silo(name).info().state == "stopped":
                wait_until(lambda: host.silo(name).info().processes == 0, "no process is left")
                cli.ok("start", name)
        elif not finished and name not in {info.name for info in host.list()}:
            cli.ok("create", name)
        assert not list(Path(host.base.parent, "silos").glob(".new-*"))
    finally:
        with contextlib.suppress(SiloNotFound):
            host.silo(name).remove(force=True)


def test_cp_bad_paths(cli: Cli, silo: TemporarySilo, scratch: Path) -> None:
    file = scratch / "file"
    file.write_text("x")
    refused(cli("cp", str(file), str(file) + "2"), 2)
    refused(cli("cp", f"{silo.name}:C:\\a", f"{silo.name}:C:\\b"), 2)
    refused(cli("cp", str(scratch / "missing"), f"{silo.name}:C:\\a"), 2, "missing")
    refused(cli("cp", f"{silo.name}:C:\\missing", str(file) + "2"), 2, "missing")
    refused(cli("cp", str(file), f"{silo.name}:C:\\no\\such\\folder\\x"), 2)
    refused(cli("cp", str(file), f"{silo.name}:Z:\\x"), 2)
    shutil.rmtree(scratch / "never", ignore_errors=True)
