"""The service control manager's protocol beyond what Wine's clients ask: ANSI, notifications, bad handles."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from helpers import TemporarySilo, wait_until
from impacket.dcerpc.v5.rpcrt import DCERPCException
from scmwire import NO_HANDLE, Answer, Request, Wire

Guest = Callable[[str], Path]
ALL = 0xF01FF
SAME = 0xFFFFFFFF
WIN32 = 0x30
OWN, SHARED, DEMAND = 0x10, 0x20, 3
STOPPED, START_PENDING, STOP_PENDING, RUNNING = 1, 2, 3, 4
CREATED, DELETED, DELETE_PENDING = 0x80, 0x100, 0x200


@pytest.fixture
def silo(silo: TemporarySilo, guest: Guest) -> TemporarySilo:
    for program in ("relay", "testsvc"):
        silo.silo.copy_in(guest(program), "C:\\")
    return silo


@pytest.fixture
def wire(silo: TemporarySilo) -> Iterator[Wire]:
    with Wire(silo.silo) as wire:
        yield wire


def open_manager(wire: Wire) -> bytes:
    answer = wire.call(27, Request().maybe_text(None).maybe_text(b"ServicesActive").number(0xF003F))
    assert answer.code == 0
    return answer.handle()


def create(
    wire: Wire,
    manager: bytes,
    name: bytes,
    *,
    opnum: int = 24,
    display: bytes | None = None,
    tag: int | None = None,
    group: bytes | None = None,
    dependencies: bytes | None = None,
) -> Answer:
    """RCreateServiceA; on success its answer is at the service's handle."""
    request = Request().handle(manager).text(name).maybe_text(display)
    request.number(ALL, OWN, DEMAND, 1).text(rb"C:\testsvc.exe normal")
    request.maybe_text(group).maybe_number(tag).maybe_bytes(dependencies)
    answer = wire.call(opnum, request.maybe_text(None).maybe_bytes(None))
    if answer.number():  # where the tag is
        assert answer.number() or answer.code
    return answer


def config(wire: Wire, service: bytes) -> dict[str, object]:
    """RQueryServiceConfigA."""
    answer = wire.call(29, Request().handle(service).number(8192))
    assert answer.code == 0
    names = ("type", "start", "error", "image", "group", "tag", "dependencies", "account", "display")
    found: dict[str, object] = dict(zip(names, answer.numbers(len(names)), strict=True))
    for name in ("image", "group", "dependencies", "account", "display"):
        assert found[name], f"there is no {name}"
        found[name] = answer.text()
    return found


def rows(answer: Answer, status_size: int) -> dict[bytes, tuple[bytes, tuple[int, ...]]]:
    """The list in an answer: name -> display name, status."""
    assert answer.code == 0
    buffer = answer.buffer()
    assert answer.number() == 0, "nothing is left"
    form = struct.Struct(f"<2I{status_size}I")
    found = {}
    for i in range(answer.number()):
        name, display, *status = form.unpack_from(buffer, i * form.size)
        texts = [buffer[at : buffer.index(b"\0", at)] for at in (name, display)]
        found[texts[0]] = (texts[1], tuple(status))
    return found


# -- ANSI ---------------------------------------------------------------------------------------


