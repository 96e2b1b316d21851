"""Texts of events: message tables of Windows programs, and what is inserted into them.

Sources: "PE Format" of the Windows SDK (headers, section table, ``.rsrc``), MESSAGE_RESOURCE_DATA,
MESSAGE_RESOURCE_BLOCK and MESSAGE_RESOURCE_ENTRY there, and "FormatMessage" for the insertions.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator, Sequence
from typing import Final

_RT_MESSAGETABLE: Final = 11
_RESOURCES: Final = 2  # IMAGE_DIRECTORY_ENTRY_RESOURCE
_SUBDIRECTORY: Final = 0x80000000
_UNICODE: Final = 1
_LEVELS: Final = 3  # type, name, language
_ENGLISH: Final = 0x09
_INSERTION: Final = re.compile(r"%(?:([1-9]\d?)(?:![^!]*!)?|(.))", re.DOTALL)
_PARAMETER: Final = re.compile(r"%%(\d+)")
_SIGNS: Final = {"n": "\n", "r": "\r", "t": "\t", "b": " "}
_END: Final = "\0"


def table(image: bytes) -> dict[int, str]:
    """All messages of a program or DLL, by identifier; empty if it has none, or is none."""
    try:
        found = sorted(_resources(image), key=lambda resource: _preference(resource[0]))
        # Another language's table would only cost time.
        chosen = [data for language, data in found if language == found[0][0]]
        return {number: text for data in chosen for number, text in _messages(data)}
    except (struct.error, IndexError):
        return {}


def _preference(language: int) -> tuple[bool, bool, int]:
    """English first, then what is of no language, then any."""
    return language & 0x3FF != _ENGLISH, language != 0, language


def _resources(image: bytes) -> Iterator[tuple[int, bytes]]:
    if image[:2] != b"MZ":
        return
    (header,) = struct.unpack_from("<I", image, 0x3C)
    if image[header : header + 4] != b"PE\0\0":
        return
    sections, optional_size = struct.unpack_from("<2xH12xH", image, header + 4)
    optional = header + 24
    directories = optional + (112 if struct.unpack_from("<H", image, optional)[0] == 0x20B else 96)
    address, _ = struct.unpack_from("<2I", image, directories + 8 * _RESOURCES)
    if not address:
        return
    rows = [struct.unpack_from("<4I", image, optional + optional_size + 40 * i + 8) for i in range(sections)]

    def offset_of(rva: int) -> int:
        for size, start, raw_size, raw in rows:
            if start <= rva < start + max(size, raw_size):
                return int(rva - start + raw)
        raise IndexError(rva)

    root = offset_of(address)
    for language, entry in _leaves(image, root, root, 0):
        rva, size = struct.unpack_from("<2I", image, entry)
        at = offset_of(rva)
        yield language, image[at : at + size]


def _leaves(image: bytes, root: int, at: int, level: int) -> Iterator[tuple[int, int]]:
    """Languages of the message tables, and where the entries of their data are."""
    named, numbered = struct.unpack_from("<12x2H", image, at)
    for i in range(named + numbered):
        name, target = struct.unpack_from("<2I", image, at + 16 + 8 * i)
        if level == 0 and name != _RT_MESSAGETABLE:
            continue
        place = root + (target & ~_SUBDIRECTORY)
        if not target & _SUBDIRECTORY:
            yield name, place
        elif level + 1 < _LEVELS:
            yield from _leaves(image, root, place, level + 1)


def _messages(data: bytes) -> Iterator[tuple[int, str]]:
    (blocks,) = struct.unpack_from("<I", data)
    for block in range(blocks):
        low, high, at = struct.unpack_from("<3I", data, 4 + 12 * block)
        for number in range(low, high + 1):
            length, flags = struct.unpack_from("<2H", data, at)
            text = data[at + 4 : at + length]
            yield number, text.decode("utf-16-le" if flags & _UNICODE else "cp1252", "replace").split("\0")[0]
            if length < 4:
                return
            at += length


def insert(text: str, strings: Sequence[str], parameter: Callable[[int], str | None]) -> str:
    """A message with its insertions.

    Args:
        text: as the table has it.
        strings: what ``%1`` and so on stand for; ``%%5`` in one stands for a message itself.
        parameter: finds that one.
    """

    def message(match: re.Match[str]) -> str:
        return parameter(int(match[1])) or match[0]

    filled = [_PARAMETER.sub(message, string) for string in strings]

    def replace(match: re.Match[str]) -> str:
        if match[1] is not None:
            number = int(match[1])
            return filled[number - 1] if number <= len(filled) else match[0]
        return _END if match[2] == "0" else _SIGNS.get(match[2], match[2])

    whole = _INSERTION.sub(replace, text).split(_END)[0]
    return whole.replace("\r\n", "\n").rstrip()
