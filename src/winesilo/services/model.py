"""What is known about a service, in words.

The numbers are those of winsvc.h and winnt.h.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from winesilo.errors import InvalidName, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

STOPPED: Final = 1
START_PENDING: Final = 2
STOP_PENDING: Final = 3
RUNNING: Final = 4
CONTINUE_PENDING: Final = 5
PAUSE_PENDING: Final = 6

#: The state word of a service whose process ended without telling the SCM; Windows says stopped, with 1067.
DEAD: Final = "dead"

STATES: Final[Mapping[int, str]] = {
    STOPPED: "stopped",
    START_PENDING: "start-pending",
    STOP_PENDING: "stop-pending",
    RUNNING: "running",
    CONTINUE_PENDING: "continue-pending",
    PAUSE_PENDING: "pause-pending",
    7: "paused",
}

KERNEL_DRIVER: Final = 0x01
FILE_SYSTEM_DRIVER: Final = 0x02
OWN_PROCESS: Final = 0x10
SHARE_PROCESS: Final = 0x20
INTERACTIVE: Final = 0x100

TYPES: Final[Mapping[int, str]] = {
    KERNEL_DRIVER: "kernel-driver",
    FILE_SYSTEM_DRIVER: "file-system-driver",
    OWN_PROCESS: "own-process",
    SHARE_PROCESS: "share-process",
}

START_TYPES: Final[Mapping[int, str]] = {0: "boot", 1: "system", 2: "auto", 3: "demand", 4: "disabled"}
FAILURE_ACTIONS: Final[Mapping[int, str]] = {0: "none", 1: "restart", 2: "reboot", 3: "run"}
ERROR_CONTROLS: Final[Mapping[int, str]] = {0: "ignore", 1: "normal", 2: "severe", 3: "critical"}

CONTROLS: Final[Mapping[int, str]] = {
    0x001: "stop",
    0x002: "pause-continue",
    0x004: "shutdown",
    0x008: "param-change",
    0x010: "netbind-change",
    0x020: "hardware-profile-change",
    0x040: "power-event",
    0x080: "session-change",
    0x100: "pre-shutdown",
    0x200: "time-change",
    0x400: "trigger-event",
}

MAX_NAME: Final = 256


@dataclass(frozen=True, slots=True)
class Service:
    """One service: its state and its configuration.

    Attributes:
        name: key name.
        display_name: name for people.
        state: ``stopped``, ``start-pending``, ``stop-pending``, ``running``, ``continue-pending``,
            ``pause-pending``, ``paused``, or ``dead``: its process ended without telling the SCM.
        pid: Windows process id, None when no process runs.
        win32_exit_code: Win32 code of the last stop; 1077 if it never ran, 1066 if
            ``service_exit_code`` counts.
        win32_exit_name: symbolic name of that code.
        service_exit_code: code of the service's own making.
        process_exit_code: exit code of the process of a dead service, where still known.
        controls: accepted controls, as words.
        checkpoint: progress of a pending state.
        wait_hint_ms: how long the next progress may take, as the service estimates.
        type: ``own-process``, ``share-process``, ``kernel-driver`` or ``file-system-driver``.
        interactive: the service may use the desktop.
        start_type: ``boot``, ``system``, ``auto``, ``demand`` or ``disabled``.
        delayed_start: an ``auto`` service that starts two minutes after the others.
        error_control: ``ignore``, ``normal``, ``severe`` or ``critical``.
        binary_path: command line.
        account: user name; Wine runs everything as one user.
        group: load order group.
        dependencies: services that must run before it, and groups of services with a plus sign in front.
        dependents: services that depend on it, directly or not, in the order to stop them.
        description: a sentence for people.
        failures: how often it failed within the reset period.
        failure_actions: what is done at its first, second ... failure, as ``restart:1000``; the number is
            the delay in milliseconds. The last one is for all that follow.
        failure_reset_s: seconds without a failure after which they are counted anew.
        failure_command: what the action ``run`` runs.
        failure_on_error: a stop with an error code counts as a failure too, not only a death.
        note: what else happened in the call that returned this, None if nothing.
    """

    name: str
    display_name: str
    state: str
    pid: int | None
    win32_exit_code: int
    win32_exit_name: str
    service_exit_code: int
    process_exit_code: int | None
    controls: tuple[str, ...]
    checkpoint: int
    wait_hint_ms: int
    type: str
    interactive: bool
    start_type: str
    delayed_start: bool
    error_control: str
    binary_path: str
    account: str
    group: str
    dependencies: tuple[str, ...]
    dependents: tuple[str, ...]
    description: str
    failures: int
    failure_actions: tuple[str, ...]
    failure_reset_s: int
    failure_command: str
    failure_on_error: bool
    note: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """JSON-serialisable form."""
        fields = dataclasses.asdict(self)
        return {name: list(v) if isinstance(v, tuple) else v for name, v in fields.items()}


@dataclass(frozen=True, slots=True)
class Stopped:
    """What became of one service that was stopped.

    Attributes:
        name: key name.
        how: ``stopped`` by itself, ``ended`` (its process was ended at the deadline or because it
            refused), ``dead`` (it had died before), or ``failed`` (its process can't be ended).
        seconds: how long that took.
        note: a sentence where ``how`` is not ``stopped``.
    """

    name: str
    how: str
    seconds: float
    note: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """JSON-serialisable form."""
        return dataclasses.asdict(self)


def words_of(bits: int, names: Mapping[int, str]) -> tuple[str, ...]:
    """The names of the bits that are set, unknown ones as hexadecimal numbers."""
    known = tuple(name for bit, name in names.items() if bits & bit)
    rest = bits & ~sum(names)
    return (*known, f"{rest:#x}") if rest else known


def word_of(number: int, names: Mapping[int, str]) -> str:
    """The name of a number; the number itself if it has none."""
    return names.get(number, str(number))


def number_of(word: str, names: Mapping[int, str], what: str) -> int:
    """The number of a name.

    Raises:
        UsageError: no such name; the message lists the names.
    """
    for number, name in names.items():
        if name == word:
            return number
    raise UsageError(f"unknown {what} {word!r}", f"use one of: {', '.join(names.values())}")


def failure_action(text: str) -> tuple[int, int]:
    """Type and delay in milliseconds of a failure action such as ``restart:1000``; 0 ms if none is given.

    Raises:
        UsageError: it makes no sense.
    """
    word, _, delay = text.partition(":")
    if delay and not (delay.isdecimal() and int(delay) < 1 << 32):
        raise UsageError(f"{delay!r} is no delay in milliseconds", "for example restart:1000")
    return number_of(word, FAILURE_ACTIONS, "failure action"), int(delay or 0)


def check_name(name: str) -> str:
    """Return the name if the SCM takes it.

    Raises:
        InvalidName: empty, longer than 256 characters, with a slash, backslash or NUL.
    """
    if not name or len(name) > MAX_NAME or any(c in name for c in "/\\\0"):
        shown = name if len(name) <= 40 else name[:37] + "..."
        raise InvalidName(
            f"{shown!r} can't be the name of a service", "use 1 to 256 characters, no slash and no backslash"
        )
    return name
