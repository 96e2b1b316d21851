"""What all tests share: how many processes run them, and that with WINESILO_MUST_WORK set a test that can't
run counts as failed."""

from __future__ import annotations

import os
from collections.abc import Generator

import pytest

MUST_WORK = os.environ.get("WINESILO_MUST_WORK", "") not in ("", "0")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if MUST_WORK and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, but WINESILO_MUST_WORK is set: {call.excinfo}"
    return report


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """What ``-n auto`` means: at least two, as tests mostly wait; not many, as each makes its own hosts."""
    return min(max(len(os.sched_getaffinity(0)), 2), 4)
