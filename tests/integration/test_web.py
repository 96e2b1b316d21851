"""The IIS package: two silos at once, each serving its own files on port 80, through its own http.sys."""

from __future__ import annotations

import contextlib
import email.utils
import http.client
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from helpers import TemporarySilo, wait_until

from winesilo.errors import ServiceError

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="an ordinary user's silos have another port for 80 at their address"
)

ROOT = r"C:\inetpub\wwwroot"
PARAMETERS = r"HKLM\SYSTEM\CurrentControlSet\Services\W3SVC\Parameters"


def serving(silo: TemporarySilo) -> TemporarySilo:
    assert silo.silo.install("iis") == ["IISADMIN", "HTTPFilter", "W3SVC"]
    for name in ("IISADMIN", "HTTPFilter", "W3SVC"):
        if silo.silo.service(name).info().state != "running":
            silo.silo.service(name).start()
    silo.run("cmd", "/c", rf"echo {silo.name}> {ROOT}\who.txt")
    return silo


@pytest.fixture
def web(silo: TemporarySilo) -> TemporarySilo:
    return serving(silo)


@contextlib.contextmanager
def connection(silo: TemporarySilo) -> Iterator[http.client.HTTPConnection]:
    client = http.client.HTTPConnection(silo.silo.address, 80, timeout=30)
    try:
        yield client
    finally:
        client.close()


Answer = tuple[int, bytes, http.client.HTTPMessage]


def ask(client: http.client.HTTPConnection, path: str, method: str = "GET", **headers: str) -> Answer:
    client.putrequest(method, path, skip_accept_encoding=True)
    for name, value in headers.items():
        client.putheader(name.replace("_", "-"), value)
    client.endheaders()
    response = client.getresponse()
    return response.status, response.read(), response.headers


def serves(silo: TemporarySilo) -> bool:
    """Whether its own file comes back now."""
    try:
        with connection(silo) as client:
            return ask(client, "/who.txt")[1].strip() == silo.name.encode()
    except (OSError, http.client.HTTPException):
        return False


def raw(silo: TemporarySilo, request: bytes) -> bytes:
    """What a server says to exactly these bytes, until it ends the connection."""
    with socket.create_connection((silo.silo.address, 80), 30) as client:
        client.sendall(request)
        client.settimeout(30)
        answer = b""
        while chunk := client.recv(65536):
            answer += chunk
        return answer


def test_two_silos_at_once(new_silo: Callable[..., TemporarySilo]) -> None:
    one, other = serving(new_silo()), serving(new_silo())
    for name, kind, needed in (
        ("IISADMIN", "auto", {"RpcSs", "SamSS"}),
        ("HTTPFilter", "demand", {"HTTP"}),
        ("W3SVC", "auto", {"RpcSs", "HTTPFilter", "IISADMIN"}),
    ):
        info = one.silo.service(name).info()
        assert (info.type, info.start_type, set(info.dependencies)) == ("share-process", kind, needed)
    assert any(process.name == "winedevice.exe" for process in one.silo.ps())
    with connection(one) as first, connection(other) as second:
        for _ in range(20):
            assert ask(first, "/who.txt")[1].strip() == one.name.encode()
            assert ask(second, "/who.txt")[1].strip() == other.name.encode()
        for name in ("W3SVC", "HTTPFilter"):
            one.silo.service(name).stop(with_dependents=True)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((one.silo.address, 80), 10)
        assert ask(second, "/who.txt")[1].strip() == other.name.encode()
    one.silo.stop()
    with connection(other) as client:
        assert ask(client, "/who.txt")[0] == 200


def test_after_a_restart(new_silo: Callable[..., TemporarySilo]) -> None:
    """W3SVC starts by itself with what it needs, its driver included."""
    one = serving(new_silo())
    one.silo.restart()
    for name in ("HTTP", "HTTPFilter", "IISADMIN", "W3SVC"):
        assert one.silo.service(name).info().state == "running"
    with connection(one) as client:
        assert ask(client, "/who.txt")[1].strip() == one.name.encode()


