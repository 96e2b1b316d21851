"""Reading what Wine's tests write, and judging which side does worse."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest
from compare import MAX_REPORTED, Verdict, fewer_tests, judge, lines_wanted, worse_than
from winetest import Outcome, Unit, list_units, read_outcome, stopped

OK = Outcome("ok", executed=100, failures=0, todo=0, skipped=0, exit_code=0, seconds=1.0)
CRASH = dataclasses.replace(OK, status="crash", executed=0)
TIMEOUT = dataclasses.replace(OK, status="timeout", executed=0)


def reaching(*lines: str, executed: int = 100) -> Outcome:
    return dataclasses.replace(OK, executed=executed, reached=frozenset(lines))


def failing(count: int, executed: int = 100) -> Outcome:
    return dataclasses.replace(OK, status="fail", failures=count, executed=executed)


def summary(pid: str, unit: str, executed: int, failures: int, todo: int = 0) -> str:
    word = "failure" if failures == 1 else "failures"
    counts = f"({todo} marked as todo, 0 as flaky, {failures} {word})"
    return f"{pid}:{unit}:1.234 {executed} tests executed {counts}, 3 skipped.\r\n"


def test_reads_a_good_run() -> None:
    outcome = read_outcome(summary("0284", "service", 117, 0, todo=2), "service", 0, 1.5)
    assert outcome == Outcome("ok", 117, 0, 2, 3, 0, 1.5)


def test_reads_the_words_of_older_programs() -> None:
    text = "0284:service: 117 tests executed (2 marked as todo, 1 failure), 0 skipped.\n"
    assert read_outcome(text, "service", 1, 0).failures == 1


def test_reads_failures_and_where_they_are() -> None:
    text = (
        "om.c:384:0.010 Test failed: got 0\r\nom.c:384:0.011 Test failed: got 1\r\n"
        "om.c:9:0.012 Test failed: some context: x\n" + summary("0284", "om", 50, 3)
    )
    outcome = read_outcome(text, "om", 3, 0)
    assert (outcome.status, outcome.failures) == ("fail", 3)
    assert outcome.places == ("om.c:384 (2 times)", "om.c:9")


def test_success_where_wine_expects_a_failure_is_none() -> None:
    text = "a.c:1:0.1 Test succeeded inside todo block: x\n" + summary("0284", "a", 10, 1)
    outcome = read_outcome(text, "a", 1, 0)
    assert (outcome.status, outcome.failures) == ("ok", 0)


def test_the_unit_is_told_from_programs_that_it_starts() -> None:
    text = (
        summary("0300", "process", 5, 0) + summary("0284", "process", 90, 0) + summary("0310", "other", 7, 0)
    )
    assert read_outcome(text, "process", 0, 0).executed == 90


def test_failures_of_started_programs_count() -> None:
    text = "p.c:7:0.1 Test failed: child\n" + summary("0300", "p", 5, 1) + summary("0284", "p", 90, 0)
    assert read_outcome(text, "p", 0, 0).failures == 1


def test_more_failures_than_an_exit_code_holds() -> None:
    assert read_outcome(summary("0284", "sock", 9000, 400), "sock", 255, 0).failures == 400


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", 1),
        ("e.c:12:0.1 Test failed: x\n", 5),
        (summary("0284", "e", 10, 0), 3),  # the exit code says otherwise
        (summary("0284", "e", 10, 0) + "0284:e:0.2 unhandled exception c0000005 at 0123\n", 0),
    ],
)
def test_a_crash_is_seen(text: str, code: int) -> None:
    outcome = read_outcome(text, "e", code, 0)
    assert outcome.status == "crash"
    assert outcome.dead
    assert outcome.executed == 0


def test_reads_which_checks_were_made() -> None:
    text = (
        "a.c:1:0.1 Test succeeded\r\na.c:1:0.1 Test succeeded\r\na.c:2:0.1 Test marked todo: x\r\n"
        "a.c:3:0.1 Tests skipped: x\r\n" + summary("0284", "a", 3, 0, todo=1)
    )
    assert read_outcome(text, "a", 0, 0).reached == frozenset({"a.c:1", "a.c:2"})
    assert read_outcome(summary("0284", "a", 3, 0), "a", 0, 0).reached is None


def test_an_ended_unit_keeps_what_it_said() -> None:
    outcome = stopped("c.c:5:0.1 Test failed: x\nc.c:99:0.2 tracing\n", "timeout", 120.0)
    assert (outcome.status, outcome.failures) == ("timeout", 1)
    assert outcome.places == ("c.c:5", "last heard of at c.c:99")


def test_lists_units() -> None:
    assert list_units("Valid test names:\r\n    file\r\n    process\r\n") == ["file", "process"]


@pytest.mark.parametrize(
    ("silo", "host", "reason"),
    [
        (OK, [OK], None),
        (failing(2), [OK], "2 more failures"),
        (failing(2), [OK, failing(3)], None),
        (failing(0, executed=99), [OK], "1 fewer tests"),
        (failing(0, executed=99), [OK, failing(0, executed=90)], None),
        (CRASH, [OK], "crash"),
        (CRASH, [OK, CRASH], None),
        (CRASH, [TIMEOUT], None),
        (TIMEOUT, [CRASH], "timeout"),
        (dataclasses.replace(CRASH, failures=2), [CRASH], "2 more failures"),
        (reaching("a", "b", executed=90), [reaching("a", "b")], None),  # only repeats some less often
        (reaching("a"), [reaching("a", "b", "c"), reaching("a", "b")], "1 checks not made: b"),
        (failing(50), [CRASH], None),  # it came to its end, the host did not
    ],
)
def test_worse_than_the_worst_run_of_the_host(silo: Outcome, host: list[Outcome], reason: str | None) -> None:
    assert worse_than(silo, host) == reason


@pytest.mark.parametrize(
    ("bad", "verdict"),
    [
        ("-", Verdict.SAME),
        ("x", Verdict.UNDECIDED),
        ("xx", Verdict.UNDECIDED),
        ("xxx", Verdict.WORSE),
        ("xx-", Verdict.UNDECIDED),
        ("xx-x", Verdict.UNDECIDED),
        ("x--x-x", Verdict.FLAKY),
        ("xx-x-x", Verdict.WORSE),
    ],
)
def test_repeated_runs_decide(bad: str, verdict: Verdict) -> None:
    silo = [failing(1) if mark == "x" else OK for mark in bad]
    assert judge([OK] * len(bad), silo) is verdict


def test_a_host_that_fails_as_well_makes_a_unit_flaky() -> None:
    assert judge([OK, failing(1)], [failing(1), OK]) is Verdict.FLAKY


def test_fewer_checks_are_looked_at_line_by_line() -> None:
    host, shorter, less = reaching("a", "b"), reaching("a", "b", executed=90), reaching("a", executed=90)
    first = dataclasses.replace(OK, executed=90)
    assert judge([OK], [first]) is Verdict.UNDECIDED
    assert judge([OK, host, host], [first, shorter, shorter]) is Verdict.UNDECIDED
    assert judge([OK, *[host] * 3], [first, *[shorter] * 3]) is Verdict.SHORTER
    assert judge([OK, *[host] * 3], [first, *[less] * 3]) is Verdict.WORSE


def test_once_lines_are_asked_for_they_are() -> None:
    """Also if a run that wrote them had as many checks as the host's."""
    host, silo = reaching("a", "b"), reaching("a", "b")
    first = dataclasses.replace(OK, executed=90)
    assert lines_wanted([OK], [first])
    assert lines_wanted([OK, host], [first, silo])
    assert lines_wanted([OK, OK, host], [failing(2, executed=90), first, silo])
    assert not lines_wanted([OK, OK], [failing(2, executed=90), OK])
    assert judge([OK, OK, *[host] * 3], [failing(2, executed=90), first, *[silo] * 3]) is Verdict.FLAKY


