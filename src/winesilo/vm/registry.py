r"""The silo's registry hive: sealing, checking, loading, saving.

While a silo runs its hive lives in the wineserver under ``\Registry\User\winesilo-N``, which the
wineserver does not save.  We save it within about two seconds of a change, to a new file that is
synced and then renamed.  The file ends with a comment that carries its length and CRC-32, so that
a cut or changed file is noticed before the wineserver would skip the bad lines in silence.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import re
import threading
import time
import zlib
from pathlib import Path
from typing import Final

from winesilo.errors import AgentError, SiloCorrupt
from winesilo.host.agent import Agent
from winesilo.host.files import os_errors
from winesilo.interposer.config import SharedMemory

log = logging.getLogger(__name__)

_HEADER: Final = b"WINE REGISTRY Version 2\n"
_SEAL: Final = re.compile(rb";; winesilo end length=(\d+) crc32=([0-9a-f]{8})\n\Z")
_SEAL_MAX: Final = 80
_COLLISION: Final = 0xC0000035  # STATUS_OBJECT_NAME_COLLISION: already loaded
_CANNOT_DELETE: Final = 0xC0000121  # STATUS_CANNOT_DELETE: someone has the hive's root key open
_DISK_FULL: Final = 0xC000007F  # STATUS_DISK_FULL
_UNLOAD_TIMEOUT_S: Final = 5.0


def seal(content: bytes) -> bytes:
    """``content`` with the end mark."""
    if not content.endswith(b"\n"):
        content += b"\n"
    return content + _end_mark(content)


def _end_mark(content: bytes) -> bytes:
    return b";; winesilo end length=%d crc32=%08x\n" % (len(content), zlib.crc32(content))


def unseal(data: bytes, path: Path) -> bytes:
    """The content of a sealed hive file.

    Raises:
        SiloCorrupt: naming ``path``.
    """
    match = _SEAL.search(data, max(0, len(data) - _SEAL_MAX))
    content = data[: match.start()] if match else b""
    if (
        match is None
        or not content.startswith(_HEADER)
        or int(match.group(1)) != len(content)
        or int(match.group(2), 16) != zlib.crc32(content)
    ):
        raise SiloCorrupt(
            f"the registry hive {path} is damaged",
            f"restore it from a backup, or remove the silo: silo rm {path.parent.name}",
            path=str(path),
        )
    return content


def check_hive(path: Path) -> None:
    """Check a hive file.

    Raises:
        SiloCorrupt: it is missing, cut or changed; naming it.
    """
    read_hive(path)


def read_hive(path: Path) -> bytes:
    """The content of a hive file, without its end mark.

    Raises:
        SiloCorrupt: it is missing, cut or changed; naming it.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SiloCorrupt(
            f"the registry hive {path} can't be read: {error.strerror}",
            f"restore it from a backup, or remove the silo: silo rm {path.parent.name}",
            path=str(path),
        ) from error
    return unseal(data, path)


class Hive:
    """The loaded hive of a running silo.

    Args:
        agent: the host's agent.
        silo_id: the silo's number.
        path: the hive's file.
        shared: tells whether the registry changed.
    """

    def __init__(self, agent: Agent, silo_id: int, path: Path, shared: SharedMemory) -> None:
        self._agent = agent
        self._id = silo_id
        self._path = path
        self._shared = shared
        self._lock = threading.Lock()
        self._saved_writes = 0
        self._loaded = False

    def load(self) -> None:
        """Check the file and load it.

        Raises:
            SiloCorrupt: the file is damaged.
            AgentError: the wineserver refused it.
        """
        check_hive(self._path)
        with self._lock:
            try:
                self._agent.hive_load(self._id, str(self._path))
            except AgentError as error:
                if error.status != _COLLISION:
                    raise
                self._agent.hive_unload(self._id)
                self._agent.hive_load(self._id, str(self._path))
            self._loaded = True

    def save_if_changed(self) -> bool:
        """Save if a process of the silo wrote to the registry since the last save; True if saved.

        Raises:
            AgentError, DiskFull, HostError: the old file is still in place.
        """
        with self._lock:
            if not self._loaded or self._shared.registry_writes() == self._saved_writes:
                return False
            self._save()
            return True

    def _save(self) -> None:
        writes = self._shared.registry_writes()
        temporary = self._path.with_name(f".{self._path.name}.saving")
        try:
            with os_errors(f"save the registry hive {self._path}"):
                self._write(temporary)
                with temporary.open("r+b") as stream:
                    content = stream.read()
                    stream.write(_end_mark(content))
                    stream.flush()
                    os.fsync(stream.fileno())
                temporary.replace(self._path)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise
        self._saved_writes = writes

    def _write(self, path: Path) -> None:
        try:
            self._agent.hive_save(self._id, str(path))
        except AgentError as error:
            if error.status == _DISK_FULL:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
            raise

    def unload(self) -> None:
        """Unload it; waits a little for the wineserver to notice that the silo's processes ended.

        Raises:
            AgentError: it is still in use.
        """
        with self._lock:
            if not self._loaded:
                return
            deadline = time.monotonic() + _UNLOAD_TIMEOUT_S
            while True:
                try:
                    self._agent.hive_unload(self._id)
                    break
                except AgentError as error:
                    if error.status != _CANNOT_DELETE or time.monotonic() > deadline:
                        raise
                    threading.Event().wait(0.005)  # nothing tells when the last handle is closed
            self._loaded = False