def test_driver(web: TemporarySilo) -> None:
    """http.sys hangs when it is unloaded: it stops nevertheless, and what needs it starts it again."""
    driver = web.silo.service("HTTP")
    with pytest.raises(ServiceError) as caught:
        driver.stop()
    assert caught.value.code == 1051
    driver.stop(with_dependents=True)
    assert driver.info().state == "stopped"
    wait_until(lambda: "winedevice.exe" not in [one.name for one in web.silo.ps()], "its process ends")
    web.silo.service("W3SVC").start()
    assert driver.info().state == "running"
    with connection(web) as client:
        assert ask(client, "/who.txt")[0] == 200


def test_files(web: TemporarySilo, scratch: Path) -> None:
    (scratch / "grüße ü.html").write_text("<h1>hello</h1>", encoding="utf-8")
    (scratch / "digits.bin").write_bytes(b"0123456789")
    (scratch / "empty.txt").write_bytes(b"")
    (scratch / "big.bin").write_bytes(bytes(range(256)) * 2048)
    web.run("cmd", "/c", rf"mkdir {ROOT}\sub {ROOT}\bare")
    for path in scratch.iterdir():
        web.silo.copy_in(path, ROOT)
    web.silo.copy_in(scratch / "digits.bin", rf"{ROOT}\sub\Default.htm")
    with connection(web) as client:
        status, body, headers = ask(client, "/gr%C3%BC%C3%9Fe%20%C3%BC.html?query")
        assert (status, body, headers["Content-Type"]) == (200, b"<h1>hello</h1>", "text/html")
        assert ask(client, "/empty.txt")[:2] == (200, b"")
        assert ask(client, "/big.bin")[1] == (scratch / "big.bin").read_bytes()
        status, body, headers = ask(client, "/big.bin", "HEAD")
        assert (status, body, headers["Content-Length"]) == (200, b"", "524288")
        assert b"It works" in ask(client, "/")[1]
        assert ask(client, "/sub/")[1] == b"0123456789"
        assert ask(client, "/sub")[0] == 301
        assert ask(client, "/bare/")[0] == 403
        assert ask(client, "/missing.txt")[0] == 404
        status, _, headers = ask(client, "/who.txt", "DELETE")
        assert (status, headers["Allow"]) == (405, "GET, HEAD")


def test_changed_files(web: TemporarySilo, scratch: Path) -> None:
    """What is sent is what the file has, also when it was sent before, and its size stays."""
    page, old = scratch / "page.txt", 1_600_000_000
    with connection(web) as client:
        for number, text in enumerate((b"one", b"two", b"two", b"three", b"")):
            page.write_bytes(text)
            os.utime(page, (old + number, old + number))
            web.silo.copy_in(page, ROOT)
            written = email.utils.formatdate(old + number, usegmt=True)
            for _ in range(3):
                status, body, headers = ask(client, "/page.txt")
                assert (status, body, headers["Last-Modified"]) == (200, text, written)
            assert ask(client, "/page.txt", Range="bytes=1-1")[1] in (text[1:2], text)
        for number in range(20):
            web.run("cmd", "/c", rf"echo {number:02}> {ROOT}\now.txt")
            assert ask(client, "/now.txt")[1].strip() == f"{number:02}".encode()
        web.run("cmd", "/c", rf"del {ROOT}\page.txt")
        assert ask(client, "/page.txt")[0] == 404


def test_ranges_and_conditions(web: TemporarySilo, scratch: Path) -> None:
    (scratch / "digits.bin").write_bytes(b"0123456789")
    web.silo.copy_in(scratch / "digits.bin", ROOT)
    with connection(web) as client:
        status, body, headers = ask(client, "/digits.bin", Range="bytes=2-4")
        assert (status, body, headers["Content-Range"]) == (206, b"234", "bytes 2-4/10")
        assert ask(client, "/digits.bin", Range="bytes=-2")[1] == b"89"
        status, _, headers = ask(client, "/digits.bin", Range="bytes=10-")
        assert (status, headers["Content-Range"]) == (416, "bytes */10")
        assert ask(client, "/digits.bin", Range="bytes=0-1,3-4")[:2] == (200, b"0123456789")
        tag, date = headers["ETag"], headers["Last-Modified"]
        assert ask(client, "/digits.bin", If_None_Match=f'"x", {tag}')[:2] == (304, b"")
        assert ask(client, "/digits.bin", If_None_Match='"x"', If_Modified_Since=date)[0] == 200
        assert ask(client, "/digits.bin", If_Modified_Since=date)[0] == 304
        assert ask(client, "/digits.bin", if_modified_since="Thu, 01 Jan 1970 00:00:00 GMT")[0] == 200
        assert ask(client, "/digits.bin", Range="bytes=0-1", If_Range='"x"')[0] == 200
        assert ask(client, "/digits.bin", Range="bytes=0-1", If_Range=tag)[1] == b"01"


