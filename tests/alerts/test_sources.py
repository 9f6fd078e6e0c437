"""Rows of the journal and lines of the file of alerts, each taken once; and one fact told by two."""

from __future__ import annotations

import datetime as dt
import subprocess

import pytest

from live.alerts.sources import FilePlace, file_events
from tests.monitor.desk import Script


@pytest.fixture
def logs(tmp_path):
    folder = tmp_path / "logs"
    folder.mkdir()
    return folder


LINE = (
    '{"code": "runner-back", "message": "well", "session": null, "severity": "info", '
    '"time": "2024-01-05T14:00:00+00:00"}\n'
)


def test_a_file_is_read_on_from_where_it_was_left(logs):
    said = []
    assert file_events(logs, FilePlace(), said.append) == ([], FilePlace())
    path = logs / "alerts.jsonl"
    path.write_text(LINE)
    events, place = file_events(logs, FilePlace(), said.append)
    assert [(e.code, e.severity, e.at.hour) for e in events] == [("runner-back", "info", 14)]
    assert file_events(logs, FilePlace.parse(str(place)), said.append)[0] == []
    # A line that is being written is left for later.
    with path.open("a") as file:
        file.write(LINE.replace("well", "again")[:50])
    events, place = file_events(logs, place, said.append)
    assert events == []
    with path.open("a") as file:
        file.write(LINE.replace("well", "again")[50:])
    events, place = file_events(logs, place, said.append)
    assert [e.message for e in events] == ["again"]
    assert said == []


def test_a_file_that_was_replaced_is_read_from_its_beginning(logs):
    path = logs / "alerts.jsonl"
    path.write_text(LINE * 3)
    _, place = file_events(logs, FilePlace(), print)
    path.rename(logs / "alerts.1")
    path.write_text(LINE.replace("well", "new"))
    assert [e.message for e in file_events(logs, place, print)[0]] == ["new"]
    path.write_text(LINE)
    _, place = file_events(logs, FilePlace(), print)
    path.write_text("")
    assert file_events(logs, place, print)[0] == []


@pytest.mark.parametrize(
    "wrong",
    [
        "{",
        "[]",
        '"text"',
        "{}",
        LINE.replace("+00:00", "").strip(),
        LINE.replace("info", "loud").strip(),
        "\x00\xff",
    ],
)
def test_a_line_that_is_no_alert_is_told_and_passed_over(logs, wrong):
    said = []
    (logs / "alerts.jsonl").write_text(f"{wrong}\n\n{LINE}", encoding="utf-8")
    events, _ = file_events(logs, FilePlace(), said.append)
    assert [e.code for e in events] == ["runner-back"]
    assert len(said) == 1
    assert "no alert" in said[0]


def test_a_place_that_cannot_be_read_is_the_beginning():
    assert FilePlace.parse("") == FilePlace.parse("x:y") == FilePlace.parse("1") == FilePlace()


def test_a_restart_takes_nothing_twice(script, desks, clock):
    desk = desks()
    script.alert("warning", "order-rejected")
    desk.line("critical", "stale-data")
    desk.look()
    again = desks()
    again.look()
    assert again.codes() == ["order-rejected", "stale-data"]
    assert again.phones[0].got == []


def test_a_journal_that_was_replaced_by_a_copy_is_read_anew(script, desks, clock):
    desk = desks()
    script.alert("warning", "order-rejected")
    desk.look()
    script.journal.close()
    (script.folder / "journal-paper.sqlite").rename(script.folder / "damaged")
    other = Script(script.folder, clock)
    other.close(dt.date(2024, 1, 5))
    clock.add(600)
    other.alert("error", "gateway-outage")
    desk.look()
    assert desk.codes() == ["order-rejected", "gateway-outage"]
    other.journal.close()


def dead():
    done = subprocess.Popen(["true"])
    done.wait()
    return done.pid


def test_the_monitor_and_the_watchdog_see_one_silent_runner(script, desks, clock):
    desk = desks()
    script.beat(age_s=400)
    desk.line("error", "runner-silent", "the runner is silent for 400 s")
    desk.look()
    clock.add(3600)
    desk.line("error", "runner-silent", "the runner is silent for 4000 s")
    desk.look()
    assert desk.codes(every=True) == ["runner-silent"]
    script.beat()
    desk.line("info", "runner-back")
    desk.look()
    assert [(a.code, a.ended_at is None) for a in desk.outbox.alerts(every=True)] == [
        ("runner-silent", False),
        ("runner-back", True),
    ]


def test_a_runner_that_failed_and_is_gone_is_one_fact(script, desks, clock):
    desk = desks()
    script.beat(pid=dead())
    script.alert("error", "runner-failed", "it ended")
    desk.look()
    clock.add(30)
    desk.line("error", "runner-gone", "the runner's process is gone")
    desk.look()
    assert desk.codes(every=True) == ["runner-failed"]
    # It was started again, and killed: that is another fact.
    clock.add(600)
    script.beat(pid=dead())
    desk.look()
    assert desk.codes(every=True) == ["runner-failed", "runner-gone"]


def test_trouble_that_was_over_before_the_monitor_looked_is_told(script, desks, clock):
    script.beat()
    desk = desks()
    desk.line("error", "runner-frozen")
    desk.line("info", "runner-back")
    desk.look()
    assert desk.codes() == ["runner-frozen", "runner-back"]


def test_a_shadow_run_is_not_judged_by_the_heartbeat_of_another(tmp_path, desks, clock):
    shadow = Script(tmp_path / "journal", clock, "shadow", armed=False)
    shadow.close(dt.date(2024, 1, 5))
    shadow.beat(age_s=10_000)
    desk = desks(mode="shadow")
    desk.look()
    assert desk.codes() == []
    shadow.journal.close()


def test_old_data_that_the_daily_job_told_of_is_not_told_again(script, desks, clock, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    (data / "fundamentals.csv").write_text("symbol,filing_date\nA,2022-01-03\n")
    desk = desks(f"data.path={data}")
    desk.line("critical", "stale-data", "fundamentals are stale")
    desk.look()
    desk.outbox.ack(desk.outbox.alerts()[0].id, "op", "", clock())
    clock.add(3600)
    desk.look()
    assert desk.codes(every=True) == ["stale-data"]
    clock.add(86_400)
    desk.look()
    assert "data-old" in desk.codes()
