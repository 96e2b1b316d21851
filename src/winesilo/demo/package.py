"""Fetches a package of the npm registry and takes files out of it; nothing of it is run here.

The npm client itself is asked, so that a user's configured mirror, proxy and credentials are honoured and
no address stands in the code. What it brings is checked by SHA-256 before anything reads it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from winesilo.errors import DownloadError
from winesilo.host import process

FETCH_DEADLINE_S = 600.0


@dataclass(frozen=True)
class NpmPackage:
    """A pinned package.

    Attributes:
        name: its name in the npm registry.
        version: the exact version.
        sha256: of the archive, as the registry has it.
        size: of the archive, in bytes, for messages.
        files: SHA-256 of single files in it, by their path below ``package/``.
    """

    name: str
    version: str
    sha256: str
    size: int
    files: Mapping[str, str]

    @property
    def archive_name(self) -> str:
        """The file name that ``npm pack`` gives the archive."""
        return f"{self.name}-{self.version}.tgz"


def cache_folder() -> Path:
    """Where downloads are kept: ``$XDG_CACHE_HOME/winesilo``, else ``~/.cache/winesilo``."""
    configured = os.environ.get("XDG_CACHE_HOME", "")
    root = Path(configured) if configured.startswith("/") else Path.home() / ".cache"
    return root / "winesilo"


def fetch(package: NpmPackage, say: Callable[[str], None]) -> Path:
    """Get the archive of a package, from the cache or from the registry.

    Args:
        package: what to get.
        say: told what goes on.

    Returns:
        The archive in the cache, its hash checked.

    Raises:
        DownloadError: it is not in the cache and npm is missing, failed, or brought something else.
    """
    archive = cache_folder() / package.archive_name
    if archive.is_file():
        if sha256(archive) == package.sha256:
            say(f"{package.name} {package.version} is in the cache")
            return archive
        say(f"{archive} is damaged; fetching it again")
    npm = shutil.which("npm")
    if npm is None:
        raise DownloadError(
            f"cannot fetch {package.name}: there is no npm on this machine",
            "run: apt-get install npm; without network: silo demo --service spooler",
        )
    archive.parent.mkdir(parents=True, exist_ok=True)
    say(f"fetching {package.name} {package.version} ({package.size / 1e6:.0f} MB) with npm")
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=archive.parent) as folder:
        fetched = _npm_pack(npm, package, Path(folder))
        if sha256(fetched) != package.sha256:
            raise DownloadError(
                f"the registry's {package.archive_name} is not the file that was expected"
                f" (its SHA-256 is {sha256(fetched)})",
                "check the registry that npm is configured to use: npm config get registry",
            )
        fetched.replace(archive)
    return archive


def _npm_pack(npm: str, package: NpmPackage, folder: Path) -> Path:
    result = process.run(
        [npm, "pack", f"{package.name}@{package.version}", "--ignore-scripts", "--silent"],
        cwd=folder,
        timeout_s=FETCH_DEADLINE_S,
    )
    fetched = folder / package.archive_name
    if result.returncode != 0 or not fetched.is_file():
        reason = " ".join((result.stderr or result.stdout).split())[-300:]
        raise DownloadError(
            f"npm could not fetch {package.name}@{package.version}" + (f": {reason}" if reason else ""),
            "check the network or npm's registry setting; without network: silo demo --service spooler",
        )
    return fetched


def extract(package: NpmPackage, archive: Path, prefix: str, wanted: Sequence[str], target: Path) -> None:
    """Unpack some of one folder of the archive and check the pinned files in it.

    Args:
        package: whose archive it is.
        archive: from :func:`fetch`.
        prefix: the folder below ``package/``, without slashes at the ends.
        wanted: files and folders in it.
        target: a folder to put them in; made if missing.

    Raises:
        DownloadError: a pinned file is missing or differs.
    """
    root = f"package/{prefix}/"
    with tarfile.open(archive, "r:gz") as tar:
        for member in tar:
            relative = PurePosixPath(member.name.removeprefix(root))
            if not member.name.startswith(root) or relative.parts[0] not in wanted:
                continue
            content = tar.extractfile(member)
            if content is None:
                continue
            if ".." in relative.parts:
                raise DownloadError(f"{archive} holds a file that would land elsewhere: {member.name}")
            file = target / relative
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("wb") as out:
                shutil.copyfileobj(content, out)
    for path, expected in package.files.items():
        pinned = target / path.removeprefix(f"{prefix}/")
        if not pinned.is_file() or sha256(pinned) != expected:
            raise DownloadError(f"{path} in {archive} is not the file that was expected")


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