@pytest.mark.parametrize(
    "path",
    [
        "/../../windows/win.ini",
        "/%2e%2e/%2e%2e/windows/win.ini",
        "/..%5c..%5cwindows%5cwin.ini",
        "/who.txt::$DATA",
        "/who.txt.",
        "/nul",
        "/c:/windows/win.ini",
    ],
)
def test_nothing_else_is_reached(web: TemporarySilo, path: str) -> None:
    with connection(web) as client:
        assert ask(client, path)[0] == 404


@pytest.mark.parametrize(
    ("request_text", "status"),
    [
        (b"GET /%zz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\n\r\n", b"400"),
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 40000 + b"\r\n\r\n", b"431"),
        (b"GET /who.txt HTTP/1.0\r\n\r\n", b"200"),
        (b"POST /who.txt HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
         b"GET /who.txt HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", b"405"),
    ],
)  # fmt: skip
def test_requests_as_they_come(web: TemporarySilo, request_text: bytes, status: bytes) -> None:
    answer = raw(web, request_text)
    assert answer.startswith(b"HTTP/1.1 " + status), answer
    if b"chunked" in request_text:
        assert answer.endswith(web.name.encode() + b"\r\n")


def test_settings_and_log(web: TemporarySilo, scratch: Path) -> None:
    """IISADMIN has W3SVC read changed settings; the log says who asked for what."""
    web.run("cmd", "/c", r"mkdir C:\elsewhere")
    web.run("cmd", "/c", r"echo moved> C:\elsewhere\who.txt")
    with connection(web) as client:
        assert ask(client, "/who.txt?a=b", User_Agent="a test")[0] == 200
        web.reg_set(PARAMETERS, "Root", r"C:\elsewhere")
        wait_until(lambda: ask(client, "/who.txt")[1].strip() == b"moved", "the new root is served")
        address = client.sock.getsockname()[0]
    web.silo.copy_out(r"C:\windows\system32\LogFiles\W3SVC1", scratch)
    lines = [line for log in sorted(scratch.rglob("ex*.log")) for line in log.read_text().splitlines()]
    assert any(line.startswith("#Fields: date time s-sitename s-ip cs-method") for line in lines)
    (line,) = (line for line in lines if " a=b " in line)
    fields = line.split()
    assert fields[2:3] + fields[4:10] == ["W3SVC1", "GET", "/who.txt", "a=b", "80", "-", address]
    assert fields[10:] == ["a+test", "200", "0", "0"]


def test_killed_process_leaves_the_other_silo_alone(new_silo: Callable[..., TemporarySilo]) -> None:
    one, other = serving(new_silo()), serving(new_silo())
    for process in one.silo.ps():
        if process.name == "winedevice.exe":
            one.run("taskkill", "/f", "/pid", str(process.pid))
    wait_until(lambda: serves(one), "W3SVC is back, with a driver of its own")
    assert one.silo.service("HTTP").info().state == "running"
    assert one.silo.service("W3SVC").info().failures == 1
    with connection(other) as client:
        assert ask(client, "/who.txt")[1].strip() == other.name.encode()


def test_disabled_driver(web: TemporarySilo) -> None:
    """One of the silo's own is no driver of the host's when it is disabled: what needs it can't start."""
    driver, needs = web.silo.service("HTTP"), web.silo.service("HTTPFilter")
    driver.stop(with_dependents=True)
    driver.config(start_type="disabled")
    with pytest.raises(ServiceError) as caught:
        needs.start()
    assert caught.value.code == 1068
    web.silo.restart()
    with pytest.raises(ServiceError) as caught:
        needs.start()
    assert caught.value.code == 1068