def test_ansi_creation_and_configuration(silo: TemporarySilo, wire: Wire) -> None:
    """What one call writes the others read, and the silo's own programs see it."""
    page = silo.reg_get(r"HKLM\System\CurrentControlSet\Control\Nls\CodePage", "ACP")
    shown = "Größe".encode("utf-8" if page == "65001" else f"cp{page}")
    manager = open_manager(wire)
    made = create(
        wire, manager, b"AnsiOne", display=shown, group=b"Grp", tag=0, dependencies=b"RpcSs\0+Other\0\0"
    )
    assert made.code == 0
    service = made.handle()
    assert config(wire, service) == {
        "type": OWN, "start": DEMAND, "error": 1, "image": rb"C:\testsvc.exe normal", "group": b"Grp",
        "tag": 1, "dependencies": b"RpcSs/+Other", "account": b"LocalSystem", "display": shown,
    }  # fmt: skip
    info = silo.silo.service("AnsiOne").info()
    assert (info.display_name, list(info.dependencies)) == ("Größe", ["RpcSs", "+Other"])

    small = wire.call(29, Request().handle(service).number(64))
    assert small.code == 122
    assert 64 < int.from_bytes(small.data[-8:-4], "little") < 256

    change = Request().handle(service).number(SHARED, SAME, SAME).maybe_text(rb"C:\testsvc.exe slow")
    change.maybe_text(None).maybe_number(None).maybe_bytes(b"\0\0").maybe_text(None).maybe_bytes(None)
    assert wire.call(23, change.maybe_text(b"Plain")).code == 0
    changed = config(wire, service)
    assert (changed["type"], changed["image"]) == (SHARED, rb"C:\testsvc.exe slow")
    assert (changed["dependencies"], changed["display"]) == (b"", b"Plain")

    again = wire.call(28, Request().handle(manager).text(b"ansione").number(ALL))
    assert again.code == 0
    assert config(wire, again.handle()) == changed
    assert create(wire, manager, b"AnsiOne").code == 1073
    assert create(wire, manager, b"AnsiTwo", display=b"plain").code == 1078
    assert create(wire, manager, b"with/slash").code == 123
    assert wire.call(28, Request().handle(manager).text(b"NoSuch").number(ALL)).code == 1060


def test_tags_are_given_out(silo: TemporarySilo, wire: Wire) -> None:
    """A service that asks for a tag gets one that is new in its group; without a group there is none."""
    manager = open_manager(wire)
    tags = []
    for name in (b"A", b"B", b"C"):
        made = create(wire, manager, name, group=b"Tagged", tag=77)
        assert made.code == 0
        tags.append(config(wire, made.handle())["tag"])
    assert tags == [1, 2, 3]
    assert create(wire, manager, b"D", group=b"Other", tag=0).code == 0
    assert create(wire, manager, b"E", tag=0).code == 87
    assert silo.silo.service("C").info().group == "Tagged"


def test_ansi_service_for_32_bits(wire: Wire) -> None:
    manager = open_manager(wire)
    made = create(wire, manager, b"Ansi32", opnum=44)
    assert made.code == 0
    assert config(wire, made.handle())["image"] == rb"C:\testsvc.exe normal"


def test_ansi_lists(silo: TemporarySilo, wire: Wire) -> None:
    manager = open_manager(wire)
    assert create(wire, manager, b"Below", display=b"What is below", group=b"Grp").code == 0
    made = create(wire, manager, b"Above", dependencies=b"Below\0\0")
    assert made.code == 0
    silo.silo.service("Below").start()

    wide = {info.name.encode(): info.display_name.encode() for info in silo.silo.services()}
    request = Request().handle(manager).number(WIN32, 3, 0x10000).maybe_number(0)
    found = rows(wire.call(26, request), 7)
    assert {name: row[0] for name, row in found.items()} == wide
    assert (found[b"Below"][1][1], found[b"Above"][1][1]) == (RUNNING, STOPPED)

    request = Request().handle(manager).short(0).number(WIN32, 3, 0x10000).maybe_number(None)
    found = rows(wire.call(41, request.maybe_text(b"Grp")), 9)
    assert found.keys() == {b"Below"}
    assert found[b"Below"][0] == b"What is below"
    assert found[b"Below"][1][7] == silo.silo.service("Below").info().pid

    below = wire.service("Below")
    found = rows(wire.call(25, Request().handle(below).number(3, 4096)), 7)
    assert found.keys() == {b"Above"}
    assert rows(wire.call(25, Request().handle(below).number(1, 4096)), 7) == {}

    request = Request().handle(manager).number(WIN32, 3, 16).maybe_number(None)
    small = wire.call(26, request)
    assert small.code == 234
    assert small.buffer() == bytes(16)
    needed = small.number()
    assert small.number() == 0, "no row"
    request = Request().handle(manager).number(WIN32, 3, needed).maybe_number(None)
    assert len(rows(wire.call(26, request), 7)) == len(wide)
    request = Request().handle(manager).short(0).number(WIN32, 3, 64).maybe_number(None)
    assert wire.call(41, request.maybe_text(b"NoGroup")).code == 1060


