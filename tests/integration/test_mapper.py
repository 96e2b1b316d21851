"""The endpoint mapper over TCP, package rpceptmapper: each silo's own, with clients of every kind."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
from epmapper import MAPPER_PORT, bind, map_endpoint, map_endpoint_tcp, mapper_tcp
from helpers import TemporarySilo, wait_until
from impacket.dcerpc.v5 import epm
from impacket.dcerpc.v5.rpcrt import DCERPCException
from impacket.uuid import uuidtup_to_bin
from wineown import RpcSs, interface

from winesilo.errors import DemoError

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="binds port 135 at the silo's own address")

PATIENCE_S = 30.0
#: [C706] 12.6.4.3: a bind of one context, the mapper's interface with NDR.
BIND = (
    struct.pack("<BBBBIHHI", 5, 0, 11, 3, 0x10, 72, 0, 1)
    + struct.pack("<HHIB3xHBx", 5840, 5840, 0, 1, 0, 1)
    + uuidtup_to_bin(("e1af8308-5d1f-11c9-91a4-08002b14a0fa", "3.0"))
    + uuidtup_to_bin(("8a885d04-1ceb-11c9-9fe8-08002b104860", "2.0"))
)
BIND_ACK = 12
#: EPT_S_CANT_PERFORM_OP, [MS-ERREF] 2.2: Wine's mapper can't list.
CANT_PERFORM = 0x6D8


@pytest.fixture
def endpoints(guest: Callable[[str], Path]) -> Iterator[RpcSs]:
    for name in RpcSs.programs:
        guest(name)
    with contextlib.closing(RpcSs()) as client:
        yield client


@pytest.fixture
def server(silo: TemporarySilo) -> TemporarySilo:
    silo.silo.install("rpceptmapper")
    silo.silo.service("RpcEptMapper").start()
    wait_until(partial(answers, silo), "RpcSs runs")
    return silo


def connect(silo: TemporarySilo) -> socket.socket:
    return socket.create_connection((silo.silo.address, MAPPER_PORT), PATIENCE_S)


def acknowledged(client: socket.socket) -> bool:
    """Whether the answer is the acknowledgement of a bind."""
    with contextlib.suppress(ConnectionResetError), client.makefile("rb") as stream:
        head = stream.read(16)
        if len(head) < 16:
            return False
        (size,) = struct.unpack_from("<H", head, 8)
        return head[2] == BIND_ACK and len(stream.read(size - 16)) == size - 16
    return False


def closed(client: socket.socket) -> bool:
    """Whether the other side closes the connection, without an answer."""
    try:
        return client.recv(1) == b""
    except ConnectionResetError:
        return True


def test_two_silos_at_once(new_silo: Callable[..., TemporarySilo], endpoints: RpcSs) -> None:
    pair = (new_silo(), new_silo())
    for silo in pair:
        endpoints.prepare(silo.silo, lambda _: None)
        assert silo.silo.install("rpceptmapper") == ["RpcEptMapper"]
        silo.silo.restart()
        info = silo.silo.service("RpcEptMapper").info()
        assert (info.type, info.start_type, info.group) == ("share-process", "auto", "COM Infrastructure")
        assert "RpcEptMapper" in silo.silo.service("RpcSs").info().dependencies
        assert info.state == "running"
    for silo in pair:
        endpoints.wait_ready(silo.silo)
    for silo, other in (pair, pair[::-1]):
        own = map_endpoint_tcp(silo.silo.address, interface(silo.name))
        assert own is not None
        assert own == map_endpoint(silo.silo, interface(silo.name)), "the pipe says the same"
        assert map_endpoint_tcp(silo.silo.address, interface(other.name)) is None
        bind(silo.silo.address, own, interface(silo.name))
    one, other = pair
    one.silo.service("RpcEptMapper").stop(with_dependents=True, force=True)
    with pytest.raises(DemoError):
        map_endpoint_tcp(one.silo.address, interface(one.name))
    assert map_endpoint_tcp(other.silo.address, interface(other.name)) is not None


def test_listing_is_answered_by_the_mapper(server: TemporarySilo) -> None:
    with mapper_tcp(server.silo.address) as dce, pytest.raises(DCERPCException) as caught:
        epm.hept_lookup(None, dce=dce)
    assert caught.value.get_error_code() == CANT_PERFORM


def test_octets_one_by_one(server: TemporarySilo) -> None:
    with connect(server) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for octet in BIND:
            client.sendall(bytes([octet]))
        assert acknowledged(client)


@pytest.mark.parametrize(
    "data",
    [
        b"\x04",
        b"\x05\x02",
        b"GET / HTTP/1.0\r\n\r\n",
        BIND[:8] + b"\x0f\0" + BIND[10:],
        BIND[:4] + b"\x20" + BIND[5:],
    ],
    ids=["version", "minor", "other protocol", "too short", "byte order"],
)
def test_what_is_no_pdu_ends_the_connection(server: TemporarySilo, data: bytes) -> None:
    with connect(server) as client:
        client.sendall(data)
        assert closed(client)
    with connect(server) as client:
        client.sendall(BIND)
        assert acknowledged(client)


def test_many_clients_and_those_that_go(server: TemporarySilo) -> None:
    def ask(number: int) -> bool:
        with connect(server) as client:
            if number % 3 == 0:  # goes with half a PDU
                client.sendall(BIND[:40])
                return True
            client.sendall(BIND)
            return number % 3 == 1 or acknowledged(client)  # goes without its answer

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(ask, range(96)))
    with connect(server) as half, connect(server) as other:
        half.sendall(BIND[:40])
        other.sendall(BIND)
        assert acknowledged(other), "one that has not sent all keeps nobody waiting"
        half.sendall(BIND[40:])
        assert acknowledged(half)


def test_stop_with_clients(server: TemporarySilo) -> None:
    service = server.silo.service("RpcEptMapper")
    with connect(server) as idle, connect(server) as half, connect(server) as bound:
        half.sendall(BIND[:40])
        bound.sendall(BIND)
        assert acknowledged(bound)
        assert service.stop().state == "stopped"
        assert all(closed(client) for client in (idle, half, bound))
    with pytest.raises(ConnectionRefusedError):
        connect(server)
    service.start()
    with connect(server) as client:
        client.sendall(BIND)
        assert acknowledged(client)


def test_the_mapper_itself_goes(server: TemporarySilo) -> None:
    rpcss = server.silo.service("RpcSs")
    with connect(server) as client:
        client.sendall(BIND)
        assert acknowledged(client)
        rpcss.stop(with_dependents=True, force=True)
        assert closed(client)
    with connect(server) as client:
        client.sendall(BIND)
        assert closed(client)
    rpcss.start()
    wait_until(partial(answers, server), "it answers again")


def answers(silo: TemporarySilo) -> bool:
    with connect(silo) as client:
        client.sendall(BIND)
        return acknowledged(client)
