"""Hives, paths in a silo, copying, versions, the interposer's files, the watcher."""

from __future__ import annotations

import contextlib
import os
import struct
import threading
from pathlib import Path
from typing import Any, cast

import pytest

from winesilo.errors import (
    AgentError,
    DiskFull,
    InterposerError,
    InvalidPath,
    LibraryMissing,
    ProgramError,
    ProgramNotFound,
    SiloCorrupt,
    UsageError,
)
from winesilo.host import process
from winesilo.host.agent import Agent, WindowsProcess
from winesilo.host.registry_file import Key, Registry, Value
from winesilo.host.watcher import HANGUP, READABLE, Watcher
from winesilo.interposer import config
from winesilo.interposer.config import Config, SharedMemory, twin_address
from winesilo.vm import copying, guestpath, printed, processes, registry, views, winver
from winesilo.vm import listings as listings_module
from winesilo.vm.housekeeping import Housekeeper
from winesilo.vm.listings import Listings

CONTENT = b"WINE REGISTRY Version 2\n\n[Machine] 1\n"


# -- hives ----------------------------------------------------------------------------------------


def test_seal_and_unseal(tmp_path: Path) -> None:
    path = tmp_path / "registry.hive"
    assert registry.unseal(registry.seal(CONTENT), path) == CONTENT
    path.write_bytes(registry.seal(CONTENT))
    registry.check_hive(path)


def test_every_damage_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a" / "registry.hive"
    path.parent.mkdir()
    good = registry.seal(CONTENT)
    damaged = [good[:cut] for cut in range(len(good))]
    damaged += [good[:at] + b"~" + good[at + 1 :] for at in range(len(good) - 1)]
    for data in [*damaged, b"", CONTENT, good + b"x\n", b"rubbish\n" * 100]:
        with pytest.raises(SiloCorrupt):
            registry.unseal(data, path)
    with pytest.raises(SiloCorrupt) as caught:
        registry.check_hive(path)
    assert caught.value.details["path"] == str(path)


