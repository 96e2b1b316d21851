"""Published ports, links between silos, the silo's address as its programs see it."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from guests import Guest, ask, holding
from helpers import Cli, TemporarySilo, wait_until

from winesilo import Host
from winesilo.errors import PublishFailed, SiloNotFound, UsageError

NewSilo = Callable[..., TemporarySilo]
#: Reserved for documentation (RFC 5737), so of no machine.
NOT_HERE = "203.0.113.77"


@pytest.fixture
def pair(new_silo: NewSilo) -> tuple[TemporarySilo, TemporarySilo]:
    return new_silo(), new_silo()


def free_port(kind: int = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as trial:
        trial.bind(("0.0.0.0", 0))
        return int(trial.getsockname()[1])


def greeting(address: str, port: int) -> str:
    with socket.create_connection((address, port), 10) as client:
        return client.recv(100).decode().strip()


@contextlib.contextmanager
def serving(silo: TemporarySilo, guest: Guest, address: str, port: int) -> Iterator[None]:
    with holding(silo, guest, "sockets", "serve", address, str(port), silo.name) as lines:
        assert lines[0] == f"listening {address} {port}"
        yield


@pytest.mark.parametrize("address", ["0.0.0.0", "127.0.0.1", "::"])
def test_published_port(silo: TemporarySilo, guest: Guest, address: str) -> None:
    """Bound at the address of the machine; programs inside go on as if it was not."""
    port = free_port()
    where = f"127.0.0.1:{port}:80/tcp" if address != "::" else f"[::1]:{port}:80/tcp"
    shown = silo.silo.update(publish=[where])
    assert list(shown.publish) == [where]
    assert not shown.ports
    with serving(silo, guest, address, 80):
        assert greeting("::1" if address == "::" else "127.0.0.1", port) == f"hello from {silo.name}"
        loopback = "::1" if address == "::" else "127.0.0.1"
        assert ask(silo, guest, "sockets", "connect", loopback, "80") == [f"connected hello from {silo.name}"]
        bound = {"protocol": "tcp", "port": 80, "host_port": port, "published": True}
        assert [dict(found) for found in silo.silo.info().ports] == [
            {**bound, "address": "::1" if address == "::" else "127.0.0.1"}
        ]
        with pytest.raises(ConnectionRefusedError):
            greeting(silo.silo.address, 80)
    assert not silo.silo.info().ports
    assert not silo.silo.update(unpublish=["80"]).publish
    if address != "::":
        with serving(silo, guest, address, 80):
            assert greeting(silo.silo.address, 80) == f"hello from {silo.name}"


def test_published_everywhere_is_at_the_silos_address_too(silo: TemporarySilo, guest: Guest) -> None:
    port = free_port()
    silo.silo.update(publish=[f"{port}:{port}"])
    with serving(silo, guest, "0.0.0.0", port):
        for address in (silo.silo.address, "127.0.0.1"):
            assert greeting(address, port) == f"hello from {silo.name}"


def test_published_datagrams(silo: TemporarySilo, guest: Guest) -> None:
    port = free_port(socket.SOCK_DGRAM)
    silo.silo.update(publish=[f"127.0.0.1:{port}:5353/udp"])
    with (
        holding(silo, guest, "network", "datagrams", "5353"),
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client,
    ):
        client.settimeout(10)
        client.sendto(b"?", ("127.0.0.1", port))
        assert client.recvfrom(100) == (b"from 127.0.0.1", ("127.0.0.1", port))
        assert ask(silo, guest, "network", "ask", "127.0.0.1", "5353") == ["from 127.0.0.1 at 127.0.0.1 5353"]


def test_a_rule_that_makes_no_sense_is_wrong_usage(cli: Cli) -> None:
    result = cli("create", "never", "--publish", "80")
    assert result.code == 2, result
    assert "127.0.0.1:8080:80" in result.err


def test_publishing_fails_clearly(host: Host, cli: Cli, pair: tuple[TemporarySilo, TemporarySilo]) -> None:
    one, other = pair
    result = cli("create", "never", "--publish", f"{NOT_HERE}:8080:80")
    assert result.code == 1, result
    assert f"{NOT_HERE} is not an address of this machine" in result.err
    with pytest.raises(PublishFailed, match=one.name):
        other.silo.update(publish=[f"{one.silo.address}:8080:80"])
    one.silo.stop()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        one.silo.update(publish=[f"127.0.0.1:{port}:80"])
        with pytest.raises(PublishFailed, match="in use"):
            one.silo.start()
        assert one.silo.info().state == "failed"
    one.silo.start()
    other.silo.stop()
    other.silo.update(publish=[f"127.0.0.1:{port}:81"])
    with pytest.raises(PublishFailed, match=one.name):
        other.silo.start()
    one.silo.stop()
    copy = one.silo.clone(f"{one.name}-copy")
    try:
        assert not copy.info().publish
    finally:
        copy.remove()
    other.silo.start()


def test_a_taken_port_is_an_error_of_bind(silo: TemporarySilo, guest: Guest) -> None:
    silo.silo.copy_in(guest("network"), "C:\\")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        silo.silo.update(publish=[f"127.0.0.1:{taken.getsockname()[1]}:80"])
        assert ask(silo, guest, "network", "bind", "0.0.0.0", "80") == ["refused 10048"]  # WSAEADDRINUSE
        assert ask(silo, guest, "sockets", "connect", "127.0.0.1", "80") == ["refused 10061"]


def test_links(pair: tuple[TemporarySilo, TemporarySilo], guest: Guest) -> None:
    one, other = pair
    address = other.silo.address
    with serving(other, guest, "0.0.0.0", 4457):
        assert ask(one, guest, "sockets", "connect", address, "4457") == ["refused 10061"]
        assert ask(one, guest, "network", "resolve", other.name) == ["unknown"]
        assert list(one.silo.update(link=[other.name]).links) == [other.name]
        assert ask(one, guest, "sockets", "connect", address, "4457") == [
            f"connected hello from {other.name}"
        ]
        assert ask(one, guest, "network", "resolve", other.name) == [f"found {address}"]
        assert ask(one, guest, "network", "bind", address, "4458") == ["refused 10049"]  # WSAEADDRNOTAVAIL
        one.silo.update(unlink=[other.name])
        assert ask(one, guest, "sockets", "connect", address, "4457") == ["refused 10061"]
    one.silo.update(link=[other.name])
    with serving(one, guest, "0.0.0.0", 4457):
        assert ask(other, guest, "sockets", "connect", one.silo.address, "4457") == ["refused 10061"]
    with holding(other, guest, "network", "datagrams", "4459"):
        # the other silo sees who asks, and may answer
        assert ask(one, guest, "network", "ask", address, "4459") == [
            f"from {one.silo.address} at {address} 4459"
        ]


def test_linked_silo_finds_a_published_port(pair: tuple[TemporarySilo, TemporarySilo], guest: Guest) -> None:
    one, other = pair
    one.silo.update(link=[other.name])
    other.silo.update(publish=[f"127.0.0.1:{free_port()}:80"])
    with serving(other, guest, "0.0.0.0", 80):
        expected = [f"connected hello from {other.name}"]
        assert ask(one, guest, "sockets", "connect", other.silo.address, "80") == expected


def test_links_end_with_the_silo(cli: Cli, host: Host, pair: tuple[TemporarySilo, TemporarySilo]) -> None:
    one, other = pair
    assert cli("create", "never", "--link", "nobody").code == 1
    cli.ok("create", "linked", "--link", one.name, "--link", other.name, "--link", one.name)
    try:
        assert cli("inspect", "linked", "--json").json()["links"] == [one.name, other.name]
        cli.ok("rm", "-f", other.name)
        assert cli("inspect", "linked", "--json").json()["links"] == [one.name]
    finally:
        cli.ok("rm", "linked")
    with pytest.raises(UsageError, match="itself"):
        one.silo.update(link=[one.name])
    with pytest.raises(UsageError, match="not linked"):
        one.silo.update(unlink=["nobody"])
    with pytest.raises(SiloNotFound):
        one.silo.update(link=[other.name])


def test_own_addresses(silo: TemporarySilo, guest: Guest) -> None:
    """Interfaces and the machine's own name have the silo's address, and no other of the machine's."""
    address = silo.silo.address
    assert sorted(ask(silo, guest, "network", "addresses")) == [
        "adapter 127.0.0.1",
        f"adapter {address}",
        "interface 127.0.0.1",
        f"interface {address}",
        f"name {address}",
    ]
    assert ask(silo, guest, "network", "resolve", silo.name) == [f"found {address}"]


