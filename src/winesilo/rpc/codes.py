"""Windows error codes in words.

The tables are impacket's, which are made from the Microsoft lists in MS-ERREF 2.2 (Win32 codes) and
2.3.1 (NTSTATUS).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from impacket.nt_errors import ERROR_MESSAGES as NT_MESSAGES
from impacket.system_errors import ERROR_MESSAGES as WIN32_MESSAGES

ERROR_SUCCESS: Final = 0
ERROR_FILE_NOT_FOUND: Final = 2
ERROR_ACCESS_DENIED: Final = 5
ERROR_INVALID_HANDLE: Final = 6
ERROR_INVALID_PARAMETER: Final = 87
ERROR_BROKEN_PIPE: Final = 109
ERROR_INVALID_LEVEL: Final = 124
ERROR_MORE_DATA: Final = 234
WAIT_TIMEOUT: Final = 258
ERROR_DEPENDENT_SERVICES_RUNNING: Final = 1051
ERROR_INVALID_SERVICE_CONTROL: Final = 1052
ERROR_SERVICE_REQUEST_TIMEOUT: Final = 1053
ERROR_SERVICE_DATABASE_LOCKED: Final = 1055
ERROR_SERVICE_ALREADY_RUNNING: Final = 1056
ERROR_CIRCULAR_DEPENDENCY: Final = 1059
ERROR_SERVICE_DOES_NOT_EXIST: Final = 1060
ERROR_SERVICE_CANNOT_ACCEPT_CTRL: Final = 1061
ERROR_SERVICE_NOT_ACTIVE: Final = 1062
ERROR_SERVICE_SPECIFIC_ERROR: Final = 1066
ERROR_PROCESS_ABORTED: Final = 1067
ERROR_SERVICE_DEPENDENCY_FAIL: Final = 1068
ERROR_SERVICE_MARKED_FOR_DELETE: Final = 1072
ERROR_SERVICE_EXISTS: Final = 1073
ERROR_SERVICE_NEVER_STARTED: Final = 1077
ERROR_DUPLICATE_SERVICE_NAME: Final = 1078

#: NTSTATUS values of severity "error", which processes that crash have as their exit code.
_NT_ERROR_BITS: Final = 0xC0000000


@dataclass(frozen=True, slots=True)
class WindowsCode:
    """A code, its symbolic name ("" if unknown) and a sentence without a full stop."""

    code: int
    name: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.sentence} ({format_code(self.code)}{' ' + self.name if self.name else ''})"


def format_code(code: int) -> str:
    """Decimal for Win32 codes, hexadecimal for NTSTATUS values, as Windows prints them."""
    return f"{code:#010x}" if code >= 1 << 16 else str(code)


def describe(code: int) -> WindowsCode:
    """Put a Win32 code, or an NTSTATUS of severity "error", in words."""
    table = NT_MESSAGES if code & _NT_ERROR_BITS == _NT_ERROR_BITS else WIN32_MESSAGES
    name, sentence = table.get(code, ("", "unknown error"))
    return WindowsCode(code, name, sentence.strip().rstrip("."))


def describe_exit(code: int) -> str:
    """Put the exit code of a process in words: a name only where it is an NTSTATUS."""
    known = describe(code) if code & _NT_ERROR_BITS == _NT_ERROR_BITS else None
    return f"exit code {format_code(code)}{' ' + known.name if known and known.name else ''}"
