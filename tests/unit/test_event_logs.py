"""Event log files, read by Python and by the C code of the guest; message tables and their insertions."""

from __future__ import annotations

import random
import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from test_interposer_c import ROOT, run

from winesilo.vm import evt, messages

HEADER = 48
MARK = struct.pack("<5I", 40, 0x11111111, 0x22222222, 0x33333333, 0x44444444)
DIRTY, WRAPPED = 1, 2
MUTATIONS = 3000


def texts(*strings: str) -> bytes:
    return b"".join((string + "\0").encode("utf-16-le") for string in strings)


def record(number: int, *strings: str, source: str = "Src", data: bytes = b"", sid: bytes = b"") -> bytes:
    names = texts(source, "PC")
    sid_at = 56 + len(names) + -(56 + len(names)) % 4
    strings_at = sid_at + len(sid)
    data_at = strings_at + len(texts(*strings))
    length = data_at + len(data) + -(data_at + len(data)) % 4 + 4
    fixed = struct.pack(
        *("<6I4H6I", length, 0x654C664C, number, 1700000000 + number, 1700000001, 0xC0000007),
        *(2, len(strings), 5, 0, 0, strings_at, len(sid), sid_at, len(data), data_at),
    )
    body = (fixed + names).ljust(sid_at, b"\0") + sid + texts(*strings) + data
    return body.ljust(length - 4, b"\0") + struct.pack("<I", length)


def head(
    start: int, end: int, following: int, oldest: int, *, flags: int = 0, max_size: int = 0x10000
) -> bytes:
    return struct.pack(
        "<12I", HEADER, 0x654C664C, 1, 1, start, end, following, oldest, max_size, flags, 0, HEADER
    )


def mark(start: int, end: int, following: int, oldest: int) -> bytes:
    return MARK + struct.pack("<5I", start, end, following, oldest, 40)


def straight(*records: bytes, flags: int = 0) -> bytes:
    """A file nothing in which has been overwritten."""
    body = b"".join(records)
    place = (HEADER, HEADER + len(body), 1 + len(records), 1 if records else 0)
    return head(*place, flags=flags) + body + mark(*place)


