"""What all tests share: with WINESILO_MUST_WORK set, a test that can't run counts as failed."""

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
