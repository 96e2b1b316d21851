"""What is on disk for silos."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from winesilo.errors import AddressInUse, InvalidAddress, InvalidName, SiloCorrupt, SiloExists, SiloNotFound
from winesilo.host.paths import HostPaths
from winesilo.vm import views
from winesilo.vm.store import (
    FORMAT,
    Record,
    Store,
    addresses,
    check_address,
    new_record,
    parse_record,
    render_record,
)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    paths = HostPaths("h", tmp_path / "data", tmp_path / "run")
    (paths.base / "drive_c").mkdir(parents=True)
    return Store(paths)


def add(store: Store, name: str, **changes: Any) -> Record:
    number = store.next_id()
    record = new_record(name, number, store.choose_address(None, number), None, [])
    record = dataclasses.replace(record, **changes)
    store.create(record, b"hive")
    return record


def test_create_load_remove(store: Store) -> None:
    record = add(store, "a")
    assert store.load("a") == record
    place = store.silo("a")
    assert place.hive.read_bytes() == b"hive"
    with pytest.raises(SiloExists):
        add(store, "a")
    store.remove("a")
    assert store.names() == []
    for call in (store.load, store.remove):
        with pytest.raises(SiloNotFound):
            call("a")


def test_bad_names_never_reach_the_disk(store: Store) -> None:
    for name in ("../x", "", "a/b", "x" * 300):
        with pytest.raises(InvalidName):
            store.load(name)


def test_numbers_are_never_used_again(store: Store) -> None:
    first = add(store, "a").id
    store.remove("a")
    second = add(store, "b").id
    assert second > first
    (store.paths.data / "next-id").unlink()
    assert store.next_id() > second


def test_interrupted_work_is_swept(store: Store) -> None:
    add(store, "a")
    for name in (".new-x-123", ".trash-y-456"):
        (store.paths.silos / name / "upper").mkdir(parents=True)
    (store.paths.layers / "unused").mkdir(parents=True)
    (store.paths.data / ".overlay-probe-1").mkdir()
    store.sweep()
    assert [path.name for path in store.paths.silos.iterdir()] == ["a"]
    assert list(store.paths.layers.iterdir()) == []
    assert not (store.paths.data / ".overlay-probe-1").exists()


def test_a_failed_create_leaves_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(store, "_fill", fail)
    with pytest.raises(KeyboardInterrupt):
        add(store, "a")
    assert list(store.paths.silos.iterdir()) == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"format": 2}',
        '{"format": "2"}',
        '{"format": 2, "name": "b", "id": 1, "address": "127.1.0.1", "created": "x"}',
        '{"format": 2, "name": "a", "id": 0, "address": "127.1.0.1", "created": "x"}',
        '{"format": 2, "name": "a", "id": true, "address": "127.1.0.1", "created": "x"}',
        '{"format": 2, "name": "a", "id": 1, "address": "here", "created": "x"}',
        '{"format": 2, "name": "a", "id": 1, "address": "127.1.0.1", "created": "x", "layers": ["../x"]}',
    ],
)
def test_a_corrupt_record_is_refused_by_name(store: Store, text: str) -> None:
    add(store, "a")
    add(store, "b")
    store.silo("a").json.write_text(text)
    with pytest.raises(SiloCorrupt) as caught:
        store.load("a")
    assert caught.value.details["path"] == str(store.silo("a").json)
    listed = views.list_stopped(store)
    assert [(silo["name"], silo["state"]) for silo in listed] == [("a", "failed"), ("b", "stopped")]
    assert set(listed[0]) == set(listed[1])
    store.remove("a")


@pytest.mark.parametrize(
    ("number", "age"), [(0, "an earlier"), (1, "an earlier"), (3, "a later"), (99, "a later")]
)
def test_another_format_is_refused(store: Store, number: int, age: str) -> None:
    add(store, "a")
    path = store.silo("a").json
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": number}))
    with pytest.raises(
        SiloCorrupt, match=f"made by {age} winesilo.* format {number}, not {FORMAT}"
    ) as caught:
        store.load("a")
    assert "silo rm -f a" in (caught.value.hint or "")
    assert [silo["state"] for silo in views.list_stopped(store)] == ["failed"]


def test_records_survive(tmp_path: Path) -> None:
    record = Record("a", 3, "127.9.0.1", "2026-01-01", "win10", ["1-aa", "2-bb"], None)
    path = tmp_path / "a" / "silo.json"
    assert parse_record(render_record(record).decode(), path) == record
    assert json.loads(render_record(record))["format"] == FORMAT == 2


@pytest.mark.parametrize("address", ["127.1.0.1", "127.127.255.254"])
def test_good_addresses(address: str) -> None:
    assert check_address(address) == address


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "127.128.0.1", "10.0.0.1", "127.1.0.0", "127.1.0.255", "127.1.1", "x", "", None, 7],
)
def test_bad_addresses(address: object) -> None:
    with pytest.raises(InvalidAddress):
        check_address(address)


def test_addresses_are_given_once(store: Store) -> None:
    first = add(store, "a")
    with pytest.raises(AddressInUse):
        store.choose_address(first.address, 9)
    free = store.choose_address(None, first.id)
    assert free != first.address
    assert check_address(free) == free


def test_all_automatic_addresses_are_valid(store: Store) -> None:
    made = list(addresses(store.paths, 5))
    assert len(made) == len(set(made)) == 256 * 254
    assert all(check_address(address) for address in made[:1000])


def test_freeze_makes_a_layer(store: Store) -> None:
    record = add(store, "a")
    assert store.freeze(record) == record
    (store.silo("a").upper / "file").write_text("x")
    frozen = store.freeze(record)
    assert len(frozen.layers) == 1
    lower = store.lower_layers(frozen)
    assert (lower[0] / "file").read_text() == "x"
    assert lower[-1] == store.paths.base / "drive_c"
    assert list(store.silo("a").upper.iterdir()) == []
    assert store.load("a") == frozen
    store.collect_layers()
    assert lower[0].is_dir()
    store.remove("a")
    assert not lower[0].exists()


@pytest.mark.parametrize("moved", [False, True])
def test_an_interrupted_freeze_is_completed_or_undone(store: Store, moved: bool) -> None:
    record = add(store, "a")
    (store.silo("a").upper / "file").write_text("x")
    store.save(dataclasses.replace(record, pending_layer="1-cafe"))
    store.paths.layers.mkdir()
    if moved:
        store.silo("a").upper.rename(store.paths.layers / "1-cafe")
    store.sweep()
    after = store.load("a")
    assert after.pending_layer is None
    assert after.layers == (["1-cafe"] if moved else [])
    assert store.silo("a").upper.is_dir()
    assert any((path / "file").exists() for path in (store.silo("a").upper, *store.lower_layers(after)))


def test_a_missing_layer_is_named(store: Store) -> None:
    record = add(store, "a", layers=["1-gone"])
    with pytest.raises(SiloCorrupt, match="1-gone"):
        store.lower_layers(record)


def test_layers_stay_while_a_record_is_unreadable(store: Store) -> None:
    add(store, "a")
    (store.paths.layers / "1-x").mkdir(parents=True)
    store.silo("a").json.write_text("{")
    store.collect_layers()
    assert (store.paths.layers / "1-x").is_dir()


def test_private_bytes(store: Store) -> None:
    add(store, "a")
    before = store.private_bytes("a")
    (store.silo("a").upper / "f").write_bytes(b"x" * 50_000)
    assert store.private_bytes("a") >= before + 50_000
    assert before < 1 << 20