class FakeAgent:
    """Takes what Hive calls; only some of it matters."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.busy = 0
        self.loaded = False
        self.fail_save = False

    def hive_load(self, _silo_id: int, _path: str) -> None:
        self.calls.append("load")
        if self.loaded:
            raise AgentError("collision", status=0xC0000035)
        self.loaded = True

    def hive_save(self, _silo_id: int, path: str) -> None:
        self.calls.append("save")
        Path(path).write_bytes(CONTENT + b"\n[New] 1\n")
        if self.fail_save:
            raise AgentError("disk full", status=0xC000007F)

    def hive_unload(self, _silo_id: int) -> None:
        self.calls.append("unload")
        if self.busy:
            self.busy -= 1
            raise AgentError("busy", status=0xC0000121)
        self.loaded = False


def test_hive_life(tmp_path: Path) -> None:
    path = tmp_path / "registry.hive"
    path.write_bytes(registry.seal(CONTENT))
    shared = SharedMemory(tmp_path / "shared.mem")
    agent = FakeAgent()
    agent.loaded = True  # a leftover of a daemon that could not unload it
    hive = registry.Hive(cast(Agent, agent), 3, path, shared)
    hive.load()
    assert agent.calls == ["load", "unload", "load"]
    assert not hive.save_if_changed()
    with (tmp_path / "shared.mem").open("r+b") as stream:
        stream.seek(16)
        stream.write(struct.pack("<Q", 5))
    agent.fail_save = True
    before = path.read_bytes()
    with pytest.raises(DiskFull):
        hive.save_if_changed()
    assert path.read_bytes() == before
    agent.fail_save = False
    assert hive.save_if_changed()
    assert not hive.save_if_changed()
    assert b"[New]" in registry.unseal(path.read_bytes(), path)
    agent.busy = 2
    hive.unload()
    hive.unload()
    assert not agent.loaded
    assert sorted(os.listdir(tmp_path)) == ["registry.hive", "shared.mem"]
    shared.close()


# -- paths in a silo ------------------------------------------------------------------------------


@pytest.fixture
def root(tmp_path: Path) -> Path:
    drive = tmp_path / "root"
    system = drive / "windows" / "System32"
    system.mkdir(parents=True)
    (system / "cmd.exe").write_bytes(b"MZ")
    (drive / "Tools").mkdir()
    (drive / "Tools" / "Run.bat").touch()
    (drive / "Tools" / "a.b").write_bytes(b"MZ")
    (drive / "Tools" / "text.exe").write_bytes(b"text")
    return drive


@pytest.mark.parametrize(
    ("path", "parts"),
    [
        (r"C:\a\b", ["a", "b"]),
        (r"c:/a//b\.", ["a", "b"]),
        (r"\a\..\..\b", ["b"]),
        ("C:\\", []),
    ],
)
def test_split(path: str, parts: list[str]) -> None:
    assert guestpath.split(path) == parts


@pytest.mark.parametrize("path", [r"D:\a", "a", r"C:a", "", r"C:\a|b", "C:\\a\0", r"C:\a:b", r"\\?\C:\x"])
def test_split_refuses(path: str) -> None:
    with pytest.raises(InvalidPath):
        guestpath.split(path)


def test_case_does_not_matter(root: Path) -> None:
    assert guestpath.to_unix(root, r"C:\WINDOWS\system32\CMD.EXE") == root / "windows/System32/cmd.exe"
    assert guestpath.to_unix(root, r"C:\tools\New\File") == root / "Tools/New/File"


def test_links_out_of_the_silo_are_refused(root: Path) -> None:
    (root / "etc").symlink_to("/etc")
    (root / "up").symlink_to("..")
    (root / "in").symlink_to("windows")
    for path in (r"C:\etc\passwd", r"C:\up", r"C:\up\x"):
        with pytest.raises(InvalidPath):
            guestpath.to_unix(root, path)
    assert guestpath.to_unix(root, r"C:\in\System32").is_dir()


@pytest.mark.parametrize(
    ("program", "cwd", "found"),
    [
        ("cmd", "C:\\", r"C:\windows\System32\cmd.exe"),
        ("CMD.exe", r"C:\tools", r"C:\windows\System32\cmd.exe"),
        ("run", r"C:\Tools", r"C:\Tools\Run.bat"),
        (r"tools\run", "C:\\", r"C:\Tools\Run.bat"),
        (r"C:\tools\a.b", "C:\\", r"C:\Tools\a.b"),
    ],
)
def test_programs_are_found(root: Path, program: str, cwd: str, found: str) -> None:
    assert guestpath.find_program(root, program, cwd) == found


def test_missing_programs_are_named(root: Path) -> None:
    for program in ("nope", "C:\\nope.exe", "C:\\Tools", ""):
        with pytest.raises(ProgramNotFound) as caught:
            guestpath.find_program(root, program, "C:\\")
        assert caught.value.exit_code == 125
        assert f"'{program}'" in caught.value.message or not program


def test_what_is_no_program_is_refused(root: Path) -> None:
    with pytest.raises(ProgramError, match="not a program for Windows") as caught:
        guestpath.find_program(root, r"C:\Tools\text.exe", "C:\\")
    assert caught.value.exit_code == 125


def test_scripts_go_through_cmd() -> None:
    assert guestpath.command(r"C:\x.BAT", ["a"]) == [r"C:\windows\system32\cmd.exe", "/c", r"C:\x.BAT", "a"]
    assert guestpath.command(r"C:\x.exe", ["a"]) == [r"C:\x.exe", "a"]


@pytest.mark.parametrize(
    ("text", "result"),
    [
        (r"db1:C:\data\x", ("db1", r"C:\data\x")),
        ("db1:/data", ("db1", "/data")),
        ("/tmp/x:y", None),
        ("relative", None),
        ("C:\\x", ("C", "\\x")),
    ],
)
def test_copy_paths(text: str, result: tuple[str, str] | None) -> None:
    assert views.split_copy_path(text) == result


# -- copying --------------------------------------------------------------------------------------


def test_copy_in_and_out(root: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "sub").mkdir(parents=True)
    (source / "sub" / "f").write_text("1")
    (source / "link").symlink_to(source / "sub" / "f")
    checks: list[int] = []
    assert copying.copy_in(source, root, r"C:\TOOLS", lambda: checks.append(1)) == 2
    assert (root / "Tools/source/sub/f").read_text() == "1"
    assert checks
    assert copying.copy_in(source / "sub" / "f", root, r"C:\tools\g", lambda: None) == 1
    assert copying.copy_out(root, r"C:\tools\G", tmp_path / "back", lambda: None) == 1
    assert (tmp_path / "back").read_text() == "1"


def test_copy_out_ignores_links(root: Path, tmp_path: Path) -> None:
    (root / "Tools" / "passwd").symlink_to("/etc/passwd")
    copying.copy_out(root, r"C:\tools", tmp_path, lambda: None)
    assert sorted(os.listdir(tmp_path / "Tools")) == ["Run.bat", "a.b", "text.exe"]


def test_copy_refuses(root: Path, tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.touch()
    for source, target in ((tmp_path / "no", "C:\\"), (file, r"C:\no\x"), (root / "Tools", r"C:\Tools\a.b")):
        with pytest.raises(InvalidPath):
            copying.copy_in(source, root, target, lambda: None)
    with pytest.raises(InvalidPath):
        copying.copy_out(root, r"C:\nope", tmp_path, lambda: None)


# -- Windows versions -----------------------------------------------------------------------------


CURRENT = r"Machine\Software\Microsoft\Windows NT\CurrentVersion"
CURRENT_32 = r"Machine\Software\Wow6432Node\Microsoft\Windows NT\CurrentVersion"
CURRENT_9X = r"Machine\Software\Microsoft\Windows\CurrentVersion"
OPTIONS = r"Machine\System\ControlSet001\Control\ProductOptions"
WINE = r"User\S-1-5-21-0-0-0-1000\Software\Wine"


def version_template() -> Registry:
    """The base's keys that carry the version, as Wine makes them, and some of those above."""
    keys = Registry("X")
    for path in (CURRENT, CURRENT_32, CURRENT_9X, OPTIONS, WINE):
        parts = path.split("\\")
        for end in range(1, len(parts) + 1):
            keys.ensure("\\".join(parts[:end]))
    for path in (CURRENT, CURRENT_32):
        keys.ensure(path).set("CurrentVersion", Value.text("6.1"))
        keys.ensure(path).set("RegisteredOwner", Value.text("me"))
    keys.ensure(OPTIONS).set("ProductType", Value.text("WinNT"))
    return keys


