"""A running host: its wineserver, its own services, and the agent that keeps them."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import shutil
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from winesilo.errors import AgentError, HostStartFailed, InterposerError, NamespaceError
from winesilo.host import namespaces as ns
from winesilo.host import overlayfs, process, programs, wine
from winesilo.host.agent import Agent
from winesilo.host.base import HostInfo, check_base, load_info
from winesilo.host.base_worker import boot, describe, tidy
from winesilo.host.paths import HostPaths
from winesilo.host.watcher import READABLE, Watcher
from winesilo.host.wineserver import WineServer, remove_directory
from winesilo.interposer.config import (
    CONFIG_VARIABLE,
    FIRST_VARIABLE,
    agent_path,
    drive_layer,
    library_path,
)

log = logging.getLogger(__name__)

_PORT: Final = re.compile(r"(com|lpt)\d+")
#: What a prefix consists of, beside its drives.
BASE_FILES: Final = ("system.reg", "user.reg", "userdef.reg", ".update-timestamp")
HELLO_TIMEOUT_S: Final = 120.0


@dataclass(frozen=True, slots=True)
class SiloProcess:
    """How to run one Wine process in a silo: everything but the program.

    Attributes:
        prefix: the silo's Wine prefix directory.
        config: its interposer.conf.
        root: where its C: is mounted.
    """

    prefix: Path
    config: Path
    root: Path


class HostRuntime:
    """Wineserver, agent and mounts of one host, inside the daemon's namespaces.

    Args:
        paths: the host.
        user_namespace: whether we are in a user namespace of our own.
        log_file: standard error of the wineserver and the agent.
        watcher: watches the wineserver.
        on_failed: called if the wineserver or the agent ends by itself.
    """

    def __init__(
        self,
        paths: HostPaths,
        user_namespace: bool,
        log_file: IO[Any],
        watcher: Watcher,
        on_failed: Callable[[], None],
    ) -> None:
        self.paths = paths
        self.user_namespace = user_namespace
        self.started = time.time()
        self._log_file = log_file
        self._watcher = watcher
        self._on_failed = on_failed
        self._server_pidfd = -1
        self.stopping = False
        self._lock = threading.Lock()
        self._agent_process: process.Process[bytes] | None = None
        self._server: WineServer | None = None
        self._agent: Agent | None = None
        self._prefix = paths.base
        self.info: HostInfo = load_info(paths)
        check_base(paths)
        self.library = library_path()
        self._agent_path = agent_path()
        self.wine = wine.find()
        self.wine32 = self._link_wine32()
        self._programs = programs.prepare(drive_layer(), paths.programs, self.wine, self.wine32)
        self.overlay_method = overlayfs.find_method(paths.data, user_namespace)
        self._mount_shm()
        self._preload = self._preload_path()

    def _mount_shm(self) -> None:
        """See :attr:`HostPaths.shm`; it goes away with our mount namespace."""
        if self.paths.shm.is_relative_to(self.paths.runtime):
            self.paths.shm.mkdir(mode=0o700, exist_ok=True)
        ns.Mount("winesilo", self.paths.shm, "tmpfs", ns.MS_NOSUID | ns.MS_NODEV, "mode=0700").execute()

    def _link_wine32(self) -> Path | None:
        if self.info.wine32 is None:
            return None
        self.wine.link_i386(Path(self.info.wine32), self.paths.wine32)
        return self.paths.wine32

    def _preload_path(self) -> Path:
        """The library by a path that LD_PRELOAD can hold (it splits at spaces and colons)."""
        if not set(str(self.library)) & set(" :\t"):
            return self.library
        link = self.paths.shm / "libwinesilo.so"
        if set(str(link)) & set(" :\t"):
            raise InterposerError(
                f"LD_PRELOAD can't name {self.library}: it has a space or colon",
                "install winesilo elsewhere, or set XDG_RUNTIME_DIR to a path without them",
            )
        link.symlink_to(self.library)
        return link

    # -- start and stop -----------------------------------------------------------------------

    def start(self) -> None:
        """Start the wineserver and the host's own services.

        Raises:
            HostStartFailed: one of them did not come up, or :meth:`stop` was called; nothing is left running.
        """
        began = time.monotonic()
        try:
            if self.info.wine != self.wine.version_text:
                self._update_base()
            self._prefix = self._running_prefix()
            self._sweep_server_directory()
            server = WineServer(self.wine, self._prefix, self._log_file)
            with self._lock:  # what stop() does not find here yet is not begun
                self._take(server)
                self._agent = agent = self._start_agent()
            agent.wait_hello(HELLO_TIMEOUT_S)
        except AgentError as error:
            self.stop()
            raise HostStartFailed(
                f"the host's Wine did not start: {error.message}", f"see {self.paths.daemon_log}"
            ) from error
        except BaseException:
            self.stop()
            raise
        log.info("Wine host up in %.2f s", time.monotonic() - began)

    def _take(self, server: WineServer) -> None:
        if self.stopping:
            server.stop()
            raise HostStartFailed("the host was stopped while it started", "start it again")
        self._server = server
        self.paths.server_note.write_text(f"{server.directory}\n")
        self._server_pidfd = os.pidfd_open(server.process.pid)
        self._watcher.add(self._server_pidfd, READABLE, lambda: self._gone("wineserver"))

    def _sweep_server_directory(self) -> None:
        """Remove what a killed wineserver left in /tmp; we hold the host's lock, so it has ended."""
        with contextlib.suppress(FileNotFoundError):
            directory = Path(self.paths.server_note.read_text().strip())
            if directory.name.startswith("server-"):
                remove_directory(directory)
            self.paths.server_note.unlink()

    def _running_prefix(self) -> Path:
        """The prefix the host runs in: the base's drive and a copy of its registry, on our tmpfs.

        A running host always writes to its registry, if only the times of keys, and the wineserver saves
        that. Here it does so into a copy that ends with us, so the base on disk never changes.
        """
        prefix = self.paths.shm / "host"
        (prefix / "drive_c").mkdir(parents=True)
        for name in BASE_FILES:
            if (self.paths.base / name).is_file():
                shutil.copy2(self.paths.base / name, prefix / name)
        shutil.copytree(self.paths.base / "dosdevices", prefix / "dosdevices", symlinks=True)
        drive = str(self.paths.base / "drive_c")
        ns.Mount(drive, prefix / "drive_c", "none", ns.MS_BIND | ns.MS_REC).execute()
        return prefix

    @property
    def server_directory(self) -> Path:
        """The wineserver's own directory: its socket, and memory that it shares."""
        assert self._server is not None
        return self._server.directory

    def ports(self) -> list[Path]:
        """Links to the machine's serial and parallel ports, as Wine has found them (com1, lpt1 ...)."""
        links = (self._prefix / "dosdevices").iterdir()
        return sorted(link for link in links if _PORT.fullmatch(link.name) and link.is_symlink())

    def _update_base(self) -> None:
        log.info("updating the base from %s to %s", self.info.wine, self.wine.version_text)
        server = WineServer(self.wine, self.paths.base, self._log_file)
        try:
            boot(self.wine, self.paths.base, "--update", lambda text, done: None, self.wine32)
        finally:
            server.stop()
        tidy(self.paths.base)
        self.info = describe(self.paths, self.wine, self.paths.base, self.info.wine32)
        self.info.write(self.paths.host_json)

    def _start_agent(self) -> Agent:
        request_read, request_write = os.pipe()
        reply_read, reply_write = os.pipe()
        try:
            with ns.fixed_addresses():
                self._agent_process = process.spawn(
                    [str(self.wine.loader), str(self._agent_path)],
                    env=wine.environment(self._prefix, wine32=self.wine32),
                    cwd=self._prefix,
                    stdin=request_read,
                    stdout=reply_write,
                    stderr=self._log_file,
                )
        except BaseException:
            os.close(request_write)
            os.close(reply_read)
            raise
        finally:
            os.close(request_read)
            os.close(reply_write)
        return Agent(request_write, reply_read, lambda: self._gone("agent"))

    def _gone(self, what: str) -> None:
        """Nothing of the host can go on without the wineserver and the agent.

        Windows processes that wait for something do not notice by themselves that the wineserver is gone.
        """
        if not self.stopping:
            log.error("the %s has ended", what)
            self._on_failed()

    def stop(self) -> None:
        """End the agent and the wineserver; also while they start.

        The agent ends first: on its way to a wineserver that is gone it would start one of its own.
        """
        with self._lock:
            self.stopping = True
            if self._server_pidfd >= 0:
                self._watcher.remove(self._server_pidfd)
                os.close(self._server_pidfd)
                self._server_pidfd = -1
            if self._agent is not None:
                self._agent.close()
            if self._agent_process is not None:
                process.end(self._agent_process, 1.0)
                self._agent_process = None
            if self._server is not None:
                self._server.stop()
                self._server = None
                self.paths.server_note.unlink(missing_ok=True)

    def remove_directories(self) -> None:
        """Unmount and remove what we made in the runtime directory; nothing may run any more."""
        try:
            ns.Unmount(self.paths.shm, lazy=True).execute()
            if self.paths.shm.is_relative_to(self.paths.runtime):
                self.paths.shm.rmdir()
            self.paths.runtime.rmdir()
            self.paths.runtime.parent.rmdir()
        except (OSError, NamespaceError) as error:
            log.debug("the runtime directory stays: %s", error)

    # -- use ----------------------------------------------------------------------------------

    @property
    def agent(self) -> Agent:
        """The agent.

        Raises:
            HostStartFailed: the host is not up.
        """
        if self._agent is None:
            raise HostStartFailed("the host's Wine is not running")
        return self._agent

    def connect(self) -> socket.socket:
        """A connection to the wineserver for one new process of a silo."""
        if self._server is None:
            raise HostStartFailed("the host's Wine is not running")
        return self._server.connect()

    def silo_environment(self, where: SiloProcess, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        """The environment of a silo's process that we start, without ``WINESERVERSOCKET``.

        Args:
            where: the silo.
            extra: variables for the program; those that steer Wine, the loader or us are dropped (those of
                Wine's tests steer nothing).
        """
        env = {
            name: value
            for name, value in (extra or {}).items()
            if not name.startswith(("WINE", "LD_", "TMPDIR", "XDG_")) or name.startswith("WINETEST_")
        }
        env.update(wine.environment(where.prefix, wine32=self.wine32))
        env["WINEDLLOVERRIDES"] += f";{','.join(self._programs)}=n"
        env["HOME"] = str(where.root)
        env["WINELOADER"] = str(self.wine.loader)
        env["LD_PRELOAD"] = str(self._preload)
        env[CONFIG_VARIABLE] = str(where.config)
        env[FIRST_VARIABLE] = "1"
        return env

    def spawn_in_silo(self, where: SiloProcess, argv: list[str], output: IO[Any]) -> process.Process[bytes]:
        """Start a Windows program in a silo as our child, without input.

        Args:
            where: the silo.
            argv: Windows program and arguments.
            output: gets its standard output and error.
        """
        with self.connect() as connection:
            env = self.silo_environment(where)
            env["WINESERVERSOCKET"] = str(connection.fileno())
            return process.spawn(
                [str(self.wine.loader), *argv],
                env=env,
                cwd=where.root,
                stdout=output,
                stderr=output,
                pass_fds=[connection.fileno()],
            )
