"""The parts of service control that need no Wine: words, failure actions, deadlines."""

from __future__ import annotations

import dataclasses

import pytest

from winesilo.errors import UsageError
from winesilo.rpc.scmextra import Status
from winesilo.services import model
from winesilo.services.session import is_dead, outcome, state_of
from winesilo.services.waiting import DEFAULT_HINT_S, Deadline


def status(**fields: int) -> Status:
    return Status(**{field.name: fields.get(field.name, 0) for field in dataclasses.fields(Status)})


@pytest.mark.parametrize(
    ("text", "action"),
    [
        ("restart:1000", (1, 1000)),
        ("run", (3, 0)),
        ("none:0", (0, 0)),
        ("reboot:4294967295", (2, 4294967295)),
    ],
)
def test_failure_actions(text: str, action: tuple[int, int]) -> None:
    assert model.failure_action(text) == action


@pytest.mark.parametrize("text", ["explode", "", "restart:soon", "restart:-1", "run:4294967296"])
def test_failure_actions_that_make_no_sense(text: str) -> None:
    with pytest.raises(UsageError):
        model.failure_action(text)


def test_only_a_stopped_service_is_dead() -> None:
    assert is_dead(status(state=model.STOPPED, died=1))
    assert state_of(status(state=model.STOPPED, died=1)) == "dead"
    assert state_of(status(state=model.RUNNING, died=1)) == "running"
    assert state_of(status(state=model.STOPPED)) == "stopped"


def test_outcomes_in_words() -> None:
    assert outcome(status(win32_exit_code=1066, service_exit_code=42)) == "service-specific error 42"
    assert outcome(status()) == "without an error code"
    assert "1067" in outcome(status(win32_exit_code=1067))


def test_progress_extends_patience_within_the_limit() -> None:
    now = 0.0
    deadline = Deadline(100.0, clock=lambda: now)
    deadline.observe(status(state=model.START_PENDING, checkpoint=1, wait_hint=1000))
    assert deadline.patience_s == DEFAULT_HINT_S
    now = DEFAULT_HINT_S - 1
    deadline.observe(status(state=model.START_PENDING, checkpoint=2, wait_hint=20_000))
    assert (deadline.hung, deadline.patience_s) == (False, 20.0)
    now += 21
    assert deadline.hung
    now = 95.0
    deadline.observe(status(state=model.START_PENDING, checkpoint=3))
    assert deadline.patience_s == 5.0
