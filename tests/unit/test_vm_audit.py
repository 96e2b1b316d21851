"""Audit: what is read of a record, what is told from outside, the catalogue, the analysis' conclusions."""

from __future__ import annotations

import ctypes
import struct
import threading
from pathlib import Path
from typing import Any

import pytest

from winesilo import analysis
from winesilo.errors import AgentError, InterposerError, UsageError
from winesilo.host import catalogue, template
from winesilo.host.agent import Handle, parse_handles
from winesilo.host.registry_file import Key, Registry, Value
from winesilo.interposer.config import PrivateKey, SharedMemory
from winesilo.interposer.record import RECORD_SIZE, RecordFile, Rule, parse
from winesilo.models import Audit
from winesilo.vm import audit, outside, rendezvous
from winesilo.vm.rendezvous import Rendezvous, Rules

ENTRIES = 32768
TEXT = ENTRIES + 65536 * 24
RULES = "private\tobject\t\\A\twhy a\nshared\tfile\t\twhy b\n"


class Writer:
    """Writes a record as the library does."""

    def __init__(self, path: Path) -> None:
        RecordFile(path)
        self.data = bytearray(path.read_bytes())
        self.at = 0
        self.text = 0
        self.data[4096 : 4096 + len(RULES)] = RULES.encode()
        struct.pack_into("<I", self.data, 28, len(RULES))

    def add(
        self, space: int, kind: int, name: bytes | str, rule: int = 1, how: int = 1, parent: int = 0
    ) -> int:
        raw = name.encode("utf-16-le") if isinstance(name, str) else name
        start = self.text
        self.data[TEXT + start : TEXT + start + len(raw)] = raw
        self.text += len(raw)
        self.put(start + 1, len(raw), rule, space, kind, how, parent)
        return self.at

    def put(self, text: int, size: int, rule: int, space: int, kind: int, how: int, parent: int) -> None:
        row = struct.pack("<QIHHBBBBI", self.at + 99, text, size, rule, space, kind, 0, how, parent)
        self.data[ENTRIES + self.at * 24 : ENTRIES + (self.at + 1) * 24] = row
        self.at += 1


@pytest.fixture
def writer(tmp_path: Path) -> Writer:
    return Writer(tmp_path / "audit.mem")


def test_reads_names_with_their_folders_and_rules(writer: Writer) -> None:
    top = writer.add(1, 1, "\\A\\")
    writer.add(1, 1, "b", how=2, parent=top)
    writer.add(1, 1, "B", how=1, parent=top)
    writer.add(5, 2, "\\??\\unix\\x", rule=2)
    writer.add(1, 4, "\\Device\\X", rule=0)
    writer.add(1, 3, "\\Device\\Y", rule=0x8000)
    recorded = parse(bytes(writer.data), [Rule("catalogue", "refused", "\\Device\\Y", "why y")])
    shown = {
        (e.space, e.name): (e.kind, e.created, e.opened, e.rule and e.rule.reason) for e in recorded.entries
    }
    assert shown == {
        ("object", "\\A\\"): ("private", False, True, "why a"),
        ("object", "\\A\\b"): ("private", True, True, "why a"),
        ("file", "\\??\\unix\\x"): ("shared", False, True, "why b"),
        ("object", "\\Device\\X"): ("undeclared", False, True, None),
        ("object", "\\Device\\Y"): ("refused", False, True, "why y"),
    }
    assert recorded.lost == recorded.unfinished == 0


def test_reads_addresses_and_numbers(writer: Writer) -> None:
    writer.add(6, 1, bytes([1, 4]) + (80).to_bytes(2, "big") + bytes(16))
    writer.add(7, 1, bytes([0, 6]) + (53).to_bytes(2, "big") + bytes(15) + b"\1")
    writer.add(8, 3, (1234).to_bytes(4, "little"))
    found = rendezvous.of_record(parse(bytes(writer.data)))
    assert {(one.kind, one.name) for one in found} == {
        ("socket", "tcp 0.0.0.0:80"),
        ("socket", "udp [::1]:53"),
        ("process", "id 1234"),
    }


def test_tells_what_was_lost(writer: Writer) -> None:
    struct.pack_into("<Q", writer.data, 8, 3)
    writer.put(0, 0, 1, 1, 1, 1, 0)  # claimed, never filled
    writer.put(0xFFFFFFFF, 0, 1, 1, 1, 1, 0)  # no room for its name, counted as lost
    recorded = parse(bytes(writer.data))
    assert (recorded.lost, recorded.unfinished, list(recorded.entries)) == (3, 1, [])