def ring(size: int, start: int, first: int, count: int, flags: int = WRAPPED) -> bytes:
    """A file of that size whose oldest record is at ``start``, and whose others go on at its beginning."""
    data = bytearray(size)

    def put(at: int, content: bytes) -> int:
        for byte in content:
            data[at] = byte
            at = at + 1 if at + 1 < size else HEADER
        return at

    at = start
    for number in range(first, first + count):
        if size - at < 56:
            put(at, struct.pack("<I", 0x27) * ((size - at) // 4))
            at = HEADER
        at = put(at, record(number, f"text {number}", data=b"x" * (number % 9)))
    put(at, mark(start, at, first + count, first))
    data[:HEADER] = head(start, at, first + count, first, flags=flags, max_size=size)
    return bytes(data)


def numbers(data: bytes) -> list[int]:
    return [record.number for record in evt.read(data)]


def test_what_is_in_a_record() -> None:
    only = evt.read(straight(record(1, "grün", "", source="A b", data=b"\1\2\3", sid=b"sid!")))[0]
    assert only == evt.Record(
        number=1,
        generated=1700000001,
        written=1700000001,
        event_id=0xC0000007,
        kind=2,
        category=5,
        source="A b",
        computer="PC",
        sid=b"sid!",
        strings=("grün", ""),
        data=b"\1\2\3",
    )


def test_straight() -> None:
    assert evt.read(straight()) == []
    assert numbers(straight(record(1), record(2, "x"), record(3))) == [1, 2, 3]


#: Where the oldest begins: the ring's end comes to lie at each place of records, of the mark and of filler.
PLACES = range(1000, 1124, 4)


@pytest.mark.parametrize("start", PLACES)
def test_wrapped(start: int) -> None:
    data = ring(1124, start, 7, 6)
    assert numbers(data) == list(range(7, 13))
    assert [record.strings for record in evt.read(data)] == [(f"text {n}",) for n in range(7, 13)]


@pytest.mark.parametrize("start", PLACES)
def test_wrapped_and_dirty(start: int) -> None:
    """The header is behind, as that of a file which was copied while Windows had it open."""
    data = ring(1124, start, 7, 6, flags=WRAPPED | DIRTY)
    stale = head(HEADER, HEADER, 1, 0, flags=WRAPPED | DIRTY, max_size=1124) + data[HEADER:]
    assert numbers(stale) == list(range(7, 13))


def test_dirty_without_a_mark() -> None:
    """A writer was killed: what is whole counts, from where the header says."""
    whole = [record(1), record(2, "x"), record(3)]
    data = straight(*whole, flags=DIRTY)
    body = data[: -len(MARK) - 20]
    assert numbers(body) == [1, 2, 3]
    for cut in range(4, len(whole[2]) + 1, 4):
        assert numbers(body[:-cut]) == [1, 2]


def test_the_newest_mark_counts() -> None:
    data = straight(record(1), record(2), flags=DIRTY)
    old = data + mark(HEADER, len(data), 2, 1)
    assert numbers(old) == [1, 2]


@pytest.mark.parametrize("data", [b"", b"text", b"\0" * 47, b"\0" * 4096, b"A" * 70000])
def test_no_logs(data: bytes) -> None:
    with pytest.raises(evt.NotAnEventLog):
        evt.read(data)


def test_a_record_that_lies() -> None:
    """Offsets beyond the record, strings without their ends: it does not count, the others do."""
    for at, value in ((36, 0xFFFFFFF0), (40, 0xFFFF), (48, 0xFFFF), (26, 0xFFFF)):
        wrong = bytearray(record(2, "x"))
        struct.pack_into("<H" if at == 26 else "<I", wrong, at, value)
        assert numbers(straight(record(1), bytes(wrong), record(3))) == [1, 3]


# -- the guest's C code agrees, whatever is in the file ---------------------------------------


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed")
    program = tmp_path_factory.mktemp("evt") / "evt"
    api = ROOT / "src" / "guest" / "api"
    flags = ["-std=gnu11", "-g", "-O1", "-Wall", "-Wextra", "-Werror", "-fsanitize=address,undefined"]
    sources = [ROOT / "tests" / "c" / "guest" / "evt.c", api / "event_format.c"]
    done = subprocess.run(
        ["gcc", *flags, "-fno-sanitize-recover=all", f"-I{api}", *map(str, sources), "-o", str(program)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return program


def by_c(reader: Path, folder: Path, files: list[bytes]) -> list[list[int] | None]:
    """The numbers of the sound records of each file; None where it is no log."""
    paths = [folder / f"{i}.evt" for i in range(len(files))]
    for path, data in zip(paths, files, strict=True):
        path.write_bytes(data)
    found: list[list[int] | None] = []
    for line in run(reader, *paths).splitlines():
        rows = [word.split(":") for word in line.split() if word != "none"]
        found.append(None if line == "none" else [int(number) for number, _, sound in rows if sound == "1"])
    return found


def by_python(data: bytes) -> list[int] | None:
    try:
        return numbers(data)
    except evt.NotAnEventLog:
        return None


def mutated(chance: random.Random) -> bytes:
    files = [
        straight(record(1), record(2, "x"), record(3, data=b"xyz")),
        straight(record(1, "one"), record(2, "two", "three"), flags=DIRTY),
        ring(1124, chance.choice(PLACES), 7, 6),
        ring(1124, chance.choice(PLACES), 7, 6, flags=WRAPPED | DIRTY),
    ]
    data = bytearray(chance.choice(files))
    for _ in range(chance.randrange(3)):
        at = chance.randrange(HEADER, len(data) - 4) & ~3
        value = chance.choice(
            [0, 4, 0x27, 40, 60, 0xFFFFFFFF, len(data), HEADER, chance.randrange(len(data))]
        )
        struct.pack_into("<I", data, at, value)
    if chance.randrange(4) == 0:
        del data[chance.randrange(HEADER, len(data)) & ~3 :]
    return bytes(data)


def test_c_and_python_agree(reader: Path, tmp_path: Path) -> None:
    chance = random.Random(7)
    files = [straight(), b"", b"text" * 40, *(ring(1124, start, 3, 6) for start in PLACES)]
    files += [mutated(chance) for _ in range(MUTATIONS)]
    different = []
    for first in range(0, len(files), 500):
        part = files[first : first + 500]
        for data, c in zip(part, by_c(reader, tmp_path, part), strict=True):
            if c != by_python(data):
                different.append((data.hex(), c, by_python(data)))
    assert not different, (len(different), different[0])


# -- texts ------------------------------------------------------------------------------------


def program_with(tables: dict[int, dict[int, str]]) -> bytes:
    """A PE file that has nothing but message tables, by language."""
    leaves, data = b"", b""
    tree_size = 24 + 24 + 16 + 8 * len(tables)
    base = tree_size + 16 * len(tables)
    for messages_of in tables.values():
        blocks = struct.pack("<I", len(messages_of))
        entries = b""
        for number, text in messages_of.items():
            blocks += struct.pack("<3I", number, number, 4 + 12 * len(messages_of) + len(entries))
            content = (text + "\r\n\0").encode("utf-16-le")
            content += b"\0" * (-len(content) % 4)
            entries += struct.pack("<2H", 4 + len(content), 1) + content
        leaves += struct.pack("<4I", 0x1000 + base + len(data), len(blocks + entries), 0, 0)
        data += blocks + entries
    tree = struct.pack("<12x2H2I", 0, 1, 11, 0x80000000 | 24)
    tree += struct.pack("<12x2H2I", 0, 1, 1, 0x80000000 | 48)
    tree += struct.pack("<12x2H", 0, len(tables))
    for i, language in enumerate(tables):
        tree += struct.pack("<2I", language, tree_size + 16 * i)
    resources = tree + leaves + data
    optional = struct.pack("<H", 0x20B).ljust(112, b"\0") + struct.pack(
        "<6I", 0, 0, 0, 0, 0x1000, len(resources)
    )
    optional = optional.ljust(240, b"\0")
    coff = struct.pack("<4s2H12x2H", b"PE\0\0", 0x8664, 1, len(optional), 0)
    section = struct.pack("<8s4I16x", b".rsrc", len(resources), 0x1000, len(resources), 0x400)
    dos = b"MZ".ljust(0x3C, b"\0") + struct.pack("<I", 0x40)
    return (dos + coff + optional + section).ljust(0x400, b"\0") + resources


def test_message_table() -> None:
    texts_of = {1: "one", 0xC0000007: "seven"}
    assert messages.table(program_with({0x409: texts_of})) == {1: "one\r\n", 0xC0000007: "seven\r\n"}
    both = program_with({0x407: {1: "eins"}, 0x409: {1: "one"}})
    assert messages.table(both) == {1: "one\r\n"}
    assert messages.table(program_with({0x407: {1: "eins"}, 0: {1: "any"}})) == {1: "any\r\n"}


def test_programs_without_messages() -> None:
    good = program_with({0x409: {1: "one", 2: "two"}})
    assert messages.table(b"") == {}
    assert messages.table(b"MZ") == {}
    for size in range(0, 0x400, 7):
        assert messages.table(good[:size]) == {}
    chance = random.Random(3)
    for _ in range(2000):
        bad = bytearray(good)
        for _ in range(3):
            struct.pack_into(
                "<I", bad, chance.randrange(len(bad) - 4), chance.choice([0, 1, 0xFFFFFFFF, 0x1000])
            )
        assert isinstance(messages.table(bytes(bad)), dict)


@pytest.mark.parametrize(
    ("text", "strings", "expected"),
    [
        ("The %1 is %2.\r\n", ["cat", "grey"], "The cat is grey."),
        ("%1!s! and %2!08x!", ["a", "b"], "a and b"),
        ("100%% of%n%t%1", ["it"], "100% of\n\tit"),
        ("no %3", ["a"], "no %3"),
        ("cut%0 off", [], "cut"),
        ("%10 and %1", [str(i) for i in range(1, 11)], "10 and 1"),
        ("because: %1", ["%%5"], "because: denied"),
        ("because: %1", ["%%6"], "because: %%6"),
        ("%1", ["100%n"], "100%n"),
    ],
)
def test_insertions(text: str, strings: list[str], expected: str) -> None:
    assert messages.insert(text, strings, {5: "denied"}.get) == expected
