"""Messages, parameters and the client without a daemon."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from winesilo.daemon import client as client_module
from winesilo.daemon.client import Client, start_daemon
from winesilo.daemon.methods import METHODS
from winesilo.daemon.params import Params
from winesilo.daemon.protocol import Channel, address_of
from winesilo.errors import (
    BaseDamaged,
    DaemonError,
    HostNotInitialised,
    HostNotRunning,
    ProtocolError,
    SiloNotFound,
    SiloNotRunning,
    SiloRunning,
    UsageError,
    to_wire,
)
from winesilo.host.base import FORMAT, init_host
from winesilo.vm.store import Store, new_record


def pair() -> tuple[Channel, Channel]:
    left, right = socket.socketpair()
    return Channel(left), Channel(right)


def test_messages_and_descriptors_cross() -> None:
    left, right = pair()
    read, write = os.pipe()
    left.send({"progress": {"text": "x", "done": None}})
    left.send({"result": "é" * 100_00}, [write])
    os.close(write)
    assert right.receive() == {"progress": {"text": "x", "done": None}}
    assert right.receive() == {"result": "é" * 100_00}
    (received,) = right.take_fds()
    os.write(received, b"hello")
    os.close(received)
    assert os.read(read, 10) == b"hello"
    os.close(read)
    left.close()
    assert right.receive() is None
    right.close()


@pytest.mark.parametrize("data", [b"nonsense\n", b"[1]\n", b"\xff\n"])
def test_malformed_messages(data: bytes) -> None:
    left, right = pair()
    left.socket.sendall(data)
    with pytest.raises(ProtocolError):
        right.receive()
    left.close()
    right.close()


def test_long_socket_paths(tmp_path: Path) -> None:
    folder = tmp_path / ("d" * 100)
    folder.mkdir()
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as connection:
        with address_of(folder / "control.sock") as address:
            listener.bind(address)
        listener.listen()
        with address_of(folder / "control.sock") as address:
            connection.connect(address)


def test_params() -> None:
    params = Params({"a": "x", "n": 3, "t": 1.5, "l": ["a"], "m": {"k": "v"}, "f": True, "none": None})
    assert params.text("a") == "x"
    assert params.optional_text("none") is None
    assert params.integer("n", 1) == 3
    assert params.integer("q", 1) == 1
    assert params.seconds("t", 9) == 1.5
    assert params.seconds("q", 9) == 9
    assert params.texts("l") == ["a"]
    assert params.variables("m") == {"k": "v"}
    assert params.flag("f")
    assert not params.flag("q")
    assert params.rest("a", "n", "t", "l", "m") == {"f": True}
    wrong: list[Callable[[], object]] = [
        lambda: params.text("q"),
        lambda: params.text("n"),
        lambda: params.integer("f", 1),
        lambda: params.seconds("a", 1),
        lambda: params.flag("n"),
        lambda: params.texts("a"),
        lambda: params.texts("m"),
        lambda: Params({"l": [1]}).texts("l"),
        lambda: Params({"m": {"k": 1}}).variables("m"),
        lambda: Params({"t": -1}).seconds("t", 1),
    ]
    for call in wrong:
        with pytest.raises(UsageError):
            call()


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Client:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    (tmp_path / "run").mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    client = Client("h")
    client.paths.data.mkdir(parents=True)
    info = {"format": FORMAT, "wine": "wine-8.0", "loader": "/w", "created": "now", "links": []}
    client.paths.host_json.write_text(json.dumps(info))
    return client


def test_nothing_initialised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    for method in ("silo.ls", "silo.create", "host.status"):
        with pytest.raises(HostNotInitialised) as caught:
            Client("h").call(method, {"name": "a"})
        assert "silo host init" in (caught.value.hint or "")
    with pytest.raises(HostNotInitialised):
        start_daemon("h")


def test_a_damaged_record_of_the_host(offline: Client) -> None:
    for text in ("", "{}", '{"format": 9, "wine": "", "loader": "", "created": "", "links": []}'):
        offline.paths.host_json.write_text(text)
        with pytest.raises(BaseDamaged) as caught:
            offline.call("silo.ls")
        assert caught.value.details["path"] == str(offline.paths.host_json)


@pytest.mark.parametrize(("number", "age"), [(1, "an earlier"), (FORMAT + 1, "a later")])
def test_a_host_of_another_format(offline: Client, number: int, age: str) -> None:
    """Its silos would start, and see nothing of the base's registry."""
    record = json.loads(offline.paths.host_json.read_text())
    offline.paths.host_json.write_text(json.dumps({**record, "format": number}))
    for call in (lambda: offline.call("silo.ls"), lambda: start_daemon("h"), lambda: init_host("h")):
        with pytest.raises(
            BaseDamaged, match=f"made by {age} winesilo.* format {number}, not {FORMAT}"
        ) as caught:
            call()
        assert "silo host init" in (caught.value.hint or "")


def test_answers_without_a_daemon(offline: Client) -> None:
    store = Store(offline.paths)
    store.create(new_record("a", 1, "127.1.0.1", None, []), b"hive")
    (store.silo("a").log / "services.log").write_text("one\ntwo\n")
    assert not offline.running()
    assert [silo["name"] for silo in offline.call("silo.ls")] == ["a"]
    assert offline.call("silo.inspect", {"name": "a"})["state"] == "stopped"
    assert offline.call("host.status")["running"] is False
    (line,) = offline.call("silo.logs", {"name": "a", "lines": 1})
    assert line == {"time": None, "services": [], "text": "two"}
    assert offline.call("silo.events", {"name": "a"}) == []
    for method in ("silo.stop", "silo.ps", "silo.exec", "service.ls"):
        with pytest.raises(SiloNotRunning):
            offline.call(method, {"name": "a"})
        with pytest.raises(SiloNotFound):
            offline.call(method, {"name": "b"})
    with pytest.raises(HostNotRunning):
        offline.call("host.stop")


def serve_once(client: Client, *replies: bytes) -> threading.Thread:
    client.paths.make_runtime()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(client.paths.socket))
    listener.listen()

    def run() -> None:
        with listener:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                for reply in replies:
                    connection.sendall(reply)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_errors_arrive_as_the_same_class(offline: Client) -> None:
    error = to_wire(SiloRunning("it runs", "stop it", name="a"))
    progress = b'{"progress": {"text": "one", "done": 0.5}}\n'
    thread = serve_once(offline, progress, json.dumps({"error": error}).encode() + b"\n")
    seen: list[tuple[str, float | None]] = []
    with pytest.raises(SiloRunning, match="it runs") as caught:
        offline.call("silo.start", {"name": "a"}, lambda text, done: seen.append((text, done)))
    thread.join(5)
    assert caught.value.details == {"name": "a"}
    assert seen == [("one", 0.5)]


def test_a_daemon_that_ends_in_between(offline: Client) -> None:
    thread = serve_once(offline)
    with pytest.raises(DaemonError, match="ended before"):
        offline.call("silo.start", {"name": "a"})
    thread.join(5)


def test_methods_that_start_the_daemon_exist() -> None:
    assert set(METHODS) >= client_module.STARTING
