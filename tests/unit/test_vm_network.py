"""Published ports and links without Wine: what is understood, what is refused, what stands in the file."""

from __future__ import annotations

import errno
import json
import socket
import struct
from pathlib import Path

import pytest

from winesilo.errors import InvalidPublish, PublishFailed, SiloCorrupt, SiloNotFound, UsageError
from winesilo.host.paths import HostPaths
from winesilo.interposer.network import (
    LINK_FROM,
    LINK_TO,
    MAX_RULES,
    NETWORK_SIZE,
    BoundPort,
    Link,
    NetworkFile,
    parse_publish,
)
from winesilo.vm import network
from winesilo.vm.network import Networks, check_links, check_rules, probe, without
from winesilo.vm.store import Record, Store, new_record, parse_record, render_record


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("8080:80", "0.0.0.0:8080:80/tcp"),
        ("127.0.0.1:8080:80", "127.0.0.1:8080:80/tcp"),
        ("53:53/udp", "0.0.0.0:53:53/udp"),
        ("[::1]:8080:80", "[::1]:8080:80/tcp"),
        ("[2001:DB8:0::1]:1:65535/udp", "[2001:db8::1]:1:65535/udp"),
    ],
)
def test_rules(text: str, kept: str) -> None:
    assert str(parse_publish(text)) == kept
    assert check_rules([text, kept]) == [kept]


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "80",
            "80:",
            ":80:80",
            "a:80:80",
            "1.2.3:1:2",
            "1.2.3.256:1:2",
            "::1:80:80",
            "[::g]:1:2",
            "[]:1:2",
        ),
        *("0:80", "80:0", "80:65536", "-1:80", "80:80/sctp", "80:80/", "80:80\n", "0.0.0.0:80:80:80"),
        "\uff18\uff10:80",  # digits of another script
    ],
)
def test_rules_that_make_no_sense(text: str) -> None:
    with pytest.raises(InvalidPublish) as caught:
        parse_publish(text)
    assert caught.value.exit_code == 2
    assert caught.value.hint


def test_rules_that_exclude_each_other() -> None:
    for texts in (["127.0.0.1:8080:80", "8081:80"], ["8080:80", "8080:81"]):
        with pytest.raises(InvalidPublish):
            check_rules(texts)
    check_rules(["8080:80", "[::]:8080:80", "8080:80/udp"])
    with pytest.raises(InvalidPublish, match=str(MAX_RULES)):
        check_rules(f"{port}:{port}" for port in range(1000, 1001 + MAX_RULES))


def test_rules_are_ended() -> None:
    rules = check_rules(["8080:80", "[::]:8080:80", "5353:53/udp", "5353:53"])
    assert without(rules, ["80"]) == rules[2:]
    assert without(rules, ["53/udp", "8080:80"]) == [rules[1], rules[3]]
    for text in ("81", "53/tcp/udp", "8081:80"):
        with pytest.raises(InvalidPublish):
            without(rules, [text])


def test_records(tmp_path: Path) -> None:
    path = tmp_path / "a" / "silo.json"
    record = Record("a", 1, "127.1.0.1", "now", links=["b"], publish=["0.0.0.0:8080:80/tcp"])
    text = render_record(record).decode()
    assert parse_record(text, path) == record
    wrong: list[tuple[str, object]] = [
        *(("links", value) for value in (["../b"], "b", [1])),
        *(("publish", value) for value in (["80"], [80])),
    ]
    for field, value in wrong:
        with pytest.raises(SiloCorrupt):
            parse_record(json.dumps({**json.loads(text), field: value}), path)
    older = '{"format": 2, "name": "a", "id": 1, "address": "127.1.0.1", "created": "x"}'
    assert parse_record(older, path).links == []


def test_what_is_in_the_way() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        rule = parse_publish(f"127.0.0.1:{taken.getsockname()[1]}:80")
        with pytest.raises(PublishFailed, match="in use") as caught:
            probe(rule)
        assert isinstance(caught.value.__cause__, OSError)
        assert caught.value.__cause__.errno == errno.EADDRINUSE
    probe(rule)
    with pytest.raises(PublishFailed, match="not an address of this machine"):
        probe(parse_publish("203.0.113.77:8080:80"))


# -- the file ---------------------------------------------------------------------------------


