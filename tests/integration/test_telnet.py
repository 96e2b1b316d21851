"""The telnet server package: two silos at once, each its own sessions, on port 23."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from helpers import TemporarySilo, wait_until
from telnet import DO, ECHO, IAC, NAWS, SB, SE, WILL, telnet

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="an ordinary user's silos have another port for 23 at their address"
)

KEY = r"HKLM\SOFTWARE\Microsoft\TelnetServer\1.0"


@pytest.fixture
def pair(new_silo: Callable[..., TemporarySilo]) -> tuple[TemporarySilo, TemporarySilo]:
    silos = (new_silo(), new_silo())
    for silo in silos:
        assert silo.silo.install("tlntsvr") == ["TlntSvr"]
        silo.silo.service("TlntSvr").start()
    return silos


@pytest.fixture
def server(silo: TemporarySilo) -> TemporarySilo:
    silo.silo.install("tlntsvr")
    return silo


def sessions(silo: TemporarySilo) -> int:
    return sum(process.name == "tlntsess.exe" for process in silo.silo.ps())


def test_two_silos_at_once(pair: tuple[TemporarySilo, TemporarySilo]) -> None:
    one, other = pair
    info = one.silo.service("TlntSvr").info()
    assert (info.type, info.start_type) == ("own-process", "demand")
    assert "RpcSs" in info.dependencies
    for silo in pair:
        silo.run("cmd", "/c", f"echo {silo.name}> C:\\who.txt")
    with telnet(one.silo.address) as first, telnet(other.silo.address) as second:
        for client, silo in ((first, one), (second, other)):
            client.until(b"C:\\>")
            client.line("type C:\\who.txt")
            assert f"\r\n{silo.name}\r\n".encode() in client.until(b"C:\\>")
        assert sessions(one) == sessions(other) == 1
        first.line("exit")
        first.rest()
        wait_until(lambda: sessions(one) == 0, "the session has ended")
        second.line("echo still %COMPUTERNAME%")
        second.until(b"\r\nstill ")
        one.silo.service("TlntSvr").stop()
        second.line("echo here")
        second.until(b"\r\nhere\r\n")


def test_started_by_hand(server: TemporarySilo) -> None:
    done = server.silo.run([server.silo.service("TlntSvr").info().binary_path])
    assert done.returncode == 1
    assert "start it with: sc start TlntSvr" in done.stdout


def test_protocol_and_editing(server: TemporarySilo) -> None:
    server.silo.service("TlntSvr").start()
    with telnet(server.silo.address) as client:
        offers = client.until(b"C:\\>")
        assert offers.startswith(bytes([IAC, WILL, ECHO]))
        assert bytes([IAC, DO, NAWS]) in offers
        client.send(bytes([IAC, DO, ECHO, IAC, WILL, NAWS, IAC, SB, NAWS, 0, 132, 0, 43, IAC, SE]))
        client.send(b"echo onx\x7fe\r\0")
        assert client.until(b"\r\none\r\n").startswith(b"echo onx\b \be\r\n")
        client.until(b"C:\\>")
        client.send(b"echo a\xff\xffb\r\n")
        client.until(b"\r\na\xff\xffb\r\n")
        client.send(bytes([IAC, 246]))
        client.until(b"[yes]")
        client.send(b"echo never")
        client.send(b"\x1b")
        client.line("echo again")
        assert b"never\r\n" not in client.until(b"\r\nagain\r\n")


def test_ctrl_c_ends_what_runs(server: TemporarySilo) -> None:
    server.silo.service("TlntSvr").start()
    with telnet(server.silo.address) as client:
        client.until(b"C:\\>")
        client.line("ping -n 1000 127.0.0.1")
        wait_until(lambda: any(p.name == "ping.exe" for p in server.silo.ps()), "ping runs")
        client.send(b"\x03")
        client.until(b"^C\r\n")
        client.until(b"C:\\>")
        assert not any(process.name == "ping.exe" for process in server.silo.ps())
        client.line("echo goes on")
        client.until(b"\r\ngoes on\r\n")


def test_limits_and_stop(server: TemporarySilo) -> None:
    server.run("reg", "add", KEY, "/v", "MaxConnections", "/t", "REG_DWORD", "/d", "1", "/f")
    service = server.silo.service("TlntSvr")
    service.start()
    with telnet(server.silo.address) as client:
        client.until(b"C:\\>")
        client.line("ping -n 1000 127.0.0.1")
        with telnet(server.silo.address) as refused:
            assert b"maximum number of connections" in refused.rest()
        wait_until(lambda: any(p.name == "ping.exe" for p in server.silo.ps()), "ping runs")
        assert service.stop().state == "stopped"
        assert client.rest().endswith(b"The telnet server is stopping.\r\n")
    names = {process.name for process in server.silo.ps()}
    assert not names & {"tlntsvr.exe", "tlntsess.exe", "ping.exe", "cmd.exe"}


def test_idle_session_ends(server: TemporarySilo) -> None:
    server.run("reg", "add", KEY, "/v", "IdleSessionTimeOut", "/t", "REG_DWORD", "/d", "1", "/f")
    server.silo.service("TlntSvr").start()
    with telnet(server.silo.address) as client:
        assert b"idle for too long" in client.rest()
    wait_until(lambda: sessions(server) == 0, "the session has ended")


def test_password(server: TemporarySilo) -> None:
    server.reg_set(KEY, "Password", "let me in")
    server.silo.service("TlntSvr").start()
    with telnet(server.silo.address) as client:
        client.until(b"password: ")
        client.line("wrong")
        assert b"wrong" not in client.until(b"password: ")
        client.line("let me in")
        assert b"let me in" not in client.until(b"C:\\>")
    with telnet(server.silo.address) as client:
        for _ in range(3):
            client.until(b"password: ")
            client.line("wrong")
        assert client.rest().endswith(b"Login failed.\r\n")