def test_ansi_names(wire: Wire) -> None:
    manager = open_manager(wire)
    assert create(wire, manager, b"Named", display=b"Its name").code == 0

    def ask(opnum: int, name: bytes, room: int) -> tuple[int, bytes, int]:
        answer = wire.call(opnum, Request().handle(manager).text(name).number(room))
        return answer.code, answer.text(), answer.number()

    assert ask(32, b"named", 100) == (0, b"Its name", 100)
    assert ask(32, b"Named", 9) == (0, b"Its name", 9)
    assert ask(32, b"Named", 8) == (122, b"", 8)
    assert ask(32, b"Named", 0) == (122, b"", 8)
    assert ask(32, b"NoSuch", 100)[:2] == (1060, b"")
    assert ask(33, b"its NAME", 100)[:2] == (0, b"Named")
    assert ask(33, b"Its name", 2) == (122, b"", 5)
    assert ask(33, b"Named", 100)[:2] == (1060, b"")


def test_ansi_levels(silo: TemporarySilo, wire: Wire) -> None:
    manager = open_manager(wire)
    made = create(wire, manager, b"Levels")
    assert made.code == 0
    service = made.handle()

    def change(level: int, request: Request) -> int:
        head = Request().handle(service).number(level, level)
        return wire.call(36, head.number(1).raw(request.data, 4)).code

    def query(level: int, size: int = 1024) -> tuple[int, bytes, int]:
        answer = wire.call(38, Request().handle(service).number(level, size))
        return answer.code, answer.buffer(), answer.number()

    assert query(1)[1][:4] == bytes(4), "no description"
    assert change(1, Request().maybe_text(b"A sentence")) == 0
    code, buffer, needed = query(1)
    assert (code, needed) == (0, 4 + len(b"A sentence\0"))
    assert buffer[:needed] == struct.pack("<I", 4) + b"A sentence\0"
    assert query(1, 8)[::2] == (122, needed)

    actions = Request().number(60, 1, 1, 2, 1).text(b"rebooting").text(b"cmd /c exit").number(2, 1, 50, 3, 0)
    assert change(2, actions) == 0
    code, buffer, needed = query(2)
    reset, message, command, count, first = struct.unpack_from("<5I", buffer)
    assert (code, reset, count) == (0, 60, 2)
    assert struct.unpack_from("<4I", buffer, first) == (1, 50, 3, 0)
    assert buffer[message:].startswith(b"rebooting\0")
    assert buffer[command:needed] == b"cmd /c exit\0"
    info = silo.silo.service("Levels").info()
    assert (list(info.failure_actions), info.failure_command) == (["restart:50", "run:0"], "cmd /c exit")

    privileges = b"SeTcbPrivilege\0SeDebugPrivilege\0\0"
    assert change(6, Request().number(len(privileges), 1, len(privileges)).raw(privileges)) == 0
    code, buffer, needed = query(6)
    assert (code, buffer[4:needed]) == (0, privileges)
    assert change(3, Request().number(1)) == 0
    assert query(3)[1][:4] == struct.pack("<I", 1)
    assert change(3, Request().number(2)) == 87
    assert query(99)[0] == 124