def test_a_silo_need_not_repeat_what_wine_does_wrong() -> None:
    host = dataclasses.replace(reaching("a", "b"), expected=frozenset({"b"}))
    silo = reaching("a", executed=99)
    assert worse_than(silo, [host]) is None
    assert worse_than(reaching("b", executed=99), [host]) is not None


def test_lines_that_failed_as_expected_each_time_are_known() -> None:
    text = "a.c:1: Test succeeded\n" + "".join(
        f"a.c:{line}: Test {what}\n"
        for line, what in [(2, "marked todo: x"), (3, "marked todo: x"), (3, "succeeded")]
    )
    outcome = read_outcome(text + summary("0284", "a", 4, 0), "a", 0, 0)
    assert outcome.expected == frozenset({"a.c:2"})
    assert outcome.reached == frozenset({"a.c:1", "a.c:2", "a.c:3"})


@pytest.mark.parametrize(
    ("host", "silo", "wanted"),
    [
        (OK, failing(0, executed=90), True),
        (OK, OK, False),
        (OK, failing(1, executed=90), False),  # failures are looked at as such
        (CRASH, CRASH, False),
        (failing(0, executed=MAX_REPORTED + 1), OK, False),
    ],
)
def test_lines_are_asked_for_only_where_they_help(host: Outcome, silo: Outcome, wanted: bool) -> None:
    assert fewer_tests([host], [silo]) == wanted


@pytest.mark.parametrize(
    ("patterns", "wanted"),
    [([], True), (["ntdll"], True), (["ntdll/om"], True), (["*/om"], True), (["nt*"], True), (["om"], False)],
)
def test_units_are_chosen_by_patterns(patterns: list[str], wanted: bool) -> None:
    assert Unit("ntdll", "om").wanted(patterns) == wanted


def test_the_list_of_modules_has_no_doubles() -> None:
    text = (Path(__file__).parents[1] / "conformance" / "modules.txt").read_text()
    modules = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert all(re.fullmatch(r"(dlls|programs)/[\w.]+", module) for module in modules), modules
    assert modules == sorted(set(modules))
