"""Paths, files, Wine's version, overlay options, mounts, errors on the wire."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import cast

import pytest

from winesilo import errors
from winesilo.host import files, paths, process, wine
from winesilo.host.base import discard_prefix
from winesilo.host.namespaces import Mount, Unshare, fixed_addresses
from winesilo.host.overlayfs import Method, Overlay, filesystem_type


@pytest.mark.parametrize("name", ["a", "A-1.b_c", "x" * 63, "0"])
def test_good_names(name: str) -> None:
    assert paths.check_name(name, "silo") == name


@pytest.mark.parametrize(
    "name", ["", "../x", ".", "-a", "a b", "a/b", "x" * 64, "x" * 300, "a\n", "é", None, 3]
)
def test_bad_names(name: object) -> None:
    with pytest.raises(errors.InvalidName) as caught:
        paths.check_name(name, "silo")
    assert len(caught.value.message) < 120
    assert caught.value.exit_code == errors.EXIT_USAGE


def test_runtime_directory_must_be_private(tmp_path: Path) -> None:
    assert paths.private_directory(tmp_path / "new").stat().st_mode & 0o777 == 0o700
    (tmp_path / "open").mkdir(mode=0o755)
    with pytest.raises(errors.HostError):
        paths.private_directory(tmp_path / "open")
    (tmp_path / "link").symlink_to(tmp_path / "new")
    with pytest.raises(errors.HostError):
        paths.private_directory(tmp_path / "link")


def test_paths_follow_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    host = paths.HostPaths.of("h")
    assert host.base == tmp_path / "data/winesilo/hosts/h/base"
    assert host.socket == tmp_path / "winesilo/h/control.sock"
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "missing"))
    assert paths.runtime_root() == Path(f"/tmp/winesilo-{os.getuid()}")


def test_write_atomic_replaces_and_cleans_up(tmp_path: Path) -> None:
    path = tmp_path / "f"
    files.write_atomic(path, b"one")
    files.write_atomic(path, b"two", sync=False)
    assert path.read_bytes() == b"two"
    with pytest.raises(TypeError):
        files.write_atomic(path, cast("bytes", 3))
    assert os.listdir(tmp_path) == ["f"]


@pytest.mark.parametrize(
    ("number", "kind"),
    [(errno.ENOSPC, errors.DiskFull), (errno.EDQUOT, errors.DiskFull), (errno.EIO, errors.HostError)],
)
def test_os_errors_become_ours(number: int, kind: type[errors.WinesiloError]) -> None:
    with pytest.raises(kind) as caught, files.os_errors("do it"):
        raise OSError(number, os.strerror(number), "/some/file")
    assert type(caught.value) is kind
    assert "/some/file" in caught.value.message


def test_remove_tree_handles_closed_directories(tmp_path: Path) -> None:
    inner = tmp_path / "tree" / "work" / "work"
    inner.mkdir(parents=True)
    (inner / "file").touch()
    inner.chmod(0)
    files.remove_tree(tmp_path / "tree")
    files.remove_tree(tmp_path / "tree")
    assert os.listdir(tmp_path) == []


def test_remove_tree_does_not_follow_links(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").touch()
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "link").symlink_to(tmp_path / "kept")
    files.remove_tree(tmp_path / "tree")
    assert (tmp_path / "kept" / "file").exists()


def test_disk_usage_counts_blocks(tmp_path: Path) -> None:
    with (tmp_path / "sparse").open("wb") as stream:
        stream.truncate(100 << 20)
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "full").write_bytes(b"x" * 100_000)
    assert 100_000 <= files.disk_usage(tmp_path) < 1 << 20


def test_require_space_says_how_much(tmp_path: Path) -> None:
    files.require_space(tmp_path / "not" / "there", 1, "x")
    with pytest.raises(errors.DiskFull, match="MiB needed"):
        files.require_space(tmp_path, 1 << 60, "x")


def test_discarding_a_prefix_leaves_foreign_names_alone(tmp_path: Path) -> None:
    prefix = tmp_path / "prefix"
    prefix.mkdir()
    (prefix / "wineserver").write_text("../../etc")
    discard_prefix(prefix)
    assert not prefix.exists()


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("wine-8.0 (Debian 8.0~repack-4)", (8, 0)),
        ("wine-10.0-rc3", (10, 0)),
        ("wine-9.22 (Staging)", (9, 22)),
        ("", None),
        ("it looks like wine32 is missing", None),
    ],
)
def test_wine_versions(text: str, version: tuple[int, int] | None) -> None:
    assert wine.parse_version(text) == version


def fake_wine(folder: Path, version: str) -> Path:
    folder.mkdir()
    for name in ("wine64", "wineserver64"):
        (folder / name).write_text(f"#!/bin/sh\necho {version}\n")
        (folder / name).chmod(0o755)
    return folder / "wine64"


def test_too_old_a_wine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loader = fake_wine(tmp_path / "wine", "wine-7.22")
    monkeypatch.setenv(wine.OVERRIDE, str(loader))
    monkeypatch.setattr(wine, "is_elf64", lambda path: True)
    with pytest.raises(errors.WineTooOld, match=r"7\.22") as caught:
        wine.find()
    assert caught.value.hint


def test_no_wine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(wine.OVERRIDE, "/bin/does-not-exist")
    with pytest.raises(errors.WineNotFound):
        wine.find()
    monkeypatch.delenv(wine.OVERRIDE)
    monkeypatch.setattr(wine, "_DIRECTORIES", ())
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(errors.WineNotFound) as caught:
        wine.find()
    assert "install" in (caught.value.hint or "")


def test_wine_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", "/x")
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    monkeypatch.setenv("WINEPREFIX", "/wrong")
    env = wine.environment(Path("/p"), {"A": "b"})
    assert env["WINEPREFIX"] == "/p"
    assert env["A"] == "b"
    assert env["LC_ALL"] == "C.UTF-8"
    assert not {"TMPDIR", "DISPLAY"} & set(env)


def windows_program(path: Path, machine: int) -> Path:
    """The start of a program: what tells its machine."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(
        b"MZ".ljust(60, b"\0") + (64).to_bytes(4, "little") + b"PE\0\0" + machine.to_bytes(2, "little")
    )
    return path


