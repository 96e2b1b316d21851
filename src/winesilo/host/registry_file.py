r"""Reader and writer of Wine's text registry format ("WINE REGISTRY Version 2").

The format is the one of ``server/registry.c`` in Wine: a header line, ``#arch=`` and other global
options, then keys ``[Path\\With\\Doubled\\Backslashes] seconds`` followed by ``#time=`` (100 ns since
1601, hexadecimal), ``#class="..."``, ``#link`` and values.  ``@=`` is the default value; data is a
quoted string (REG_SZ), ``str(N):"..."``, ``dword:XXXXXXXX``, ``hex:..`` or ``hex(N):..``.  Characters
above 127 are UTF-16 units written ``\xNNNN``; ``\a \b \e \f \n \r \t \v`` and octal escapes are used
below 32.  Keys that have subkeys but no values of their own are implied by their subkeys.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from winesilo.errors import WinesiloError

HEADER: Final = "WINE REGISTRY Version 2"
REG_NONE: Final = 0
REG_SZ: Final = 1
REG_EXPAND_SZ: Final = 2
REG_BINARY: Final = 3
REG_DWORD: Final = 4
REG_LINK: Final = 6
REG_MULTI_SZ: Final = 7

_TICKS_1601_TO_1970: Final = 11_644_473_600 * 10_000_000
_ESCAPES: Final = {"a": "\a", "b": "\b", "e": "\x1b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_UNESCAPES: Final = {ord(value): "\\" + key for key, value in _ESCAPES.items()}
_ESCAPE: Final = re.compile(r"\\(?:x([0-9a-fA-F]{1,4})|([0-7]{1,3})|(.))", re.DOTALL)
_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.)*)"')
_KEY: Final = re.compile(r"\[((?:[^\]\\]|\\.)*)\](?: (\d+))?\s*$")


class RegistrySyntaxError(WinesiloError):
    """A line that is not of the format; ``details['line']`` is its number, from 1."""


@dataclass(slots=True)
class Value:
    """A registry value: its type number and its raw data (strings are UTF-16LE with their NUL)."""

    kind: int
    data: bytes

    @classmethod
    def text(cls, text: str, kind: int = REG_SZ) -> Value:
        """A string value, terminated."""
        return cls(kind, (text + "\0").encode("utf-16-le", "surrogatepass"))

    @classmethod
    def dword(cls, number: int) -> Value:
        """A REG_DWORD."""
        return cls(REG_DWORD, struct.pack("<I", number))

    def as_text(self) -> str:
        """The data as a string without its terminator (also for REG_LINK, which has none)."""
        return self.data.decode("utf-16-le", "surrogatepass").rstrip("\0")

    def as_dword(self) -> int | None:
        """The number of a REG_DWORD, else None."""
        if self.kind != REG_DWORD or len(self.data) != 4:
            return None
        return int(struct.unpack("<I", self.data)[0])


@dataclass(slots=True)
class Key:
    r"""A key: path with single backslashes, last-write time (100 ns since 1601), class, values."""

    path: str
    modified: int = 0
    class_name: str | None = None
    link: bool = False
    values: dict[str, Value] = field(default_factory=dict)

    def get(self, name: str) -> Value | None:
        """The value of that name, whatever the case; the empty name is the default value."""
        folded = name.lower()
        return next((value for key, value in self.values.items() if key.lower() == folded), None)

    def set(self, name: str, value: Value) -> None:
        """Set a value, keeping the spelling of an existing one."""
        folded = name.lower()
        known = next((key for key in self.values if key.lower() == folded), name)
        self.values[known] = value

    def delete(self, name: str) -> None:
        """Delete a value, if it exists."""
        folded = name.lower()
        for key in [key for key in self.values if key.lower() == folded]:
            del self.values[key]


class Registry:
    """Keys by path, case-insensitive, in the order they were added.

    Args:
        relative_to: the path in the comment line, for people; Wine ignores it.
        arch: ``win64``, ``win32`` or None.
    """

    def __init__(self, relative_to: str = "", arch: str | None = "win64") -> None:
        self.relative_to = relative_to
        self.arch = arch
        self._keys: dict[str, Key] = {}

    def __contains__(self, path: str) -> bool:
        return path.lower() in self._keys

    def __iter__(self) -> Iterator[Key]:
        return iter(self._keys.values())

    def __len__(self) -> int:
        return len(self._keys)

    def get(self, path: str) -> Key | None:
        """The key at ``path``, if the file names it."""
        return self._keys.get(path.lower())

    def add(self, key: Key) -> Key:
        """Add or replace a key."""
        self._keys[key.path.lower()] = key
        return key

    def ensure(self, path: str) -> Key:
        """The key at ``path``, made if it is missing."""
        return self.get(path) or self.add(Key(path))

    def below(self, path: str) -> Iterator[Key]:
        """Every key strictly below ``path``."""
        prefix = path.lower() + "\\"
        return (key for folded, key in self._keys.items() if folded.startswith(prefix))

    def links(self) -> Iterator[Key]:
        """The symbolic links (REG_LINK keys)."""
        return (key for key in self._keys.values() if key.link)


def parse(text: str) -> Registry:
    """Parse a registry file.

    Raises:
        RegistrySyntaxError: with the line number.
    """
    lines = text.split("\n")
    if lines[0].rstrip("\r") != HEADER:
        raise RegistrySyntaxError("not a Wine registry file: the first line is wrong", line=1)
    registry = Registry(arch=None)
    key: Key | None = None
    next_line = 1
    while next_line < len(lines):
        number, line = next_line, lines[next_line].strip()
        next_line += 1
        if not line:
            continue
        first = line[0]
        if first == "[":
            key = registry.add(_parse_key(line, number))
        elif first in '"@':
            while line.endswith("\\") and next_line < len(lines):
                line = line[:-1] + lines[next_line].strip()
                next_line += 1
            if key is None:
                raise RegistrySyntaxError(f"line {number + 1}: a value without a key", line=number + 1)
            name, value = _parse_value(line, number)
            key.values[name] = value
        elif first == "#":
            _parse_option(registry, key, line)
        elif first == ";":
            if line.startswith(";; All keys relative to "):
                registry.relative_to = _unescape(line[len(";; All keys relative to ") :])
        else:
            raise RegistrySyntaxError(f"line {number + 1}: {line[:40]!r} is not understood", line=number + 1)
    return registry


def read(path: Path) -> Registry:
    """Read a registry file.

    Raises:
        RegistrySyntaxError: naming the file.
        OSError: it can't be read.
    """
    try:
        return parse(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise RegistrySyntaxError(f"{path}: not UTF-8 at byte {error.start}", path=str(path)) from error
    except RegistrySyntaxError as error:
        raise RegistrySyntaxError(f"{path}: {error.message}", path=str(path), **error.details) from error


def render(registry: Registry) -> str:
    """The text form, as the wineserver writes and reads it."""
    out = [HEADER, f";; All keys relative to {_escape(registry.relative_to, '[]')}"]
    if registry.arch:
        out += ["", f"#arch={registry.arch}"]
    for key in registry:
        out += ["", *_render_key(key)]
    return "\n".join(out) + "\n"


def _render_key(key: Key) -> Iterable[str]:
    seconds = max(0, (key.modified - _TICKS_1601_TO_1970) // 10_000_000)
    yield f"[{_escape(key.path, '[]')}] {seconds}"
    yield f"#time={key.modified:x}"
    if key.class_name is not None:
        yield f'#class="{_escape(key.class_name, chr(34))}"'
    if key.link:
        yield "#link"
    for name, value in key.values.items():
        label = f'"{_escape(name, chr(34))}"' if name else "@"
        yield f"{label}={_render_data(value)}"


def _render_data(value: Value) -> str:
    if value.kind in (REG_SZ, REG_EXPAND_SZ, REG_MULTI_SZ) and _is_terminated(value.data):
        text = value.data[:-2].decode("utf-16-le", "surrogatepass")
        prefix = "" if value.kind == REG_SZ else f"str({value.kind:x}):"
        return f'{prefix}"{_escape(text, chr(34))}"'
    number = value.as_dword()
    if number is not None:
        return f"dword:{number:08x}"
    prefix = "hex:" if value.kind == REG_BINARY else f"hex({value.kind:x}):"
    pairs = [f"{byte:02x}" for byte in value.data]
    if value.kind == REG_LINK:  # on one line, so that a path in it can be found
        return prefix + ",".join(pairs)
    rows = [",".join(pairs[start : start + 24]) for start in range(0, len(pairs), 24)]
    return prefix + ",\\\n  ".join(rows)


def _is_terminated(data: bytes) -> bool:
    return len(data) >= 2 and len(data) % 2 == 0 and data[-2:] == b"\0\0"


def _parse_key(line: str, number: int) -> Key:
    match = _KEY.match(line)
    if match is None:
        raise RegistrySyntaxError(f"line {number + 1}: malformed key", line=number + 1)
    seconds = match.group(2)
    modified = int(seconds) * 10_000_000 + _TICKS_1601_TO_1970 if seconds else 0
    return Key(_unescape(match.group(1)), modified)


def _parse_option(registry: Registry, key: Key | None, line: str) -> None:
    if key is None:
        if line.startswith("#arch="):
            registry.arch = line[len("#arch=") :]
    elif line.startswith("#time="):
        match = re.match(r"[0-9a-fA-F]*", line[len("#time=") :])
        key.modified = int(match.group() or "0", 16) if match else 0
    elif line.startswith("#class="):
        quoted = _QUOTED.match(line, len("#class="))
        key.class_name = _unescape(quoted.group(1)) if quoted else None
    elif line.startswith("#link"):
        key.link = True


def _parse_value(line: str, number: int) -> tuple[str, Value]:
    if line[0] == "@":
        name, rest = "", line[1:].lstrip()
    else:
        match = _QUOTED.match(line)
        if match is None:
            raise RegistrySyntaxError(f"line {number + 1}: malformed value name", line=number + 1)
        name, rest = _unescape(match.group(1)), line[match.end() :].lstrip()
    if not rest.startswith("="):
        raise RegistrySyntaxError(f"line {number + 1}: malformed value name", line=number + 1)
    try:
        return name, _parse_data(rest[1:].lstrip())
    except ValueError:
        raise RegistrySyntaxError(f"line {number + 1}: malformed value", line=number + 1) from None


def _parse_data(data: str) -> Value:
    kind = REG_SZ
    if data.startswith("str("):
        number, _, data = data[4:].partition("):")
        kind = int(number, 16)
    elif data.startswith("str:"):
        data = data[4:]
    if data.startswith('"'):
        match = _QUOTED.match(data)
        if match is None:
            raise ValueError(data)
        return Value.text(_unescape(match.group(1)), kind)
    if data.startswith("dword:"):
        return Value.dword(int(data[6:], 16))
    if data.startswith("hex:"):
        return Value(REG_BINARY, _parse_hex(data[4:]))
    if data.startswith("hex("):
        number, colon, data = data[4:].partition("):")
        if not colon:
            raise ValueError(data)
        return Value(int(number, 16), _parse_hex(data))
    raise ValueError(data)


def _parse_hex(text: str) -> bytes:
    return bytes.fromhex(text.replace(",", " "))


def _unescape(text: str) -> str:
    if "\\" not in text:
        return text

    def replace(match: re.Match[str]) -> str:
        hexadecimal, octal, char = match.groups()
        if hexadecimal is not None:
            return chr(int(hexadecimal, 16))
        if octal is not None:
            return chr(int(octal, 8))
        return _ESCAPES.get(char, char)

    joined = _ESCAPE.sub(replace, text)
    # \xd83d\xde00 are two UTF-16 units of one character
    return joined.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def _escape(text: str, special: str) -> str:
    if text.isascii() and text.isprintable() and not any(char in text for char in special + "\\"):
        return text
    raw = text.encode("utf-16-le", "surrogatepass")
    units = struct.unpack(f"<{len(raw) // 2}H", raw)
    out: list[str] = []
    for index, unit in enumerate(units):
        following = chr(units[index + 1]) if index + 1 < len(units) and units[index + 1] < 128 else ""
        if unit > 127:
            out.append(f"\\x{unit:04x}" if following in "0123456789abcdefABCDEF" else f"\\x{unit:x}")
        elif unit < 32:
            out.append(_UNESCAPES.get(unit) or (f"\\{unit:03o}" if following.isdigit() else f"\\{unit:o}"))
        else:
            char = chr(unit)
            out.append("\\" + char if char == "\\" or char in special else char)
    return "".join(out)