def value(hive: Registry, path: str, name: str) -> str | None:
    key = hive.get(path)
    found = key.get(name) if key is not None else None
    return None if found is None else found.as_text()


def test_versions_are_written() -> None:
    hive = Registry("X")
    for name, wine, wanted in (
        ("WIN10", (8, 0), "10.0"),
        ("win10", (10, 0), "6.3"),
        ("win2008", (10, 0), "6.0"),
    ):
        winver.apply(hive, version_template(), name, wine)
        assert value(hive, CURRENT, "CurrentVersion") == value(hive, CURRENT_32, "CurrentVersion") == wanted
    assert value(hive, CURRENT, "RegisteredOwner") == "me"
    assert value(hive, OPTIONS, "ProductType") == "ServerNT"


def test_versions_make_no_more_private_than_they_change() -> None:
    hive = Registry("X")
    winver.apply(hive, version_template(), "win7", (8, 0))
    assert OPTIONS not in hive
    assert WINE not in hive
    assert CURRENT_9X not in hive
    parts = CURRENT.split("\\")
    assert all("\\".join(parts[:end]) in hive for end in range(1, len(parts) + 1))


def test_versions_of_other_platforms() -> None:
    """Each is told in places of its own, and in no other."""
    hive = Registry("X")
    winver.apply(hive, version_template(), "win98", (8, 0))
    assert value(hive, CURRENT_9X, "VersionNumber") == "4.10.2222"
    assert value(hive, CURRENT, "CurrentVersion") is None
    winver.apply(hive, version_template(), "win31", (8, 0))
    assert value(hive, CURRENT_9X, "VersionNumber") is None
    assert value(hive, WINE, "Version") == "win31"
    winver.apply(hive, version_template(), "nt40", (8, 0))
    assert value(hive, WINE, "Version") is None
    assert value(hive, CURRENT, "CurrentVersion") == "4.0"


def test_versions_and_deleted_keys() -> None:
    """What programs of a silo have deleted is not put back behind their backs."""
    for path in (CURRENT, CURRENT.rpartition("\\")[0]):
        hive = Registry("X")
        hive.add(Key(path, link=True))
        with pytest.raises(UsageError, match="does not have the key"):
            winver.apply(hive, version_template(), "win10", (8, 0))


@pytest.mark.parametrize("name", ["win99", "", None, 10])
def test_unknown_versions(name: object) -> None:
    with pytest.raises(UsageError, match="Windows version"):
        winver.check_version(name)