def test_machine_of_programs(tmp_path: Path) -> None:
    assert wine.is_i386(windows_program(tmp_path / "32.exe", 0x14C))
    assert wine.machine_of(windows_program(tmp_path / "64.exe", 0x8664)) == 0x8664
    whole = (tmp_path / "32.exe").read_bytes()
    for length in (0, 1, 2, 63, 64, 69):
        (tmp_path / "cut.exe").write_bytes(whole[:length])
        assert wine.machine_of(tmp_path / "cut.exe") is None
    (tmp_path / "dos.exe").write_bytes(whole[:60] + b"\xff\xff\xff\xff" + whole[64:])
    assert wine.machine_of(tmp_path / "dos.exe") is None
    assert wine.machine_of(tmp_path / "missing.exe") is None
    assert wine.machine_of(tmp_path) is None


def test_files_for_32_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wine, "_I386_DIRECTORIES", (str(tmp_path / "i386"),))
    installed = wine.Wine(tmp_path / "lib" / "wine" / "wine64", tmp_path / "server", (8, 0), "wine-8.0")
    assert installed.find_i386() is None
    with pytest.raises(errors.WineNotFound, match="i386-windows"):
        installed.find_i386(str(tmp_path / "i386"))
    windows_program(tmp_path / "i386" / "i386-windows" / "ntdll.dll", 0x14C)
    assert installed.find_i386() == tmp_path / "i386"
    assert installed.find_i386(str(tmp_path / "i386")) == tmp_path / "i386"
    assert installed.find_i386(wine.NO_WINE32) is None
    own = tmp_path / "lib" / "x86_64-linux-gnu" / "wine"
    windows_program(own / "i386-windows" / "ntdll.dll", 0x8664)
    assert installed.find_i386() == tmp_path / "i386", "these are no 32-bit files"
    windows_program(own / "i386-windows" / "ntdll.dll", 0x14C)
    assert installed.find_i386() == own

    place = tmp_path / "place"
    with pytest.raises(errors.WineNotFound, match="can't be found"):
        installed.link_i386(tmp_path / "i386", place)
    (own / "x86_64-unix").mkdir()
    (own / "x86_64-unix" / "ntdll.so").touch()
    for found in (tmp_path / "i386", own):
        installed.link_i386(found, place)
        assert (place / "i386-windows").readlink() == found / "i386-windows"
        assert (place / "x86_64-unix").readlink() == own / "x86_64-unix"
    monkeypatch.setenv("WINEDLLPATH", "/other")
    assert wine.environment(Path("/p"), wine32=place)["WINEDLLPATH"] == f"/other:{place}"
    monkeypatch.delenv("WINEDLLPATH")
    assert wine.environment(Path("/p"), wine32=place)["WINEDLLPATH"] == str(place)
    assert wine.dll_folders(place) == [place]


def test_a_32_bit_preloader_is_no_loader(tmp_path: Path) -> None:
    """It would run programs without our library."""
    for name, kind in (("wine64", 2), ("wine64-preloader", 2), ("wine-preloader", 1)):
        (tmp_path / name).write_bytes(b"\x7fELF" + bytes([kind]))
        (tmp_path / name).chmod(0o755)
    installed = wine.Wine(tmp_path / "wine64", tmp_path / "wineserver", (8, 0), "wine-8.0")
    assert installed.executables() == [tmp_path / "wine64", tmp_path / "wine64-preloader"]