def test_waits_for_an_entry_that_is_being_written(tmp_path: Path) -> None:
    file = RecordFile(tmp_path / "audit.mem")
    writer = Writer(tmp_path / "other.mem")
    writer.add(1, 1, "\\A")
    whole = bytes(writer.data)
    writer.data[ENTRIES + 8 : ENTRIES + 12] = bytes(4)

    def put(content: bytes) -> None:
        with (tmp_path / "audit.mem").open("r+b") as stream:
            stream.write(content)

    put(bytes(writer.data))
    finish = threading.Timer(0.1, put, [whole])
    finish.start()
    recorded = file.read()
    finish.join()
    assert [entry.name for entry in recorded.entries] == ["\\A"]
    assert not recorded.unfinished


@pytest.mark.parametrize(
    "damage",
    [
        lambda w: w.data.__setitem__(slice(0, 8), b"nonsense"),
        lambda w: w.put(6 << 20, 100, 1, 1, 1, 1, 0),
        lambda w: w.put(1, 2, 1, 99, 1, 1, 0),
        lambda w: w.put(1, 2, 77, 1, 1, 1, 0),
        lambda w: struct.pack_into("<I", w.data, 28, 1 << 20),
        lambda w: w.add(6, 1, b"short"),
    ],
)
def test_a_damaged_record_is_an_error(writer: Writer, damage: Any) -> None:
    damage(writer)
    with pytest.raises(InterposerError):
        parse(bytes(writer.data))


def test_a_cut_record_is_an_error() -> None:
    with pytest.raises(InterposerError):
        parse(bytes(RECORD_SIZE - 1))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        (r"\??\NUL", "device"),
        (r"\??\GLOBALROOT\Device\Null", "device"),
        (r"\Driver\HTTP", "driver"),
        (r"\Sessions\1\Windows\WindowStations\WinSta0", "window station"),
        (r"\BaseNamedObjects\x", "object"),
    ],
)
def test_kinds_of_objects(name: str, kind: str) -> None:
    assert rendezvous.kind_of_object(name) == kind


def test_kinds_of_pipes() -> None:
    assert rendezvous.kind_of_pipe(r"lrpc\x") == ("rpc endpoint", "ncalrpc:x")
    assert rendezvous.kind_of_pipe("SVCCTL") == ("rpc endpoint", r"ncacn_np:\pipe\SVCCTL")
    assert rendezvous.kind_of_pipe("{01234567-89ab-cdef-0123-456789abcdef}")[0] == "com class"
    assert rendezvous.kind_of_pipe("mysql") == ("pipe", "mysql")


# -- from outside -----------------------------------------------------------------------------

BUILT_IN = [
    Rule("built in", "private", "\\BaseNamedObjects", "x"),
    Rule("built in", "merged", "\\Device", "x"),
    Rule("built in", "catalogue", "\\Device\\*", "x"),
    Rule("built in", "shared", "\\KernelObjects\\LowMemoryCondition", "memory"),
]
LISTED = [
    Rule("catalogue", "shared", "\\Device\\Null", "null"),
    Rule("catalogue", "undeclared", "\\Device\\Odd*", "odd"),
]


@pytest.fixture
def place(tmp_path: Path) -> outside.Place:
    return outside.Place(
        silo_id=7,
        address="127.7.0.7",
        root=tmp_path / "root",
        own=[tmp_path / "own"],
        wine=[tmp_path / "wine"],
        server=tmp_path / "server",
        published=frozenset({("tcp", 8080)}),
    )


def sockaddr(address: str, port: int) -> str:
    packed = bytes(map(int, address.split(".")))
    return (struct.pack("<H", 2) + port.to_bytes(2, "big") + packed + bytes(8)).hex()


@pytest.mark.parametrize(
    ("type_", "name", "klass"),
    [
        ("Event", r"\winesilo\7\BaseNamedObjects\x", None),
        ("Event", r"\winesilo\70\BaseNamedObjects\x", "undeclared"),
        ("Event", r"\BaseNamedObjects\x", "undeclared"),
        ("Event", r"\KernelObjects\LowMemoryCondition", "shared"),
        ("Directory", r"\Device", "shared"),
        ("File", r"\Device\Null", "shared"),
        ("File", r"\Device\Null\below", "shared"),
        ("File", r"\Device\Nullify", "undeclared"),
        ("File", r"\Device\Odd1", "undeclared"),
        ("File", r"\Device\NamedPipe\winesilo\7\x", None),
        ("File", r"\Device\NamedPipe", None),
        ("File", r"\Device\NamedPipe\x", "undeclared"),
        ("File", r"\Device\MailSlot\winesilo\8\x", "undeclared"),
        ("File", r"\??\C:\x", None),
        ("Key", r"\REGISTRY\Machine\Software", "shared"),
        ("Key", r"\REGISTRY\User\winesilo-7\Machine", None),
        ("Key", r"\REGISTRY\User\winesilo-8\Machine", "undeclared"),
        ("Process", "12", None),
        ("Process", "16", "undeclared"),
        ("Thread", "0", None),
        ("Desktop", r"\Default", None),
        ("File", "\\Device\\Afd " + sockaddr("127.7.0.7", 80), None),
        ("File", "\\Device\\Afd " + sockaddr("127.135.0.7", 80), None),
        ("File", "\\Device\\Afd " + sockaddr("127.0.0.1", 80), "undeclared"),
        ("File", "\\Device\\Afd " + sockaddr("127.8.0.8", 80), "undeclared"),
        ("File", "\\Device\\Afd " + sockaddr("192.0.2.1", 8080), "shared"),
        ("File", r"\Device\Afd", None),
    ],
)
def test_handles_that_lead_out(place: outside.Place, type_: str, name: str, klass: str | None) -> None:
    handle = Handle(12, 4, 0, type_, name)
    found = outside.of_handles([handle], frozenset({12}), place, Rules(BUILT_IN, LISTED))
    assert [one.klass for one in found] == ([] if klass is None else [klass])