def test_ansi_start_and_control(silo: TemporarySilo, wire: Wire) -> None:
    manager = open_manager(wire)
    made = create(wire, manager, b"Runs")
    assert made.code == 0
    service = made.handle()
    assert wire.call(31, Request().handle(service).texts([b"one", b"two words"])).code == 0
    arguments = silo.run("cmd", "/c", r"type C:\testsvc-Runs.txt")
    assert arguments.split("\n")[:3] == ["Runs", "one", "two words"]
    assert wire.call(31, Request().handle(service).texts([])).code == 1056

    def control(opnum: int, code: int, level: int = 1) -> Answer:
        request = Request().handle(service).number(code, level, level, 1, 0x40010001, 1)
        return wire.call(opnum, request.text(b"why") if opnum == 50 else request.wide("why"))

    for opnum in (50, 51):
        answer = control(opnum, 4)
        assert answer.code == 0
        level, status = answer.numbers(2)
        assert (level, bool(status)) == (1, True)
        assert answer.numbers(2) == (OWN, RUNNING)
        assert control(opnum, 2).code == 1052
        assert control(opnum, 4, 2).code == 124
    assert control(50, 1).code == 0
    locked = wire.call(30, Request().handle(manager).number(512))
    assert (locked.code, locked.number()) == (0, 0)


# -- notifications ------------------------------------------------------------------------------


def subscribe(wire: Wire, handle: bytes, mask: int, *, level: int = 2) -> Answer:
    """RNotifyServiceStatusChange; on success its answer is at the notification's handle."""
    request = Request().handle(handle).number(level, level, 1).raw(bytes(8), 8)
    request.number(mask).raw(bytes(32)).number(*[0] * 9, 0, 0)
    if level == 2:
        request.number(0, 0)
    answer = wire.call(47, request.raw(bytes(16), 4))
    answer.raw(16, 4)
    answer.number()
    return answer


def notification(answer: Answer) -> tuple[int, int, str | None]:
    """RGetNotifyResults' answer: what was triggered, the service's state, a service's name."""
    assert answer.code == 0
    assert answer.number(), "there is a list"
    most, count, level, arm, parameters = answer.numbers(5)
    assert (most, count, level == arm, bool(parameters)) == (1, 1, True, True)
    answer.raw(8, 8)
    answer.number()
    answer.raw(32)
    state = answer.numbers(9)[1]
    result, _ = answer.numbers(2)
    assert result == 0
    if level == 1:
        return 0, state, None
    triggered, name = answer.numbers(2)
    return triggered, state, answer.wide() if name else None


def results(wire: Wire, notify: bytes) -> tuple[int, int, str | None]:
    return notification(wire.call(48, Request().handle(notify)))


@pytest.mark.parametrize("level", [1, 2])
def test_a_service_tells_of_its_states(silo: TemporarySilo, wire: Wire, level: int) -> None:
    service = silo.silo.create_service("Told", r"C:\testsvc.exe normal")
    handle = wire.service("Told")
    seen: list[tuple[int, int, str | None]] = []
    for mask in (0x7F, 1 << RUNNING - 1):
        notify = subscribe(wire, handle, mask, level=level)
        assert notify.code == 0
        if seen:  # the first one has been told at once
            assert subscribe(wire, handle, mask, level=level).code == 1242
        wire.send(48, Request().handle(notify.handle()))
        if seen:
            service.start()
        seen.append(notification(wire.answer()))
    expected = [(1 << state - 1 if level == 2 else 0, state, None) for state in (STOPPED, RUNNING)]
    assert seen == expected
    notify = subscribe(wire, handle, DELETE_PENDING, level=level)
    service.stop()
    service.delete()
    assert results(wire, notify.handle())[1] == STOPPED


