"""Making the base: the one Wine prefix that all silos of a host share.

:func:`init_host` runs in the caller's process and starts a worker in namespaces of its own
(:mod:`winesilo.host.base_worker`), so that an interrupted run leaves no process and no mount.  The
prefix is made in ``base.partial``, then renamed; ``host.json`` is written last and commits.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from winesilo.errors import (
    BaseDamaged,
    HostBusy,
    HostError,
    HostNotInitialised,
    ProtocolError,
    from_wire,
)
from winesilo.host import process, wine
from winesilo.host.files import os_errors, remove_tree, require_space, write_atomic
from winesilo.host.paths import HostPaths, data_root
from winesilo.host.wineserver import remove_directory_of

#: A prefix made by Wine 8.0 or 10.0 takes 700 MB; some room for the first silos.
SPACE_NEEDED: Final = 900 << 20
#: What the files for 32-bit programs take besides.
SPACE_WINE32: Final = 650 << 20
#: Of ``host.json`` and of what lies beside it: the base, the templates of hives. 1 had hives with a link
#: for each key that was not private, which the interposer does not understand any more.
FORMAT: Final = 2

OnProgress = Callable[[str, float | None], None]


@dataclass(frozen=True, slots=True)
class HostInfo:
    """What ``host.json`` holds.

    Attributes:
        format: version of this record and of the host's layout on disk (``FORMAT``).
        wine: what ``wine64 --version`` printed when the base was made or last updated.
        loader: path of the loader.
        created: ISO 8601 time.
        links: symbolic links of the base's registry, lower-case logical paths.
        wine32: the folder with Wine's files for 32-bit programs; None: the base can't run them.
    """

    format: int
    wine: str
    loader: str
    created: str
    links: list[tuple[str, str]]
    wine32: str | None = None

    def write(self, path: Path) -> None:
        """Write it atomically."""
        write_atomic(path, json.dumps(asdict(self), indent=1).encode())


def load_info(paths: HostPaths) -> HostInfo:
    """Read ``host.json``.

    Raises:
        HostNotInitialised: there is none.
        BaseDamaged: it can't be understood, or another version of winesilo made it.
    """
    try:
        raw = json.loads(paths.host_json.read_text())
        _check_format(paths, int(raw["format"]))
        info = HostInfo(
            format=FORMAT,
            wine=str(raw["wine"]),
            loader=str(raw["loader"]),
            created=str(raw["created"]),
            links=[(str(source), str(target)) for source, target in raw["links"]],
            wine32=str(raw["wine32"]) if raw.get("wine32") else None,
        )
    except FileNotFoundError:
        raise HostNotInitialised(f"the host {paths.name!r} has no base yet", "run: silo host init") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BaseDamaged(
            f"{paths.host_json} can't be read: {error}",
            f"restore it, or remove {paths.host_json} and run: silo host init",
            path=str(paths.host_json),
        ) from error
    return info


def _check_format(paths: HostPaths, number: int) -> None:
    if number == FORMAT:
        return
    age = "an earlier" if number < FORMAT else "a later"
    raise BaseDamaged(
        f"the host {paths.name!r} was made by {age} winesilo: "
        f"{paths.host_json} has format {number}, not {FORMAT}",
        f"use that one, or make a new host: rm -r {paths.data}; silo host init",
        path=str(paths.host_json),
    )


def check_base(paths: HostPaths) -> None:
    """Check that the base prefix is still there.

    Raises:
        BaseDamaged: naming what is missing.
    """
    for needed in (
        paths.base / "system.reg",
        paths.base / "drive_c" / "windows" / "system32",
        paths.hive_template,
    ):
        if not needed.exists():
            raise BaseDamaged(
                f"the base of host {paths.name!r} was changed underneath: {needed} is missing",
                f"restore it, or: silo host stop; rm {paths.host_json}; silo host init",
                path=str(needed),
            )


@contextlib.contextmanager
def lock(paths: HostPaths) -> Iterator[int]:
    """Hold the host's lock (the daemon while it runs, init while it works).

    Raises:
        HostBusy: someone else holds it.
    """
    paths.data.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(paths.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise HostBusy(
                f"the host {paths.name!r} is running or being initialised by another process",
                "see: silo host status",
            ) from None
        yield descriptor
    finally:
        os.close(descriptor)


def init_host(host_name: str, on_progress: OnProgress | None = None, wine32: str | None = None) -> bool:
    """Make the host's base, unless it exists.

    Args:
        host_name: which host.
        on_progress: called with a text and, where known, the share done (0 to 1).
        wine32: see :meth:`winesilo.host.wine.Wine.find_i386`.

    Returns:
        True if it was made, False if it existed.

    Raises:
        WineNotFound, WineTooOld, DiskFull, NamespaceError, OverlayError: what is missing, with the fix.
        HostBusy: another process does the same.
        HostError: Wine could not make the prefix.
    """
    paths = HostPaths.of(host_name)
    if paths.initialised:
        load_info(paths)
        check_base(paths)
        return False
    folder = wine.find().find_i386(wine32)
    require_space(data_root(), SPACE_NEEDED + (SPACE_WINE32 if folder else 0), "the base prefix")
    with os_errors("make the host's base"), lock(paths):
        if paths.host_json.is_file():  # another process was faster
            return False
        discard_prefix(paths.base_partial)
        discard_prefix(paths.base)
        try:
            _run_worker(paths, on_progress or (lambda text, done: None), folder)
        except BaseException:
            discard_prefix(paths.base_partial)
            raise
    return True


def discard_prefix(prefix: Path) -> None:
    """Remove a Wine prefix, and what a killed wineserver of it left in /tmp."""
    remove_directory_of(prefix)
    remove_tree(prefix)


def _run_worker(paths: HostPaths, on_progress: OnProgress, wine32: Path | None) -> None:
    """Run the worker, hand its progress on, raise its error."""
    with paths.daemon_log.open("ab") as log:
        worker = process.spawn(
            [sys.executable, "-m", "winesilo.host.base_worker", paths.name, str(wine32 or wine.NO_WINE32)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            stdout=process.PIPE,
            stderr=log,
            new_session=True,
        )
    try:
        assert worker.stdout is not None
        for line in worker.stdout:
            message = _message(line)
            if "error" in message:
                raise from_wire(message["error"])
            if "progress" in message:
                on_progress(str(message["progress"]["text"]), message["progress"]["done"])
        if worker.wait() != 0:
            raise HostError(
                f"making the base failed (exit code {worker.returncode})", f"see {paths.daemon_log}"
            )
    finally:
        if worker.poll() is None:
            worker.terminate()
        worker.wait()
        if worker.stdout is not None:
            worker.stdout.close()


def _message(line: bytes) -> dict[str, Any]:
    try:
        message = json.loads(line)
    except ValueError:
        raise ProtocolError(f"the base worker wrote {line[:80]!r}") from None
    if not isinstance(message, dict):
        raise ProtocolError(f"the base worker wrote {line[:80]!r}")
    return message
