"""Where a host keeps its things.

Data lives under ``$XDG_DATA_HOME/winesilo`` (default ``~/.local/share/winesilo``), sockets and
memory files under ``$XDG_RUNTIME_DIR/winesilo`` or, without one, ``/tmp/winesilo-UID``.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from winesilo.errors import HostError, InvalidName

DEFAULT_HOST: Final = "default"
NAME_PATTERN: Final = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}")


def check_name(name: object, what: str) -> str:
    """Return ``name`` if it may be used as a file name.

    Args:
        name: what the user gave.
        what: ``silo`` or ``host``, for the message.

    Raises:
        InvalidName: anything but 1 to 63 letters, digits, ``_``, ``.`` and ``-``, starting with a
            letter or digit.
    """
    if not isinstance(name, str) or NAME_PATTERN.fullmatch(name) is None:
        shown = name if isinstance(name, str) and len(name) <= 70 else str(name)[:60] + "..."
        raise InvalidName(
            f"{shown!r} is not a {what} name",
            "use 1 to 63 letters, digits, '_', '.' and '-', starting with a letter or digit",
        )
    return name


def data_root() -> Path:
    """The directory of all hosts' data."""
    base = os.environ.get("XDG_DATA_HOME", "")
    root = Path(base) if base.startswith("/") else Path.home() / ".local" / "share"
    return root / "winesilo"


def runtime_root() -> Path:
    """The directory of all hosts' sockets (not created here)."""
    base = os.environ.get("XDG_RUNTIME_DIR", "")
    if base.startswith("/") and Path(base).is_dir():
        return Path(base) / "winesilo"
    return Path("/tmp") / f"winesilo-{os.getuid()}"  # noqa: S108 - ownership and mode are checked


def private_directory(path: Path) -> Path:
    """Create ``path`` with mode 0700 and check that it is ours alone.

    Raises:
        HostError: it belongs to someone else, is a link, or others may enter it.
    """
    with contextlib.suppress(FileExistsError):
        path.mkdir(mode=0o700, parents=True)
    status = path.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise HostError(
            f"{path} is not a private directory of yours",
            f"remove it, or set XDG_RUNTIME_DIR (it must belong to uid {os.getuid()}, mode 0700)",
        )
    return path


#: Directories of the Filesystem Hierarchy Standard that Wine and its programs have no use for.
_SHORT_MOUNT_POINTS: Final = (Path("/boot"), Path("/srv"))


@dataclass(frozen=True, slots=True)
class HostPaths:
    """Every path of one host.

    Attributes:
        name: the host's name.
        data: ``<data>/hosts/<name>``.
        runtime: ``<runtime>/<name>``.
    """

    name: str
    data: Path
    runtime: Path

    @classmethod
    def of(cls, name: str) -> HostPaths:
        """The paths of the host called ``name``.

        Raises:
            InvalidName: the name is not allowed.
        """
        check_name(name, "host")
        return cls(name, data_root() / "hosts" / name, runtime_root() / name)

    @property
    def base(self) -> Path:
        """The Wine prefix that all silos share, read-only for them."""
        return self.data / "base"

    @property
    def base_partial(self) -> Path:
        """The prefix while ``silo host init`` makes it."""
        return self.data / "base.partial"

    @property
    def wine32(self) -> Path:
        """Links to Wine's files for 32-bit programs."""
        return self.data / "wine32"

    @property
    def host_json(self) -> Path:
        """Wine version, link table, options found out at init."""
        return self.data / "host.json"

    @property
    def hive_template(self) -> Path:
        """The registry every new silo starts with."""
        return self.data / "template.hive"

    @property
    def version_template(self) -> Path:
        """The same with the keys that hold the Windows version."""
        return self.data / "version.hive"

    @property
    def template_catalogue(self) -> Path:
        """Which catalogue of drivers both were made with (its digest)."""
        return self.data / "template.catalogue"

    @property
    def catalogue(self) -> Path:
        """The user's catalogue of drivers and devices; there need be none."""
        return self.data / "catalogue.toml"

    @property
    def silos(self) -> Path:
        """One directory per silo."""
        return self.data / "silos"

    @property
    def programs(self) -> Path:
        """The file layer just above the base: the programs that silos have in place of Wine's."""
        return self.data / "programs"

    @property
    def layers(self) -> Path:
        """Read-only file layers shared by clones."""
        return self.data / "layers"

    @property
    def lock(self) -> Path:
        """Held (flock) by the daemon and by init."""
        return self.data / "lock"

    @property
    def daemon_log(self) -> Path:
        """What the daemon, the wineserver and the agent wrote to stderr."""
        return self.data / "daemon.log"

    @property
    def server_note(self) -> Path:
        """Says where the wineserver's own directory is, for the clean-up after a crash."""
        return self.data / "wineserver.directory"

    @property
    def socket(self) -> Path:
        """The daemon's control socket."""
        return self.runtime / "control.sock"

    @property
    def shm(self) -> Path:
        """The tmpfs of the running silos' prefixes, C: drives, configurations and shared memory.

        The daemon mounts it, in its own mount namespace only.  The wineserver resolves a file's path a
        component at a time, so a short one makes each open faster (docs/design/files.md).  An empty
        system directory that no silo needs serves as mount point.
        """
        needed = (self.data, self.runtime, Path.home())
        for candidate in _SHORT_MOUNT_POINTS:
            usable = candidate.is_dir() and not candidate.is_symlink()
            if usable and not any(path.is_relative_to(candidate) for path in needed):
                return candidate
        return self.runtime / "shm"

    @property
    def initialised(self) -> bool:
        """True when init has finished."""
        return self.host_json.is_file()

    def make_runtime(self) -> None:
        """Create the runtime directory, checked to be private."""
        private_directory(self.runtime.parent)
        private_directory(self.runtime)


def list_hosts() -> Iterator[str]:
    """Names of the hosts that have data."""
    root = data_root() / "hosts"
    if root.is_dir():
        yield from sorted(entry.name for entry in root.iterdir() if entry.is_dir())