# -- the interposer's files -----------------------------------------------------------------------


def make_config(**changes: Any) -> Config:
    fields: dict[str, Any] = {
        "silo_id": 7,
        "address": "127.7.0.7",
        "shared": Path("/run/shared.mem"),
        "network": Path("/run/net/7"),
        "record": Path("/run/audit.mem"),
        "devices": [("shared", r"\??\NUL")],
        "loaders": [Path("/usr/lib/wine/wine64")],
        "links": [("a", "b")],
        "volatile": ["machine\\hardware"],
        **changes,
    }
    return Config(**fields)


def test_config_lines() -> None:
    assert make_config(server_binds=True, trace=Path("/t")).render().splitlines() == [
        "winesilo-interposer\t1",
        "id\t7",
        "address\t127.7.0.7",
        "twin\t127.135.0.7",
        "shared\t/run/shared.mem",
        "network\t/run/net/7",
        "audit\t/run/audit.mem",
        "loader\t/usr/lib/wine/wine64",
        "device\tshared\t\\??\\NUL",
        "link\ta\tb",
        "volatile\tmachine\\hardware",
        "datagrams\tserver",
        "trace\t/t",
    ]


def test_config_refuses_what_it_cannot_hold() -> None:
    with pytest.raises(InterposerError):
        make_config(shared=Path("/a\tb")).render()


def test_twins_come_back() -> None:
    assert twin_address(twin_address("127.1.2.3")) == "127.1.2.3"