# -- as an ordinary user ----------------------------------------------------------------------


@contextlib.contextmanager
def running(cli: Cli, *words: str) -> Iterator[str]:
    """A program that prints what it has and then ``ready``; yields the first line."""
    with cli.start("exec", *words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=cli.folder) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield process.stdout.readline().decode().strip()
        finally:
            process.stdin.close()
            process.wait(30)


def for_user(cli: Cli, path: Path) -> Path:
    """A file where the user may read it."""
    if cli.folder is None:
        return path
    copy = cli.folder / path.name
    shutil.copyfile(path, copy)
    copy.chmod(0o644)
    return copy


def test_low_ports_of_an_ordinary_user(user_cli: Cli, guest: Guest) -> None:
    limit = int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text())
    if limit <= 80:
        pytest.skip("ports below 1024 are free for all on this machine")
    user_cli.ok("host", "init", timeout=280)
    user_cli.ok("create", "web")
    try:
        user_cli.ok("start", "web")
        user_cli.ok("cp", str(for_user(user_cli, guest("sockets"))), r"web:C:\sockets.exe")

        def shown() -> dict[str, Any]:
            return dict(user_cli("inspect", "web", "--json").json())

        address = shown()["address"]
        with running(user_cli, "web", "--", r"C:\sockets.exe", "serve", "0.0.0.0", "80", "web") as line:
            assert line == "listening 0.0.0.0 80"
            wait_until(lambda: bool(shown()["ports"]), "the port is shown")
            assert shown()["ports"] == [
                {"protocol": "tcp", "port": 80, "address": address, "host_port": 10080, "published": False}
            ]
            assert f"80/tcp at {address}:10080" in user_cli.ok("inspect", "web")
            assert greeting(address, 10080) == "hello from web"
            inside = user_cli.ok("exec", "web", "--", r"C:\sockets.exe", "connect", "127.0.0.1", "80")
            assert inside.strip() == "connected hello from web"
            again = user_cli("exec", "web", "--", r"C:\sockets.exe", "serve", "0.0.0.0", "80", "twice")
            assert "error 10048" in again.out  # WSAEADDRINUSE
        # its number plus 10000 is taken: any other does
        with (
            socket.create_server((address, 10081)),
            running(user_cli, "web", "--", r"C:\sockets.exe", "serve", "127.0.0.1", "81", "web") as line,
        ):
            assert line == "listening 127.0.0.1 81"
            wait_until(lambda: bool(shown()["ports"]), "the port is shown")
            assert greeting(address, shown()["ports"][0]["host_port"]) == "hello from web"
        refused = user_cli("create", "never", "--publish", "127.0.0.1:79:80")
        assert refused.code == 1
        assert "need root" in refused.err
    finally:
        user_cli.ok("rm", "-f", "web")