def test_the_manager_tells_of_services_that_come_and_go(silo: TemporarySilo, wire: Wire) -> None:
    manager, other = wire.manager(), wire.manager()
    notify = subscribe(wire, manager, CREATED | DELETED)
    assert notify.code == 0
    assert subscribe(wire, manager, CREATED).code == 1242
    wire.send(48, Request().handle(notify.handle()))
    silo.silo.create_service("Comes", r"C:\testsvc.exe normal")
    assert notification(wire.answer()) == (CREATED, 0, "/Comes")

    # what comes between two notifications is not lost, and each service is told of once
    silo.silo.create_service("Later", r"C:\testsvc.exe normal")
    silo.silo.service("Comes").delete()
    assert results(wire, subscribe(wire, manager, CREATED | DELETED).handle()) == (CREATED, 0, "/Later")
    assert results(wire, subscribe(wire, manager, CREATED | DELETED).handle()) == (DELETED, 0, "Comes")

    # a handle is told of what it asks for, from when it asks
    wire.send(48, Request().handle(subscribe(wire, other, DELETED).handle()))
    silo.silo.create_service("Third", r"C:\testsvc.exe normal")
    silo.silo.service("Later").delete()
    assert notification(wire.answer()) == (DELETED, 0, "Later")
    assert results(wire, subscribe(wire, manager, DELETED).handle()) == (DELETED, 0, "Later")


def test_a_notification_that_is_given_up(silo: TemporarySilo, guest: Guest) -> None:
    """Closing it, or the handle, or the connection, ends the wait for it; the next client is told."""
    with Wire(silo.silo) as wire:
        manager = wire.manager()
        notify = subscribe(wire, manager, CREATED).handle()
        closed = wire.call(49, Request().handle(notify))
        assert (closed.handle(), closed.number(), closed.code) == (NO_HANDLE, 0, 0)
        notify = subscribe(wire, manager, CREATED).handle()
        assert wire.close(manager) == 0
        assert wire.call(48, Request().handle(notify)).code == 1235
        wire.send(48, Request().handle(subscribe(wire, wire.manager(), CREATED).handle()))
    with Wire(silo.silo) as wire:
        notify = subscribe(wire, wire.manager(), CREATED).handle()
        silo.silo.create_service("Made", r"C:\testsvc.exe normal")
        assert results(wire, notify) == (CREATED, 0, "/Made")


def test_a_client_that_lags(wire: Wire) -> None:
    """What it is not told of is not kept without end; it has to begin anew then."""
    manager, watcher = open_manager(wire), wire.manager()
    notify = subscribe(wire, watcher, CREATED | DELETED).handle()
    assert wire.call(49, Request().handle(notify)).code == 0
    for _ in range(513):  # 1024 events are kept
        made = create(wire, manager, b"Again")
        assert made.code == 0
        service = made.handle()
        assert wire.call(2, Request().handle(service)).code == 0
        assert wire.close(service) == 0
    assert subscribe(wire, watcher, CREATED | DELETED).code == 1294
    assert wire.close(watcher) == 0
    assert subscribe(wire, wire.manager(), CREATED | DELETED).code == 0


def test_notifications_that_make_no_sense(wire: Wire, silo: TemporarySilo) -> None:
    silo.silo.create_service("Plain", r"C:\testsvc.exe normal")
    manager, service = wire.manager(), wire.service("Plain")
    assert subscribe(wire, manager, 1).code == 87, "a state"
    assert subscribe(wire, service, CREATED).code == 87
    assert subscribe(wire, service, 0x80000000).code == 87
    assert subscribe(wire, manager, CREATED, level=1).code == 124, "a form without names"
    assert subscribe(wire, wire.manager(1), CREATED).code == 5
    assert subscribe(wire, wire.service("Plain", 0x10), 1).code == 5


# -- handles that are none, or of another kind --------------------------------------------------


def refusal(wire: Wire, opnum: int, request: Request) -> int:
    """The error of a call that must fail; 6 also where the stub refuses the handle by itself."""
    try:
        return wire.call(opnum, request).code
    except DCERPCException:
        return 6


