"""Overlay mounts: the kernel's overlayfs, or fuse-overlayfs where that is not possible."""

from __future__ import annotations

import enum
import logging
import os
import re
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from winesilo.errors import NamespaceError, OverlayError
from winesilo.host import namespaces as ns
from winesilo.host import process
from winesilo.host.files import remove_tree

log = logging.getLogger(__name__)

#: mount(2) passes at most one page of options.
_MAX_OPTIONS: Final = 4000
_FUSE_TIMEOUT_S: Final = 10.0


class Method(enum.Enum):
    """How silos' files are mounted on this host."""

    KERNEL = "overlayfs"
    KERNEL_USER = "overlayfs,userxattr"
    FUSE = "fuse-overlayfs"


@dataclass(frozen=True, slots=True)
class Overlay:
    """One overlay mount.

    Attributes:
        lower: read-only layers, topmost first.
        upper: takes the changes.
        work: overlayfs' own directory, on the same file system as ``upper``.
        target: the mount point.
        method: how to mount it.
    """

    lower: Sequence[Path]
    upper: Path
    work: Path
    target: Path
    method: Method

    def options(self, lower: Sequence[str] | None = None) -> str:
        r"""The option string (``:``, ``,`` and ``\`` in paths are escaped)."""
        layers = [_escape(str(path), colon=True) for path in self.lower] if lower is None else lower
        upper, work = _escape(str(self.upper)), _escape(str(self.work))
        text = f"lowerdir={':'.join(layers)},upperdir={upper},workdir={work}"
        if self.method is Method.FUSE:
            return text
        # redirect_dir lets programs rename folders of the base (not to be had without privileges); the other
        # two would tie the layers to this file system
        text += ",index=off,metacopy=off"
        return text + (",userxattr" if self.method is Method.KERNEL_USER else ",redirect_dir=on")

    def describe(self) -> str:
        """The shell command that does the same."""
        if self.method is Method.FUSE:
            return f"fuse-overlayfs -o {self.options()} {self.target}"
        return f"mount -t overlay -o {self.options()} overlay {self.target}"

    def execute(self) -> None:
        """Mount it.

        Raises:
            NamespaceError, OverlayError: it was refused.
        """
        if self.method is Method.FUSE:
            self._mount_fuse()
            return
        options = self.options()
        if len(os.fsencode(options)) <= _MAX_OPTIONS:
            ns.Mount("overlay", self.target, "overlay", ns.MS_NODEV | ns.MS_NOSUID, options).execute()
            return
        # many layers: descriptors make their paths short
        descriptors = [os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC) for path in self.lower]
        try:
            short = self.options([f"/proc/self/fd/{descriptor}" for descriptor in descriptors])
            if len(os.fsencode(short)) > _MAX_OPTIONS:
                raise OverlayError(
                    f"{len(self.lower)} file layers are more than can be mounted",
                    "clone from a silo with fewer generations",
                )
            ns.Mount("overlay", self.target, "overlay", ns.MS_NODEV | ns.MS_NOSUID, short).execute()
        finally:
            for descriptor in descriptors:
                os.close(descriptor)

    def _mount_fuse(self) -> None:
        program = shutil.which("fuse-overlayfs")
        if program is None:
            raise OverlayError("fuse-overlayfs is not installed", "apt-get install fuse-overlayfs")
        log.debug("%s", self.describe())
        child = process.spawn(
            [program, "-f", "-o", self.options(), str(self.target)], stderr=process.PIPE, new_session=True
        )
        deadline = time.monotonic() + _FUSE_TIMEOUT_S
        while not ns.is_mounted(self.target):
            try:
                child.wait(0.005)
            except process.TimeoutExpired:
                if time.monotonic() < deadline:
                    continue
                child.kill()
            message = child.stderr.read().decode("utf-8", "replace").strip() if child.stderr else ""
            child.wait()
            raise OverlayError(f"fuse-overlayfs could not mount {self.target}: {message or 'no message'}")
        if child.stderr is not None:
            child.stderr.close()

    def unmount(self) -> None:
        """Unmount; fine when it is not mounted.  A busy mount is detached and ends with its last user."""
        try:
            ns.Unmount(self.target).execute()
        except NamespaceError as error:
            log.warning("%s; detaching it", error.message)
            ns.Unmount(self.target, lazy=True).execute()


def _escape(path: str, colon: bool = False) -> str:
    for char in "\\,:" if colon else "\\,":
        path = path.replace(char, "\\" + char)
    return path


def find_method(data: Path, user_namespace: bool) -> Method:
    """Find out by trying how overlays can be mounted on the file system of ``data``.

    Must run in a mount namespace of our own.

    Args:
        data: the host's data directory; exists.
        user_namespace: whether we are in a user namespace of our own.

    Raises:
        OverlayError: with the fix.
    """
    kernel = Method.KERNEL_USER if user_namespace else Method.KERNEL
    probe = Path(tempfile.mkdtemp(prefix=".overlay-probe-", dir=data))
    failures: list[str] = []
    try:
        for method in (kernel, Method.FUSE):
            failure = _try(probe / method.name, method)
            if failure is None:
                return method
            log.info("%s", failure)
            failures.append(failure)
    finally:
        remove_tree(probe)
    raise OverlayError(f"silos' files can't be mounted: {'; '.join(failures)}", _hint(data, user_namespace))


def _try(folder: Path, method: Method) -> str | None:
    """Mount a small overlay, write through it; None if that works, else why not."""
    parts = {name: folder / name for name in ("lower", "upper", "work", "target")}
    for path in parts.values():
        path.mkdir(parents=True)
    (parts["lower"] / "file").write_text("lower")
    overlay = Overlay([parts["lower"]], parts["upper"], parts["work"], parts["target"], method)
    try:
        overlay.execute()
        try:
            (parts["target"] / "file").write_text("upper")
            (parts["target"] / "file").unlink()
        finally:
            overlay.unmount()
    except (NamespaceError, OverlayError) as error:
        return f"{method.value}: {error.message}"
    except OSError as error:
        return f"{method.value}: {error.strerror}"
    return None


def _hint(data: Path, user_namespace: bool) -> str:
    if filesystem_type(data.resolve(), Path("/proc/self/mountinfo").read_text()) == "overlay":
        return (
            f"{data} is itself on an overlay (a container's root): set XDG_DATA_HOME to a directory on a"
            " volume or tmpfs, or install fuse-overlayfs and give the container /dev/fuse"
        )
    if user_namespace:
        return "Linux 5.11 or newer is needed to do this without root; or install fuse-overlayfs"
    return "load the kernel's overlay module (modprobe overlay), or install fuse-overlayfs"


def filesystem_type(path: Path, mountinfo: str) -> str:
    """The type of the file system that holds ``path``.

    Args:
        path: absolute, without symbolic links.
        mountinfo: the content of ``/proc/self/mountinfo`` (proc(5)).

    Returns:
        Its name, for example ``ext4``; empty if no mount holds the path.
    """
    best, kind = -1, ""
    for line in mountinfo.splitlines():
        head, _, tail = line.partition(" - ")
        point = re.sub(r"\\([0-7]{3})", lambda match: chr(int(match.group(1), 8)), head.split(" ")[4])
        if path.is_relative_to(point) and len(point) >= best:  # later mounts cover earlier ones
            best, kind = len(point), tail.split(" ")[0]
    return kind