def test_file(tmp_path: Path) -> None:
    file = NetworkFile(tmp_path / "net" / "7")
    raw = tmp_path / "net" / "7"
    assert raw.stat().st_size == NETWORK_SIZE
    rule = parse_publish("192.0.2.1:8080:80")
    file.write_rules([Link("127.1.0.8", LINK_TO, 8, "db1")], [rule, parse_publish("[::1]:53:53/udp")], 1024)
    content = raw.read_bytes()
    assert content[:8] == b"WSNET\0\0\1"
    assert struct.unpack_from("<IIII", content, 8) == (2, 1024, 1, 2)
    assert content[4096:4108] == bytes((127, 1, 0, 8)) + struct.pack("<II", LINK_TO, 8)
    assert content[4108:4172].rstrip(b"\0") == b"db1"
    assert content[16384:16392] == bytes((1, 0)) + struct.pack(">HHH", 80, 8080, 0)
    assert content[16392:16396] == bytes((192, 0, 2, 1))
    assert content[16408:16412] == bytes((0, 1)) + struct.pack(">H", 53)
    file.write_rules([], [], 0)
    assert struct.unpack_from("<IIII", raw.read_bytes(), 8) == (4, 0, 0, 0)
    file.close()


def test_ports_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "net" / "7"
    file = NetworkFile(path)
    with path.open("r+b") as raw:
        raw.seek(20480)
        for state in (2, 1, 0):  # used, changing, free
            raw.write(struct.pack("<IBBBB", state, 1, 0, 0, 1) + struct.pack(">HH", 80, 10080))
            raw.write(bytes((127, 1, 0, 7)).ljust(16, b"\0") + struct.pack("<I", 0))
        raw.seek(65536)
        raw.write(b"\x11")
    assert list(file.bound_ports()) == [BoundPort("tcp", 80, "127.1.0.7", 10080, published=False)]
    file.reset()
    assert not list(file.bound_ports())
    assert not any(path.read_bytes()[65536:])
    file.close()


# -- silos of a host --------------------------------------------------------------------------


class ShortPaths(HostPaths):
    """A host whose run-time files are in its runtime directory."""

    @property
    def shm(self) -> Path:
        return self.runtime


@pytest.fixture
def store(tmp_path: Path) -> Store:
    for name in ("data", "run"):
        (tmp_path / name).mkdir()
    store = Store(ShortPaths("t", tmp_path / "data", tmp_path / "run"))
    for number, name in enumerate(("a", "b", "c"), 1):
        store.create(new_record(name, number, f"127.1.0.{number}", None, []), b"WINE REGISTRY Version 2\n")
    return store


def change(store: Store, name: str, **fields: list[str]) -> Record:
    record = store.load(name)
    for field, value in fields.items():
        object.__setattr__(record, field, value)
    store.save(record)
    return record


def links_of(path: Path) -> dict[str, int]:
    content = path.read_bytes()
    count = struct.unpack_from("<I", content, 16)[0]
    found = {}
    for offset in range(4096, 4096 + 76 * count, 76):
        flags = struct.unpack_from("<I", content, offset + 4)[0]
        found[content[offset + 12 : offset + 76].rstrip(b"\0").decode()] = flags
    return found


def test_links(store: Store) -> None:
    assert check_links("a", ["b", "c", "b"], store) == ["b", "c"]
    with pytest.raises(UsageError, match="itself"):
        check_links("a", ["a"], store)
    with pytest.raises(SiloNotFound):
        check_links("a", ["d"], store)


def test_links_in_the_files(store: Store) -> None:
    networks = Networks(store.paths, store)
    a, b = change(store, "a", links=["b", "c"]), change(store, "b", links=["a"])
    networks.begin(a)
    networks.begin(b)
    assert links_of(networks.path(a)) == {"a": LINK_TO, "b": LINK_TO | LINK_FROM, "c": LINK_TO}
    assert links_of(networks.path(b)) == {"a": LINK_TO | LINK_FROM, "b": LINK_TO}
    gone = store.load("c")
    store.remove("c")
    networks.forget(gone)
    assert links_of(networks.path(a)) == {"a": LINK_TO, "b": LINK_TO | LINK_FROM}
    assert store.load("a").links == ["b"]
    change(store, "a", links=[])
    networks.changed()
    assert links_of(networks.path(b)) == {"a": LINK_TO, "b": LINK_TO}
    networks.end(a)
    networks.end(b)


def test_one_port_for_two_silos(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "probe", lambda _: None)
    networks = Networks(store.paths, store)
    a = change(store, "a", publish=["127.0.0.1:8080:80/tcp"])
    b = change(store, "b", publish=["127.0.0.1:8080:81/tcp"])
    networks.begin(a)
    with pytest.raises(PublishFailed, match="'a'"):
        networks.begin(b)
    networks.end(b)
    networks.end(a)
    networks.begin(b)
    networks.end(b)
    with pytest.raises(PublishFailed, match="address of the silo 'a'"):
        networks.check_machine(["127.1.0.1:8080:80/tcp"])