def test_missing_library(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(config, "_NATIVE", tmp_path)
    for find in (config.library_path, config.agent_path):
        with pytest.raises(LibraryMissing, match="missing") as caught:
            find()
        assert "make build" in (caught.value.hint or "")


def test_shared_memory(tmp_path: Path) -> None:
    shared = SharedMemory(tmp_path / "m")
    raw = (tmp_path / "m").stat()
    assert raw.st_size == config.SHARED_SIZE
    assert raw.st_blocks * 512 < 1 << 20
    assert shared.registry_writes() == 0
    with (tmp_path / "m").open("r+b") as stream:
        assert stream.read(8) == b"WSILO\0\0\1"
        stream.seek(32768 + 16 * (0x124 >> 2))
        stream.write(struct.pack("<IIQIIQ", 0x124, 4242, 99, 0x128, 0, 99))
    assert shared.lookup(0x124) == (4242, 99)
    assert shared.lookup(0x128) is None
    assert shared.lookup(0x124 + (65536 << 2)) is None
    assert [shared.is_starting(pid) for pid in (0x124, 0x128, 0x12C)] == [False, True, False]
    shared.close()
    assert not (tmp_path / "m").exists()


# -- processes and the watcher --------------------------------------------------------------------


def test_processes_are_found_by_their_environment(tmp_path: Path) -> None:
    conf = tmp_path / "interposer.conf"
    child = process.spawn(
        ["sleep", "60"], env={config.CONFIG_VARIABLE: str(conf), "PATH": os.environ["PATH"]}
    )
    try:
        assert processes.unix_pids(conf) == [child.pid]
        assert processes.unix_pids(tmp_path / "interposer.con") == []
        assert child.pid not in processes.host_pids()
        assert processes.pss_bytes(child.pid) > 0
        reaper = threading.Thread(target=child.wait)
        reaper.start()
        assert processes.kill(conf, 5.0) == []
        reaper.join(5)
        assert child.returncode == -9
    finally:
        child.kill()
        child.wait()
    assert processes.pss_bytes(child.pid) == 0


def linux_state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_suspend_and_resume(tmp_path: Path) -> None:
    """Also what a process starts while it is being suspended; others are left alone."""
    conf, other = tmp_path / "interposer.conf", tmp_path / "other.conf"
    path = os.environ["PATH"]
    loop = "while :; do sleep 0.01; done"
    child = process.spawn(["sh", "-c", loop], env={config.CONFIG_VARIABLE: str(conf), "PATH": path})
    neighbour = process.spawn(["sleep", "60"], env={config.CONFIG_VARIABLE: str(other), "PATH": path})
    try:
        for _ in range(20):
            processes.suspend(conf, 10.0)
            pids = processes.unix_pids(conf)
            assert child.pid in pids
            # D: the shell, in vfork, waits for a child that has stopped before it has become another program
            assert {linux_state(pid) for pid in pids} in ({"T"}, {"T", "D"})
            assert processes.unix_pids(conf) == pids
            assert linux_state(neighbour.pid) != "T"
            processes.resume(conf)
            assert linux_state(child.pid) != "T"
    finally:
        for program in (child, neighbour):
            program.kill()
            program.wait()
        processes.kill(conf, 5.0)


def test_a_process_that_has_not_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The wineserver fills what it has not set yet with 0x55, the time too."""
    conf = tmp_path / "interposer.conf"
    child = process.spawn(
        ["sleep", "60"], env={config.CONFIG_VARIABLE: str(conf), "PATH": os.environ["PATH"]}
    )
    shared = SharedMemory(tmp_path / "shared.mem")
    monkeypatch.setattr(SharedMemory, "lookup", lambda self, pid: (child.pid, 0))
    try:
        rows = [
            WindowsProcess(8, 4, 0, 0x5555_5555_5555_5555, 0, 0, "new.exe"),
            WindowsProcess(12, 4, 1, 116_444_736_000_000_000, 0, 0, "old.exe"),
        ]
        assert [row["name"] for row in processes.table(rows, shared, conf)] == ["old.exe"]
    finally:
        child.kill()
        child.wait()
        shared.close()


def test_a_listing_waits_for_a_process_that_has_just_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its parent knows it; what it is for Linux only it can say."""
    conf = tmp_path / "interposer.conf"
    child = process.spawn(
        ["sleep", "60"], env={config.CONFIG_VARIABLE: str(conf), "PATH": os.environ["PATH"]}
    )
    shared = SharedMemory(tmp_path / "shared.mem")
    answers = iter([None, None, (child.pid, 0)])
    monkeypatch.setattr(SharedMemory, "lookup", lambda self, pid: next(answers))
    monkeypatch.setattr(SharedMemory, "is_starting", lambda self, pid: True)
    try:
        row = WindowsProcess(12, 4, 1, 116_444_736_000_000_000, 0, 0, "new.exe")
        assert [found["unix_pid"] for found in processes.table([row], shared, conf)] == [child.pid]
        monkeypatch.setattr(SharedMemory, "lookup", lambda self, pid: None)
        monkeypatch.setattr(processes, "_START_S", 0.02)
        assert processes.table([row], shared, conf) == []  # it never says so
    finally:
        child.kill()
        child.wait()
        shared.close()


def test_windows_times() -> None:
    assert processes.windows_time_iso(116_444_736_000_000_000) == "1970-01-01T00:00:00.000+00:00"


def test_watcher_calls_once() -> None:
    watcher = Watcher()
    first, second = os.pipe()
    called = threading.Event()
    watcher.add(first, READABLE, called.set)
    assert not called.wait(0.05)
    os.write(second, b"x")
    assert called.wait(5)
    called.clear()
    watcher.add(first, HANGUP, called.set)
    watcher.remove(first)
    os.close(second)
    assert not called.wait(0.05)
    os.close(first)
    watcher.close()


def test_tail(tmp_path: Path) -> None:
    path = tmp_path / "log"
    assert printed.tail(path, 3) == ""
    path.write_text("\n".join(str(number) for number in range(1000)))
    assert printed.tail(path, 3) == "997\n998\n999"


# -- every second ---------------------------------------------------------------------------------


def test_jobs_go_on_after_a_failure(caplog: pytest.LogCaptureFixture) -> None:
    """One that fails is done again, what it says is logged once, and the others are done."""
    failing, other, done = threading.Semaphore(0), threading.Semaphore(0), threading.Event()

    def fail() -> None:
        failing.release()
        raise DiskFull("the disk is full")

    housekeeper = Housekeeper()
    housekeeper.add(1, fail)
    housekeeper.add(1, other.release)
    housekeeper.add(2, done.set)
    assert all(each.acquire(timeout=30) for each in (failing, failing, other, other))
    housekeeper.remove(1)
    housekeeper.remove(3)
    assert done.wait(30)
    housekeeper.close()
    assert caplog.text.count("the disk is full") == 1


# -- listings of folders --------------------------------------------------------------------------


class _Changed:
    """A module with some functions replaced, for one of its users only."""

    def __init__(self, module: object, **functions: object) -> None:
        self.__dict__.update(vars(module) | functions)


class _Layers:
    """A merged tree, made of plain folders: what is in the layers, and what is shown."""

    def __init__(self, place: Path) -> None:
        names = ("root", "upper", "lower", "base")
        self.root, self.upper, self.lower, self.base = (place / name for name in names)
        for part in (self.root, self.upper, self.lower, self.base):
            part.mkdir()

    def add(self, folder: str, *layers: Path) -> None:
        for part in (self.root, *layers):
            (part / folder).mkdir(parents=True, exist_ok=True)

    def listings(self) -> Listings:
        return Listings(self.root, [self.upper, self.lower, self.base])

    def kept(self) -> set[str]:
        """The folders that this process has open."""
        kept = list(self.descriptors().values())
        assert len(set(kept)) == len(kept)
        return set(kept)

    def descriptors(self) -> dict[int, str]:
        """Its descriptors for them."""
        targets = {
            int(name): os.path.realpath(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd")
        }
        return {
            number: os.path.relpath(target, self.root)
            for number, target in targets.items()
            if Path(target).is_relative_to(self.root)
        }


@pytest.fixture
def layers(tmp_path: Path) -> _Layers:
    return _Layers(tmp_path)


def test_listings_of_merged_folders(layers: _Layers) -> None:
    """Those that several layers have, at any depth, are kept until the end."""
    layers.add("windows/system32", layers.lower, layers.base)
    layers.add("windows/fonts", layers.base)
    layers.add("program/logs", layers.upper)
    layers.add("program", layers.lower)
    listings = layers.listings()
    assert layers.kept() == {".", "windows", "windows/system32", "program"}
    listings.close()
    assert layers.kept() == set()
    listings.refresh()
    listings.close()


def test_listings_of_folders_that_become_merged(layers: _Layers) -> None:
    """A folder is kept from when the silo has something of its own in it, and not when it is gone."""
    layers.add("program/data", layers.base)
    with contextlib.closing(layers.listings()) as listings:
        assert layers.kept() == {"."}
        layers.add("program/data", layers.upper)
        listings.refresh()
        assert layers.kept() == {".", "program", "program/data"}
        for part in (layers.root, layers.upper):
            (part / "program").rename(part / "moved")
        listings.refresh()
        assert layers.kept() == {"."}


def test_listings_that_are_too_long(layers: _Layers, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are dropped, and not read again; what is below is kept, as long as it is there."""
    read: list[tuple[int, str]] = []

    def listdir(descriptor: int) -> list[str]:
        read.append(
            (descriptor, os.path.relpath(os.path.realpath(f"/proc/self/fd/{descriptor}"), layers.root))
        )
        return os.listdir(descriptor)

    monkeypatch.setattr(listings_module, "MAX_ENTRIES", 2)
    monkeypatch.setattr(listings_module, "os", _Changed(os, listdir=listdir))
    for number in range(3):
        layers.add(f"large/{number}", layers.lower, layers.base)
    everything = {".", "large", "large/0", "large/1", "large/2"}
    with contextlib.closing(layers.listings()) as listings:
        assert layers.kept() == {path for _, path in read} == everything
        assert set(read) - set(layers.descriptors().items()) == {each for each in read if each[1] == "large"}
        read.clear()
        layers.add("large/new", layers.upper)
        (layers.root / "large" / "0").rename(layers.root / "large" / "moved")
        (layers.root / "new").touch()
        listings.refresh()
        listings.refresh()
        assert layers.kept() == everything - {"large/0"}
        assert [path for _, path in read] == ["."]


def test_listings_that_are_too_many(layers: _Layers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listings_module, "MAX_FOLDERS", 3)
    layers.add("first", layers.lower, layers.base)
    with contextlib.closing(layers.listings()) as listings:
        assert layers.kept() == {".", "first"}
        for number in range(3):
            layers.add(f"small{number}", layers.upper, layers.base)
        listings.refresh()
        assert len(layers.kept()) == 3


def test_listings_are_read_when_nothing_changes(layers: _Layers, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not each time that a folder changes all the time, but once it has settled."""
    read: list[object] = []

    def listdir(path: object) -> list[str]:
        read.append(path)
        return []

    monkeypatch.setattr(os, "listdir", listdir)
    with contextlib.closing(layers.listings()) as listings:
        assert len(read) == 1
        listings.refresh()
        assert len(read) == 1
        for number in range(3):
            os.utime(layers.root, ns=(number, number))
            listings.refresh()
        assert len(read) == 1
        listings.refresh()
        listings.refresh()
        assert len(read) == 2