def test_handles_of_another_kind(wire: Wire, silo: TemporarySilo) -> None:
    """They are refused, and nothing becomes of them or of the manager."""
    silo.silo.create_service("Plain", r"C:\testsvc.exe normal")
    manager, service = wire.manager(), wire.service("Plain")
    notify = subscribe(wire, manager, CREATED).handle()
    locked = wire.call(3, Request().handle(manager)).handle()
    kinds = {"manager": manager, "service": service, "notify": notify, "lock": locked}
    calls = {
        0: ({"manager", "service"}, b""),
        6: ({"service"}, b""),
        8: ({"lock"}, b""),
        13: ({"service"}, Request().number(3, 64).data),
        26: ({"manager"}, Request().number(WIN32, 3, 64, 0).data),
        48: ({"notify"}, b""),
        49: ({"notify"}, b""),
    }
    for opnum, (right, rest) in calls.items():
        for kind, handle in {**kinds, "none": NO_HANDLE, "unknown": b"\0" * 4 + b"x" * 16}.items():
            if kind not in right:
                code = refusal(wire, opnum, Request().handle(handle).raw(rest))
                assert code in (6, 1071), (opnum, kind, code)
    wire.send(48, Request().handle(notify))
    silo.silo.create_service("Seen", r"C:\testsvc.exe normal")
    assert notification(wire.answer()) == (CREATED, 0, "/Seen")
    assert wire.call(6, Request().handle(service)).code == 0
    assert wire.call(8, Request().handle(locked)).code == 0
    assert (wire.close(service), wire.close(manager)) == (0, 0)


# -- names and control codes that the SCM itself must refuse ------------------------------------


def test_names_that_are_too_long(wire: Wire) -> None:
    manager = open_manager(wire)
    longest = create(wire, manager, b"n" * 256, display=b"d" * 256)
    assert longest.code == 0
    assert wire.call(2, Request().handle(longest.handle())).code == 0
    assert create(wire, manager, b"m" * 257).code == 123
    assert create(wire, manager, b"").code == 123
    assert create(wire, manager, b"Short", display=b"d" * 257).code == 123
    assert wire.call(28, Request().handle(manager).text(b"m" * 257).number(ALL)).code == 123


@pytest.mark.parametrize("code", [0, 5, 11, 127, 256, 0x80000001])
def test_controls_that_nobody_may_send(wire: Wire, silo: TemporarySilo, code: int) -> None:
    silo.silo.create_service("Plain", r"C:\testsvc.exe normal").start()
    assert wire.call(1, Request().handle(wire.service("Plain")).number(code)).code == 87


@pytest.mark.parametrize(
    ("mode", "state", "expected"),
    [
        ("normal", RUNNING, {2: 1052, 3: 1052, 6: 1052, 7: 1052, 4: 0, 200: 0}),
        ("hangs", START_PENDING, {2: 1061, 4: 1061, 200: 1061, 1: 1052}),
        ("lingers", STOP_PENDING, {1: 1061, 2: 1061, 4: 1061, 200: 1061}),
    ],
)
def test_controls_that_a_service_does_not_take(
    wire: Wire, silo: TemporarySilo, mode: str, state: int, expected: dict[int, int]
) -> None:
    """[MS-SCMR] 3.1.4.2: 1052 for one that it has not said it takes, 1061 for a wrong time."""
    silo.silo.create_service("Plain", rf"C:\testsvc.exe {mode}")
    service = wire.service("Plain")
    assert wire.call(1, Request().handle(service).number(4)).code == 1062, "it does not run"
    assert wire.call(19, Request().handle(service).number(0, 0)).code == 0
    wanted = RUNNING if mode == "lingers" else state

    def now() -> int:
        return wire.call(6, Request().handle(service)).numbers(2)[1]

    wait_until(lambda: now() == wanted, "it has started")
    if mode == "lingers":
        assert wire.call(1, Request().handle(service).number(1)).code == 0
    assert now() == state
    for code, error in expected.items():
        assert wire.call(1, Request().handle(service).number(code)).code == error, code
