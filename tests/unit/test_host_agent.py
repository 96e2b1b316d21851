"""The agent's frame protocol, against a fake agent."""

from __future__ import annotations

import os
import struct
import threading
from collections.abc import Callable, Iterator

import pytest

from winesilo.errors import AgentError, AgentGone
from winesilo.host.agent import Agent, Op, parse_processes

Handler = Callable[[int, bytes], tuple[int, bytes] | None]


class FakeAgent:
    def __init__(self, handler: Handler) -> None:
        self.requests, client_write = os.pipe()
        client_read, self.replies = os.pipe()
        self.handler = handler
        self.gone = threading.Event()
        self.agent = Agent(client_write, client_read, self.gone.set)
        self.thread = threading.Thread(target=self.run, daemon=True)

    def send(self, tag: int, status: int, payload: bytes) -> None:
        os.write(self.replies, struct.pack("<III", 8 + len(payload), tag, status) + payload)

    def run(self) -> None:
        self.send(0, 0, struct.pack("<II", 1, 3))
        with os.fdopen(self.requests, "rb") as stream:
            while head := stream.read(4):
                body = stream.read(struct.unpack("<I", head)[0])
                tag, op = struct.unpack_from("<II", body)
                answer = self.handler(op, body[8:])
                if answer is None:
                    break
                self.send(tag, *answer)
        os.close(self.replies)


@pytest.fixture
def make() -> Iterator[Callable[[Handler], FakeAgent]]:
    made: list[FakeAgent] = []

    def start(handler: Handler) -> FakeAgent:
        fake = FakeAgent(handler)
        made.append(fake)
        fake.thread.start()
        fake.agent.wait_hello(5)
        return fake

    yield start
    for fake in made:
        fake.agent.close()
        fake.thread.join(5)
        fake.gone.wait(5)


def test_calls_and_errors(make: Callable[[Handler], FakeAgent]) -> None:
    seen: list[tuple[int, bytes]] = []

    def handler(op: int, payload: bytes) -> tuple[int, bytes]:
        seen.append((op, payload))
        return (0xC0000034, b"") if op == Op.HIVE_LOAD else (0, struct.pack("<I", 9))

    fake = make(handler)
    assert fake.agent.session_id == 3
    assert fake.agent.pipe_open(r"winesilo\7\svcctl", 100) == 9
    with pytest.raises(AgentError, match="HIVE_LOAD") as caught:
        fake.agent.hive_load(7, "/ä")
    assert caught.value.status == 0xC0000034
    assert seen == [
        (Op.PIPE_OPEN, struct.pack("<I", 100) + b"winesilo\\7\\svcctl\0"),
        (Op.HIVE_LOAD, struct.pack("<I", 7) + "/ä".encode() + b"\0"),
    ]


def test_many_threads_get_their_own_replies(make: Callable[[Handler], FakeAgent]) -> None:
    fake = make(lambda op, payload: (0, payload[4:][::-1]))
    wrong: list[bytes] = []

    def work(number: int) -> None:
        for step in range(50):
            data = f"{number}-{step}".encode()
            if fake.agent.pipe_write_read(1, data) != data[::-1]:
                wrong.append(data)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert wrong == []


def test_the_agents_end_fails_pending_calls(make: Callable[[Handler], FakeAgent]) -> None:
    fake = make(lambda op, payload: None)
    with pytest.raises(AgentGone):
        fake.agent.silo_open(1)
    assert fake.gone.wait(5)
    assert not fake.agent.alive
    with pytest.raises(AgentGone):
        fake.agent.silo_open(1)


def test_a_silent_agent_is_reported() -> None:
    fake = FakeAgent(lambda op, payload: None)
    with pytest.raises(AgentError, match="did not answer"):
        fake.agent.wait_hello(0.05)
    fake.thread.start()
    fake.agent.close()
    fake.thread.join(5)
    assert fake.gone.wait(5)


def test_process_lists() -> None:
    row = struct.pack("<IIIQQQ", 8, 4, 2, 132, 77, 4096)
    rows = parse_processes(row + b"services.exe\0" + row + b"b.exe\0")
    assert [(r.pid, r.name, r.cpu_100ns) for r in rows] == [(8, "services.exe", 77), (8, "b.exe", 77)]
    for cut in (row[:10], row + b"no end"):
        with pytest.raises(AgentError, match="cut off"):
            parse_processes(cut)
