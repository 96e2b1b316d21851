"""What libwinesilo.so shows to the process it is loaded into, and what it does before Wine starts."""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import namespaces
from winesilo.errors import LibraryMissing
from winesilo.interposer import Config, library_path
from winesilo.interposer.config import CONFIG_VARIABLE, SHARED_SIZE, SharedMemory
from winesilo.interposer.network import NETWORK_SIZE, NetworkFile
from winesilo.interposer.record import RECORD_SIZE, RecordFile

ROOT = Path(__file__).resolve().parents[2]
DEFINITIONS = ROOT / "src" / "interposer" / "syscalls.def"
#: What Wine's Unix side calls and the library answers first.
WRAPPED = {
    *("dlopen", "execv", "execve", "execvp", "getenv", "posix_spawn", "posix_spawnp", "sigaction", "writev"),
    *("read", "recvmsg", "sendmsg", "getaddrinfo", "gethostbyaddr_r", "gethostbyname", "gethostbyname_r"),
    *("gethostname", "getifaddrs", "getnameinfo"),
}
CANNOT_RUN = 125
#: win32u's own calls, made by drivers for windows that a program has already.
OF_WIN32U = ("NtUser", "NtGdi")


@pytest.fixture(scope="module")
def library() -> Path:
    try:
        return library_path()
    except LibraryMissing as missing:
        pytest.skip(str(missing))


def run_true(library: Path, config: Path | None) -> subprocess.CompletedProcess[str]:
    """A program that leaves a file, so that it is seen whether it ran."""
    environment = {"PATH": os.environ["PATH"], "LD_PRELOAD": str(library)}
    if config is not None:
        environment[CONFIG_VARIABLE] = str(config)
    return subprocess.run(
        ["/bin/echo", "it ran"], capture_output=True, text=True, timeout=60, check=False, env=environment
    )


def symbols(which: str, path: Path) -> set[str]:
    """The dynamic symbols that a shared library defines or needs."""
    if shutil.which("nm") is None:
        pytest.skip("nm is not installed")
    listed = subprocess.run(
        ["nm", "-D", which, str(path)], capture_output=True, text=True, timeout=60, check=True
    )
    return {line.split()[-1] for line in listed.stdout.splitlines()}


@pytest.fixture
def good(tmp_path: Path) -> Config:
    SharedMemory(tmp_path / "shared.mem")
    NetworkFile(tmp_path / "net")
    RecordFile(tmp_path / "audit.mem")
    return Config(
        silo_id=7,
        address="127.7.0.7",
        shared=tmp_path / "shared.mem",
        network=tmp_path / "net",
        record=tmp_path / "audit.mem",
        loaders=[Path("/bin/true").resolve()],
    )


