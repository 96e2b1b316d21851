"""Reader of event log files (``.evt``).

Source: "Event Log File Format" of the Windows SDK (ELF_LOGFILE_HEADER, EVENTLOGRECORD, ELF_EOF_RECORD); the
record is also EVENTLOGRECORD of [MS-EVEN] 2.2.3. Behind the header lies a ring: a record that does not fit
at its end goes on at its beginning, and where less than a record's fixed part is left, it begins there. The
header is not up to date in a file with the dirty flag, which somebody was writing: the mark of the end says
then what is in it, and without one the records themselves.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from winesilo.errors import WinesiloError

_HEADER: Final = struct.Struct("<12I")
_END: Final = struct.Struct("<10I")
_RECORD: Final = struct.Struct("<6I4H6I")
_SIGNATURE: Final = 0x654C664C
_END_PATTERN: Final = struct.pack("<5I", _END.size, 0x11111111, 0x22222222, 0x33333333, 0x44444444)
_DIRTY: Final = 0x1
_WRAPPED: Final = 0x2
_LEAST_RECORD: Final = _RECORD.size + 4
_NUMBERS: Final = 0xFFFFFFFF


class NotAnEventLog(WinesiloError):
    """A file that is not of the format."""


@dataclass(frozen=True, slots=True)
class Record:
    """One event, as its writer reported it.

    Attributes:
        number: counts up in a log.
        generated: when it was reported, in seconds since 1970.
        written: when it was written.
        event_id: the whole identifier of its text, with severity and facility.
        kind: EVENTLOG_ERROR_TYPE (1) and so on.
        category: the source's own.
        source: who reported it.
        computer: the name of the computer there.
        sid: the user's, as bytes; empty without one.
        strings: to be inserted into the text.
        data: what else it has.
    """

    number: int
    generated: int
    written: int
    event_id: int
    kind: int
    category: int
    source: str
    computer: str
    sid: bytes
    strings: tuple[str, ...]
    data: bytes


class _Ring:
    """The records of a file, wherever its end is."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def bytes_at(self, at: int, size: int) -> bytes:
        first = self.data[at : at + size]
        return first + self.data[_HEADER.size : _HEADER.size + size - len(first)]

    def advance(self, at: int, size: int) -> int:
        following = at + size
        return following if following < len(self.data) else following - len(self.data) + _HEADER.size

    def place(self, at: int) -> int:
        return _HEADER.size if len(self.data) - at < _RECORD.size else at

    def record_at(self, at: int, number: int) -> bytes | None:
        """The whole record there, if there is one of that number."""
        if at < _HEADER.size or len(self.data) - at < _RECORD.size:
            return None
        length, signature, found = struct.unpack_from("<3I", self.data, at)
        if signature != _SIGNATURE or found != number:
            return None
        if length < _LEAST_RECORD or length % 4 or length > len(self.data) - _HEADER.size:
            return None
        record = self.bytes_at(at, length)
        return record if record[-4:] == record[:4] else None

    def walk(self, at: int, number: int, last: int | None) -> tuple[list[bytes], int]:
        """Whole records with successive numbers up to one; once around at most. Also where they end."""
        left = len(self.data) - _HEADER.size
        found: list[bytes] = []
        while number != last:
            record = self.record_at(self.place(at), number)
            if record is None or len(record) > left:
                break
            found.append(record)
            left -= len(record)
            number = (number + 1) & _NUMBERS
            at = self.advance(self.place(at), len(record))
        return found, at

    def is_offset(self, at: int) -> bool:
        return _HEADER.size <= at <= len(self.data) and at % 4 == 0


def read(data: bytes) -> list[Record]:
    """All events of a file, oldest first; of a damaged one those that are whole.

    Raises:
        NotAnEventLog: it has no header of the format.
    """
    if len(data) < _HEADER.size:
        raise NotAnEventLog("the file is too short for an event log")
    size, signature, major, minor, start, end, following, oldest, max_size, flags, _, end_size = (
        _HEADER.unpack_from(data)
    )
    if (size, signature, major, minor, end_size) != (_HEADER.size, _SIGNATURE, 1, 1, _HEADER.size):
        raise NotAnEventLog("the file has no header of an event log")
    ring = _Ring(data)
    if flags & _DIRTY or not following or not (ring.is_offset(start) and ring.is_offset(end)):
        if not flags & _WRAPPED and start <= end and len(data) < max_size:
            # As long as nothing has gone beyond its end, the ring does not end with the file.
            ring = _Ring(data + bytes(_RECORD.size + _END.size))
        found = _recover(ring, start)
    else:
        found = ring.walk(start, oldest, following)[0] if oldest else []
    return [record for record in map(_parse, found) if record is not None]


def _recover(ring: _Ring, start: int) -> list[bytes]:
    """What the last mark of the end says; without one, what lies behind the first record of the header."""
    best: tuple[int, list[bytes]] | None = None
    at = ring.data.find(_END_PATTERN[:4], _HEADER.size)
    while at >= 0 and len(ring.data) >= _HEADER.size + _END.size:
        mark = ring.bytes_at(at, _END.size)
        begin, finish, following, oldest, end_size = struct.unpack_from("<5I", mark, 20)
        if (
            (mark[:20], finish, end_size, at % 4) == (_END_PATTERN, at, _END.size, 0)
            and following > (0 if best is None else best[0])
            and ring.is_offset(begin)
        ):
            records, reached = ring.walk(begin, oldest, following) if oldest else ([], at)
            if reached == at and (not oldest or len(records) == (following - oldest) & _NUMBERS):
                best = following, records
        at = ring.data.find(_END_PATTERN[:4], at + 1)
    if best is not None:
        return best[1]
    if start < _HEADER.size or len(ring.data) - start < _RECORD.size:
        return []
    first = int(struct.unpack_from("<I", ring.data, start + 8)[0])
    records, reached = ring.walk(start, first, (first - 1) & _NUMBERS)
    room = start - reached if reached <= start else len(ring.data) - _HEADER.size - (reached - start)
    return records if first and room >= _END.size else []


def _parse(data: bytes) -> Record | None:
    """A record; None if what it says of itself does not fit."""
    fields = _RECORD.unpack_from(data)
    _, _, number, generated, written, event_id, kind, count, category, _ = fields[:10]
    _, strings_at, sid_size, sid_at, data_size, data_at = fields[10:]
    limit = len(data) - 4
    names = _texts(data, _RECORD.size, limit, 2)
    strings = _texts(data, strings_at, limit, count) if count else []
    if count and (strings_at < _RECORD.size or strings_at % 2):
        return None
    if names is None or strings is None or sid_at + sid_size > limit or data_at + data_size > limit:
        return None
    return Record(
        number=number,
        generated=generated,
        written=written,
        event_id=event_id,
        kind=kind,
        category=category,
        source=names[0],
        computer=names[1],
        sid=data[sid_at : sid_at + sid_size],
        strings=tuple(strings),
        data=data[data_at : data_at + data_size],
    )


def _texts(data: bytes, at: int, limit: int, count: int) -> list[str] | None:
    """So many terminated UTF-16 strings in a row; None if they are not all there."""
    texts = []
    for _ in range(count):
        end = at
        while end + 2 <= limit and data[end : end + 2] != b"\0\0":
            end += 2
        if end + 2 > limit:
            return None
        texts.append(data[at:end].decode("utf-16-le", "replace"))
        at = end + 2
    return texts