@pytest.mark.parametrize(
    ("target", "number", "flags", "klass"),
    [
        ("{root}/windows/x.dll", 9, 2, None),
        ("{own}/services.log", 9, 1, "shared"),
        ("{wine}/fonts/x", 9, 0, "shared"),
        ("{wine}/fonts/x", 9, 2, "undeclared"),
        ("{server}/anonmap.1 (deleted)", 9, 2, "shared"),
        ("/etc/passwd", 9, 0, "undeclared"),
        ("/home/x/out", 1, 1, "shared"),
        ("/dev/null", 9, 2, "shared"),
        ("/proc/349/task/354/comm", 9, 1, None),
        ("/proc/349/task/354/comm", 9, 0, "undeclared"),
        ("/proc/349/task/354/mem", 9, 1, "undeclared"),
        ("pipe:[123]", 9, 0, None),
        ("anon_inode:[eventfd]", 9, 0, None),
        ("/memfd:x (deleted)", 9, 0, None),
        ("socket:[123456789]", 9, 0, None),
    ],
)
def test_descriptors_that_lead_out(
    place: outside.Place, target: str, number: int, flags: int, klass: str | None
) -> None:
    names = {"root": place.root, "own": place.own[0], "wine": place.wine[0], "server": place.server}
    one = outside.Descriptor(number, target.format(**names), flags, (1, 2))
    found = outside.of_descriptors([1], place, lambda pid: [one])
    assert [each.klass for each in found] == ([] if klass is None else [klass])


def test_a_descriptor_of_this_process_is_seen(place: outside.Place, tmp_path: Path) -> None:
    with (tmp_path / "secret").open("w") as stream:
        mine = {one.number: one for one in outside.descriptors(ctypes.CDLL(None).getpid())}
        assert mine[stream.fileno()].target == str(tmp_path / "secret")
        assert mine[stream.fileno()].flags & 1


def test_list_of_handles() -> None:
    reply = (
        struct.pack("<III", 12, 4, 7) + b"Event\0\\x\0" + struct.pack("<III", 12, 8, 0) + b"Process\x0012\0"
    )
    assert parse_handles(reply) == [Handle(12, 4, 7, "Event", "\\x"), Handle(12, 8, 0, "Process", "12")]
    for size in (5, 13, len(reply) - 1):
        with pytest.raises(AgentError):
            parse_handles(reply[:size])


# -- keys, files, listing ---------------------------------------------------------------------


def test_written_keys_and_services() -> None:
    first = Registry()
    first.add(Key("Machine\\System"))
    services = "Machine\\System\\CurrentControlSet\\Services"
    found = audit.written_keys(
        [
            PrivateKey("Machine\\System", "changed", True),
            PrivateKey("Machine\\Software", "changed", True),
            PrivateKey("Machine\\Software\\X", "created", False),
            PrivateKey(f"{services}\\Mine", "created", True),
            PrivateKey(f"{services}\\Theirs", "changed", False),
            PrivateKey("Machine\\Gone", "deleted", False),
            PrivateKey("Machine\\Both", "changed", True, True),
        ],
        first,
    )
    assert [(one.kind, one.name, one.how[0]) for one in found] == [
        ("key", "\\Registry\\Machine\\Software\\X", "created"),
        ("key", f"\\Registry\\{services}\\Mine", "created"),
        ("service", "Mine", "created"),
        ("key", f"\\Registry\\{services}\\Theirs", "changed"),
        ("key", "\\Registry\\Machine\\Gone", "deleted"),
        ("key", "\\Registry\\Machine\\Both", "changed"),
    ]


def test_an_index_that_was_never_built_has_no_keys(tmp_path: Path) -> None:
    shared = SharedMemory(tmp_path / "shared.mem")
    assert shared.private_keys() == []
    shared.close()