def test_exports_the_system_calls_and_nothing_else(library: Path) -> None:
    exported = symbols("--defined-only", library)
    calls = re.findall(r"^SYSCALL\(\w+,\s*(\w+)", DEFINITIONS.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(calls) > 50
    assert len(calls) == len(set(calls))
    assert exported == set(calls) | WRAPPED


def test_catches_what_wines_unix_side_calls(library: Path) -> None:
    """win32u.so and others call through ELF symbols: none that names something may pass unseen."""
    libraries = sorted(Path("/").glob("usr/lib/*/wine/x86_64-unix/*.so"))
    assert libraries
    called = {
        name for path in libraries for name in symbols("--undefined-only", path) if name.startswith("Nt")
    }
    assert "NtOpenDirectoryObject" in called
    classified = {name for names in namespaces.unhooked().values() for name in names}
    caught = symbols("--defined-only", library)
    assert {name for name in called if not name.startswith(OF_WIN32U)} - caught <= classified


def test_is_inert_without_a_configuration(library: Path) -> None:
    done = run_true(library, None)
    assert (done.returncode, done.stdout, done.stderr) == (0, "it ran\n", "")


def test_does_not_hold_up_other_programs(library: Path) -> None:
    """The wrapped functions do what they always do: a shell runs a program, which loads a library."""
    environment = {"PATH": os.environ["PATH"], "LD_PRELOAD": str(library)}
    code = "import ctypes; print(ctypes.CDLL('libc.so.6').getpid() > 0)"
    done = subprocess.run(
        ["/bin/sh", "-c", 'exec python3 -c "$1"', "sh", code],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=environment,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "True\n", "")


def test_good_configuration_lets_the_program_start(library: Path, good: Config, tmp_path: Path) -> None:
    good.write(tmp_path / "interposer.conf")
    done = run_true(library, tmp_path / "interposer.conf")
    assert (done.returncode, done.stdout, done.stderr) == (0, "it ran\n", "")


def test_only_loaders_may_be_run(library: Path, good: Config, tmp_path: Path) -> None:
    good.write(tmp_path / "interposer.conf")
    environment = {
        "PATH": os.environ["PATH"],
        "LD_PRELOAD": str(library),
        CONFIG_VARIABLE: str(tmp_path / "interposer.conf"),
    }
    for command, expected in (("/bin/true", 0), ("/bin/echo", 126), ("true", 0), ("echo_", 127)):
        done = subprocess.run(
            ["/bin/sh", "-c", f"exec {command}"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env=environment,
        )
        assert done.returncode == expected, (command, done.stderr)
        assert done.stdout == ""


def test_steering_variables_are_kept_for_children(library: Path, good: Config, tmp_path: Path) -> None:
    """A program does not find them in its environment; getenv and the programs it becomes do."""
    python = Path(sys.executable).resolve()
    dataclasses.replace(good, loaders=[python]).write(tmp_path / "interposer.conf")
    environment = {
        "LD_PRELOAD": str(library),
        CONFIG_VARIABLE: str(tmp_path / "interposer.conf"),
        "WINEPREFIX": "/p",
        "PLAIN": "yes",
    }
    code = (
        "import ctypes, os, sys; getenv = ctypes.CDLL(None).getenv; getenv.restype = ctypes.c_char_p\n"
        "print([name for name in os.environ if name in ('LD_PRELOAD', 'WINEPREFIX', 'PLAIN')])\n"
        "print(getenv(b'WINEPREFIX'), getenv(b'PLAIN'), flush=True)\n"
        "code, python = sys.argv[1:3]\n"
        "if len(sys.argv) == 4: os.execv(python, [python, '-c', code, code, python])\n"
    )
    done = subprocess.run(
        [python, "-c", code, code, python, "again"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=environment,
    )
    assert done.stdout.splitlines() == ["['PLAIN']", "b'/p' b'yes'"] * 2, done


def test_unix_programs_are_not_spawned(library: Path, good: Config, tmp_path: Path) -> None:
    good.write(tmp_path / "interposer.conf")
    code = (
        "import os\n"
        "for spawn in (os.posix_spawn, os.posix_spawnp):\n"
        "    try: spawn('/bin/true', ['true'], {})\n"
        "    except PermissionError: print('refused')\n"
    )
    environment = {"LD_PRELOAD": str(library), CONFIG_VARIABLE: str(tmp_path / "interposer.conf")}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False, env=environment
    )
    assert done.stdout.split() == ["refused", "refused"], done


def refused(library: Path, config: Path, *, names: Path) -> str:
    """The message with which the process ended before anything ran; it must name the file."""
    done = run_true(library, config)
    assert done.returncode == CANNOT_RUN
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("winesilo: ")
    assert str(names) in lines[0]
    return lines[0]


def test_missing_configuration(library: Path, tmp_path: Path) -> None:
    path = tmp_path / "missing.conf"
    assert "No such file" in refused(library, path, names=path)


@pytest.mark.parametrize(
    "text", ["", "hello\n", "winesilo-interposer\t2\n", "winesilo-interposer\t1\nnew\tx\n"]
)
def test_wrong_configuration(library: Path, tmp_path: Path, text: str) -> None:
    path = tmp_path / "interposer.conf"
    path.write_text(text, encoding="utf-8")
    assert "is wrong" in refused(library, path, names=path)


def test_truncated_configuration(library: Path, good: Config, tmp_path: Path) -> None:
    path = tmp_path / "interposer.conf"
    text = good.render()
    lines = text.splitlines(keepends=True)
    for cut in (text[:-1], text[: len(text) // 2], "".join(lines[:-1]), "".join(lines[:2])):
        path.write_text(cut, encoding="utf-8")
        assert "is wrong" in refused(library, path, names=path)


def test_configuration_that_is_too_long(library: Path, good: Config, tmp_path: Path) -> None:
    path = tmp_path / "interposer.conf"
    path.write_text(good.render() + "\n" * 70000, encoding="utf-8")
    assert "too long" in refused(library, path, names=path)


def test_configuration_that_is_a_directory(library: Path, tmp_path: Path) -> None:
    refused(library, tmp_path, names=tmp_path)


@pytest.mark.parametrize(
    ("kind", "size", "what"),
    [
        ("shared", SHARED_SIZE, "shared memory"),
        ("network", NETWORK_SIZE, "network"),
        ("record", RECORD_SIZE, "record"),
    ],
)
def test_shared_files_must_be_whole(
    library: Path, good: Config, tmp_path: Path, kind: str, size: int, what: str
) -> None:
    path = tmp_path / "interposer.conf"
    good.write(path)
    file: Path = getattr(good, kind)
    os.truncate(file, 4096)
    assert "too short" in refused(library, path, names=file)
    file.write_bytes(b"\0" * size)
    assert f"not a silo's {what}" in refused(library, path, names=file)
    file.unlink()
    assert "No such file" in refused(library, path, names=file)


def test_loader_must_exist(library: Path, good: Config, tmp_path: Path) -> None:
    path = tmp_path / "interposer.conf"
    loader = tmp_path / "wine64"
    dataclasses.replace(good, loaders=[loader]).write(path)
    assert "no Wine loader" in refused(library, path, names=loader)