def test_overlay_options_escape_paths() -> None:
    overlay = Overlay(
        [Path("/a:b"), Path("/c,d")], Path("/u,p"), Path("/w:k"), Path("/t"), Method.KERNEL_USER
    )
    options = overlay.options()
    assert options.startswith(r"lowerdir=/a\:b:/c\,d,upperdir=/u\,p,workdir=/w:k,")
    assert options.endswith("userxattr")
    assert overlay.describe() == f"mount -t overlay -o {options} overlay /t"


def test_file_system_types() -> None:
    mountinfo = (
        "1 0 8:1 / / rw - ext4 /dev/vda rw\n"
        "2 1 0:5 / /var rw shared:1 - tmpfs tmpfs rw\n"
        "3 2 0:6 / /var rw - overlay overlay rw\n"
        r"4 1 0:7 / /mnt/a\040b rw - xfs /dev/x rw" + "\n"
    )
    assert filesystem_type(Path("/var/lib"), mountinfo) == "overlay"
    assert filesystem_type(Path("/varx"), mountinfo) == "ext4"
    assert filesystem_type(Path("/mnt/a b/c"), mountinfo) == "xfs"
    assert filesystem_type(Path("/x"), "") == ""


def test_overlay_without_fuse(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    overlay = Overlay([tmp_path], tmp_path, tmp_path, tmp_path, Method.FUSE)
    with pytest.raises(errors.OverlayError, match="not installed"):
        overlay.execute()


def test_operations_describe_themselves() -> None:
    assert Mount("proc", Path("/proc"), "proc").describe() == "mount -t proc proc /proc"
    assert "mount, pid" in Unshare(0x20020000).describe()


def test_command_line_can_be_pasted() -> None:
    env = {**os.environ, "A": "x y"}
    line = process.command_line(["/bin/echo", "a b", "$c"], env, Path("/tmp"))
    assert line == "cd /tmp && env A='x y' /bin/echo 'a b' '$c'"


def test_run_reports_and_limits() -> None:
    done = process.run(["sh", "-c", "echo out; echo err >&2; exit 3"])
    assert (done.returncode, done.stdout, done.stderr) == (3, "out\n", "err\n")
    with pytest.raises(errors.HostError, match="did not end"):
        process.run(["sleep", "10"], timeout_s=0.05)
    with pytest.raises(errors.HostError, match="cannot start"):
        process.run(["/does/not/exist"])


def test_with_variable_during_exec(tmp_path: Path) -> None:
    """The kernel shows no environment, for a moment, of a process that becomes another program."""
    script = tmp_path / "again"
    script.write_text('exec sh "$0"\n')
    env = {"WINESILO_TEST": str(tmp_path), "PATH": os.environ["PATH"]}
    child = process.spawn(["sh", str(script)], env=env)
    try:
        for _ in range(1000):
            assert process.with_variable("WINESILO_TEST", str(tmp_path), [child.pid]) == [child.pid]
    finally:
        child.kill()
        child.wait()
    assert process.with_variable("WINESILO_TEST", str(tmp_path)) == []


def test_wait_gone() -> None:
    child = process.spawn(["sleep", "10"])
    assert process.wait_gone([child.pid], 0.01) == [child.pid]
    process.kill_all([child.pid])
    assert process.wait_gone([child.pid, 2**22 - 1], 5.0) == []
    child.wait()


def test_errors_survive_the_wire() -> None:
    first = errors.ServiceError("no", "yes", code=5, code_name="ERROR_ACCESS_DENIED", extra=[1])
    second = errors.from_wire(errors.to_wire(first))
    assert type(second) is errors.ServiceError
    assert (second.message, second.hint, second.code) == ("no", "yes", 5)
    assert second.details == first.details
    assert type(errors.from_wire({"type": "Nonsense", "message": "x"})) is errors.DaemonError


def test_every_error_is_in_the_tree_drawn_at_the_top() -> None:
    drawn = errors.__doc__ or ""
    for cls in errors._tree(errors.WinesiloError):
        if cls.__module__ == errors.__name__:
            assert f"{cls.__name__}" in drawn


def test_fixed_addresses() -> None:
    """A program that is started within has its memory where it always is; this process is as it was."""
    code = "import ctypes; print(ctypes.CDLL(None).personality(0xFFFFFFFF) & 0x40000)"

    def flag() -> str:
        return subprocess.check_output([sys.executable, "-c", code], text=True).strip()

    before = flag()
    with fixed_addresses():
        assert flag() == str(0x40000)
    assert flag() == before
