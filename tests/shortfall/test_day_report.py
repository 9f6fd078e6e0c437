"""The report of a day, from a real journal: the figures are those worked out by hand, and nothing is invented."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from ares7.errors import Ares7Error, DataError, MissingData
from live.account_view import orders_of, positions_of, status_of
from live.book_history import known_closes, of_journal, traded_names
from live.day_report import DayPrice, day_record, lines_of, page_of, write_day_report
from live.drift import drift
from live.explain_journal import explain_session
from tests.shortfall.journals import ACCOUNT, CLOSE, DATES, DAYS, NAMES, four_sessions

PRICES = {"AAPL": DayPrice(100.4, 101.0), "TLT": DayPrice(49.9, 49.0)}


@pytest.fixture
def desk(tmp_path):
    made = four_sessions(tmp_path)
    yield made
    made.journal.close()


def test_a_day_is_worked_out_as_by_hand(desk):
    record = day_record(desk.journal, DAYS[1], PRICES)
    spent = 60 * 100.5 + 200 * 49.8
    nav = 100_000 - spent - 3.0 + 60 * 101.0 + 200 * 49.0
    assert record["traded_usd"] == pytest.approx(spent)
    assert record["fees_usd"] == pytest.approx(3.0)
    assert record["money"]["nav_usd"] == pytest.approx(nav)
    assert record["money"]["return"] == pytest.approx(nav / 100_000 - 1)
    (found,) = record["shortfall"]
    assert found["delay_usd"] == pytest.approx(60 * 0.4 + 200 * -0.1)
    assert found["execution_usd"] == pytest.approx(60 * 0.1 + 200 * -0.1)
    assert found["opportunity_usd"] == pytest.approx(40 * 1.0)
    assert found["total_usd"] == pytest.approx(found["delay_usd"] + found["execution_usd"] + 3.0 + 40.0)
    assert [(o["symbol"], o["left"], o["stage"]) for o in record["not_filled"]] == [("AAPL", 40.0, "expired")]


def test_a_deposit_is_shown_and_is_no_return(desk):
    money = day_record(desk.journal, DAYS[2])["money"]
    assert money["flows_usd"] == {"deposit": 5_000.0}
    assert money["earned_usd"] == pytest.approx(money["change_usd"] - 5_000)
    assert money["return"] == pytest.approx(money["nav_usd"] / (money["before_usd"] + 5_000) - 1)


def test_without_prices_what_is_not_known_is_not_shown_as_nothing(desk):
    (found,) = day_record(desk.journal, DAYS[1])["shortfall"]
    assert found["opportunity_usd"] is found["total_usd"] is None
    assert found["counts"]["arrival_unknown"] == 2


def test_a_day_after_everything_was_done_reports_no_order(desk):
    record = day_record(desk.journal, DAYS[3])
    assert (record["shortfall"], record["not_filled"], record["fills"]) == ([], [], 0)


def test_what_was_refused_is_told_on_the_day_of_the_decision(desk):
    assert [r["outcome"] for r in day_record(desk.journal, DAYS[0])["refused"]] == ["limit"]


def test_a_day_without_a_closing_value_has_no_report(desk):
    with pytest.raises(MissingData, match="no closing value"):
        day_record(desk.journal, DAYS[3].replace(day=7))


def test_the_report_never_shows_the_account(desk, tmp_path):
    record = day_record(desk.journal, DAYS[1], PRICES)
    for path in write_day_report(tmp_path / "reports", record):
        content = path.read_text(encoding="utf-8")
        assert ACCOUNT not in content
        assert "DU" in content


def test_text_json_and_page_tell_the_same(desk, tmp_path):
    live = of_journal(desk.journal, DATES, NAMES, CLOSE)
    record = day_record(desk.journal, DAYS[1], PRICES, {"live against shadow": drift(live, live)})
    paths = {path.suffix: path for path in write_day_report(tmp_path / "reports", record)}
    assert json.loads(paths[".json"].read_text())["session"] == "2024-03-04"
    for ending in (".txt", ".html"):
        content = paths[ending].read_text(encoding="utf-8")
        assert "expired" in content
        assert "live against shadow" in content
    assert "not filled: AAPL +40" in "\n".join(lines_of(record))


def test_the_page_fetches_nothing_and_runs_nothing(desk):
    page = page_of(day_record(desk.journal, DAYS[1], PRICES))
    assert "<script" not in page
    assert re.findall(r'(?:src|href)="(?!data:)', page) == []
    assert "default-src 'none'" in page


def test_a_folder_that_cannot_be_written_is_one_error(desk, tmp_path):
    (tmp_path / "reports").write_text("a file")
    with pytest.raises(Ares7Error, match="cannot be written"):
        write_day_report(tmp_path / "reports", day_record(desk.journal, DAYS[1]))


def test_the_journal_s_book_explains_its_own_value(desk):
    live = of_journal(desk.journal, DATES, NAMES, CLOSE)
    idle = type(live)(
        DATES,
        NAMES,
        *(np.zeros((4, 2)), CLOSE, *(np.zeros((4, 2)) for _ in range(3))),
        np.zeros(4),
        np.zeros(4),
        np.full(4, 100_000.0),
    )
    found = drift(live, idle)
    assert found.by_cause["unexplained"] == pytest.approx(np.zeros(3), abs=1e-6)
    assert sum(found.by_cause.values()) == pytest.approx(found.total)
    assert found.by_cause["flows"].sum() == pytest.approx(5_000.0)
    assert found.by_cause["fees"].sum() == pytest.approx(-3.0)
    assert found.by_cause["corporate_actions"].sum() == pytest.approx(0.5 * 50.0)


def test_live_against_a_book_that_was_filled_names_the_order_that_was_not(desk, tmp_path):
    (tmp_path / "full").mkdir()
    full = four_sessions(tmp_path / "full", "simulated", filled=100)
    live = of_journal(desk.journal, DATES, NAMES, CLOSE)
    found = drift(live, of_journal(full.journal, DATES, NAMES, CLOSE))
    full.journal.close()
    assert found.by_cause["missing_orders"].sum() == pytest.approx(-40 * (102.0 - 100.5))
    rest = [found.by_cause[name] for name in found.by_cause if name != "missing_orders"]
    assert np.abs(rest).max() <= 1e-6


def test_names_and_closes_are_those_that_matter(desk):
    assert traded_names(desk.journal) == ["AAPL", "TLT"]
    series = {"AAPL": (DATES[[0, 2]], np.array([1.0, 2.0])), "TLT": (DATES[1:], np.array([5.0, 6.0, 7.0]))}
    closes = known_closes(["AAPL", "TLT"], DATES, series.__getitem__)
    assert closes[:, 0].tolist() == [1.0, 1.0, 2.0, 2.0]
    assert np.isnan(closes[0, 1])
    with pytest.raises(DataError, match="TLT"):
        of_journal(desk.journal, DATES, ("AAPL",), CLOSE[:, :1])


def test_status_positions_and_orders_are_read_from_the_journal(desk):
    found, lines = status_of(desk.journal)
    assert (found["positions"], found["working"], found["mode"]) == (2, 0, "paper")
    assert ACCOUNT not in "\n".join(lines)
    assert found["figures"]["flows_usd"] == {"deposit": 5_000.0}
    assert positions_of(desk.journal)["positions"] == [
        {"symbol": "AAPL", "con_id": 1, "shares": 60.0},
        {"symbol": "TLT", "con_id": 2, "shares": 200.5},
    ]
    content, shown = orders_of(desk.journal, None)
    assert [o["stage"] for o in content["orders"]] == ["expired", "intent"]
    assert "60 filled at 100.5000 (it was too late)" in shown[0]


def test_a_live_session_is_explained_from_its_journal(desk):
    record = explain_session(desk.journal, DAYS[0], "AAPL")
    (name,) = record["names"]
    assert (name["target_weight"], record["reasons"]) == (0.5, ["month_end"])
    assert name["orders"][0]["filled"] == 60
    with pytest.raises(MissingData, match="the latest one was on 2024-03-01"):
        explain_session(desk.journal, DAYS[1])
    with pytest.raises(MissingData, match="neither wanted nor held"):
        explain_session(desk.journal, DAYS[0], "GLD")