def test_written_files(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "c.txt").write_text("x")
    assert {(one.name, one.how[0]) for one in audit.written_files(tmp_path)} == {
        ("C:\\a\\c.txt", "written"),
        ("C:\\a\\b", "created"),
    }


def test_undeclared_ones_are_listed_first_and_all_once() -> None:
    rows = [
        Rendezvous("pipe", "x", "private", ("opened",), ("record",), None),
        Rendezvous("pipe", "X", "private", ("created",), ("handles",), None),
        Rendezvous("device", "y", "undeclared", ("opened",), ("record",), None),
    ]
    listed = rendezvous.listed(rows)
    assert [one.name for one in listed] == ["y", "x"]
    assert (list(listed[1].how), list(listed[1].seen)) == (["opened", "created"], ["record", "handles"])
    assert rendezvous.counts(listed) == {"undeclared": 1, "shared": 0, "refused": 0, "private": 1}


# -- catalogue --------------------------------------------------------------------------------


def test_the_built_in_catalogue_is_good() -> None:
    known = catalogue.load([])
    assert known.driver("mountmgr") is not None
    assert known.masks("nsiproxy")
    assert not known.masks("HTTP")
    assert known.masks("a driver that nobody knows")
    assert len(known.patterns()) > 30
    assert len({pattern for pattern, _ in known.patterns()}) == len(known.patterns())


def test_a_users_catalogue_goes_first(tmp_path: Path) -> None:
    path = tmp_path / "catalogue.toml"
    path.write_text('[[entry]]\ndriver=["http"]\nclass="private"\nreason="mine"\n')
    known = catalogue.load([path, tmp_path / "missing.toml"])
    assert not known.masks("HTTP")
    assert known.digest() != catalogue.load([]).digest()
    key = Key("Machine\\System\\CurrentControlSet\\Services\\HTTP")
    key.set("Type", Value.dword(1))
    assert template.masked_start(key, known.masks) is None
    assert template.masked_start(key) == 4


@pytest.mark.parametrize(
    "text",
    [
        "[[entry]]",
        "[entry]\nclass='shared'",
        "[[entry]]\ndevices=['\\X']\nclass='mine'\nreason='x'",
        "[[entry]]\ndevices=['X']\nclass='shared'\nreason='x'",
        "[[entry]]\ndevices='\\X'\nclass='shared'\nreason='x'",
        "[[entry]]\ndevices=['\\X\t']\nclass='shared'\nreason='x'",
        "[[entry]]\ndevices=['\\X']\nclass='shared'\nreason=' '",
        "[[entry]]\ndevices=['\\X']\nclass='shared'\nreason='x'\nother=1",
        f"[[entry]]\ndevices=['\\{'X' * 100}']\nclass='shared'\nreason='x'",
        "other=1",
        "\xff",
    ],
)
def test_a_bad_catalogue_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError, match="x is no catalogue"):
        catalogue.parse(text.encode("latin-1"), "x")


def test_too_many_devices(tmp_path: Path) -> None:
    rows = ",".join(f"'\\Device\\{number}'" for number in range(catalogue.MAX_PATTERNS))
    (tmp_path / "many.toml").write_text(f"[[entry]]\ndevices=[{rows}]\nclass='shared'\nreason='x'\n")
    with pytest.raises(UsageError, match="are possible"):
        catalogue.load([tmp_path / "many.toml"])


# -- analysis ---------------------------------------------------------------------------------


def result(*rows: tuple[str, str, str]) -> Audit:
    """An audit that shows these: kind, name, how."""
    shown: list[Any] = [
        {"kind": kind, "name": name, "class": "private", "how": [how], "seen": ["record"], "rule": None}
        for kind, name, how in rows
    ]
    return Audit("s", "", True, 0, 0, {"undeclared": 0}, shown)


def run(*rows: tuple[str, str, str]) -> analysis._Run:
    before = result(("pipe", "svcctl", "created"))
    return analysis._Run(before, {}, audits=[result(*rows)])


def test_collisions_are_what_both_runs_make() -> None:
    fixed = [
        ("pipe", "svcctl", "created"),
        ("pipe", "mine", "created"),
        ("pipe", r"net\NtControlPipe7", "created"),
        ("socket", "tcp 0.0.0.0:80", "bound"),
        ("socket", "tcp 0.0.0.0:0", "bound"),
        ("device", r"\??\NUL", "opened"),
        ("process", "C:\\x.exe", "created"),
    ]
    one = run(*fixed, ("object", "pid-1", "created"))
    other = run(*fixed, ("object", "pid-2", "created"))
    found = analysis._conclude("x", one, other)
    assert [row["name"] for row in found.collides] == ["mine", "tcp 0.0.0.0:80"]
    assert [row["name"] for row in found.makes] == ["mine", "tcp 0.0.0.0:80", "pid-1"]
    assert [row["name"] for row in found.uses] == [r"\??\NUL"]
    assert found.good
