"""The verbs of production on the command line: answers, exit codes, options."""

from __future__ import annotations

import json

import pytest

import run

DAY, STAMP = "2017-12-20", "20171220"
STEPS = ("wavelet", "pead", "combine", "apply")


@pytest.fixture
def call(desk, capsys):
    """Calls run.py on the desk; returns the exit code, stdout and stderr."""

    def calling(*arguments):
        try:
            code = run.main([*arguments, "--config", str(desk.folder / "config.yaml")])
        except SystemExit as stop:
            code = stop.code
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return code, out, err

    return calling


def test_the_steps_one_after_the_other_make_the_files_of_the_job(desk, call):
    for step in STEPS:
        code, out, _ = call("overlay", step, "--date", DAY, "--json")
        assert code == 0
        assert json.loads(out)["as_of"] == DAY
    steps = {name: h for name, h in desk.bytes().items() if name.endswith("csv")}
    code, out, _ = call("daily", "--date", DAY, "--json")
    answer = json.loads(out)
    assert (code, answer["mode"], answer["skipped"]) == (0, "normal", False)
    assert set(answer["files"]) == set(steps)
    assert {name: h for name, h in desk.bytes().items() if name.endswith("csv")} == steps


def test_a_step_tells_where_it_wrote(desk, call):
    code, out, err = call("overlay", "wavelet", "--date", DAY)
    assert (code, out) == (0, f"wrote {desk.outputs}/wavelet_overlay_latest.csv\n")
    assert "Wavelet tilt range: [" in err


def test_combine_leaves_a_log_of_its_own(desk, call):
    for step in ("wavelet", "pead", "combine"):
        call("overlay", step, "--date", DAY)
    assert desk.log("wavelet_pead_combiner")[-1] == "END (exit=0)"
    call("overlay", "combine", "--date", "2017-12-19")
    assert desk.log("wavelet_pead_combiner")[-1] == "END (exit=2)"


@pytest.mark.parametrize("step", STEPS)
def test_a_step_on_no_session_names_the_session_before(desk, call, step):
    code, out, err = call("overlay", step, "--date", "2017-12-25")
    assert (code, out) == (2, "")
    assert err.splitlines()[-1] == (
        "error: 2017-12-25 is no session of XNYS; the session before is 2017-12-22; use --date 2017-12-22"
    )
    assert desk.bytes() == {}


def test_the_job_on_no_session_is_skipped(desk, call):
    code, out, _ = call("daily", "--date", "2017-12-25", "--json")
    answer = json.loads(out)
    assert (code, answer["skipped"]) == (0, True)
    assert desk.bytes() == {}


@pytest.mark.parametrize("verb", [("daily",), ("overlay", "apply")])
@pytest.mark.parametrize("date", ["20th of May", "2017-02-30", "2099-01-02"])
def test_a_date_that_is_none_or_not_yet_is_refused(desk, call, verb, date):
    code, _, err = call(*verb, "--date", date)
    assert code == 2
    assert err.splitlines()[-1].startswith("error: ")
    assert date in err


def test_plain_belongs_to_the_formula_and_not_to_the_engines(desk, call):
    assert call("overlay", "wavelet", "--plain")[0] == 2
    for step in ("wavelet", "pead"):
        call("overlay", step, "--date", DAY)
    for step in ("combine", "apply"):
        assert call("overlay", step, "--date", DAY, "--plain")[0] == 0
    assert desk.sidecar(f"ares7_final_weights_{STAMP}.csv")["plain"] is True
    assert abs(sum(desk.weights(DAY).values()) - 1) < 1e-12


def test_demo_steps_read_and_write_demo_files(desk, call):
    for step in STEPS:
        assert call("overlay", step, "--date", DAY, "--demo")[0] == 0
    names = [name for name in desk.bytes() if name.endswith(".csv")]
    assert len(names) == 4
    assert all("_demo" in name for name in names)


def test_stats_exit_with_1_when_a_session_is_missing(desk, call):
    for day in ("2017-12-18", DAY):
        call("daily", "--date", day)
    code, out, _ = call("overlay", "stats", "--last", "7", "--date", DAY, "--json")
    answer = json.loads(out)
    assert [row["mode"] for row in answer["sessions"]] == ["normal", "missing", "normal"]
    assert (code, answer["good"]) == (1, False)
    call("daily", "--date", "2017-12-19")
    code, out, _ = call("overlay", "stats", "--last", "7", "--date", DAY)
    assert code == 0
    assert out.splitlines()[-1] == "3 sessions in 7 days, 0 not as they should be"


def test_other_settings_are_overridden_as_for_every_verb(desk, call):
    code, _, err = call("daily", "--date", DAY, "--set", "daily.on_stale=perhaps")
    assert code == 2
    assert "refuse" in err
    assert "last_good" in err
    assert call("daily", "--date", DAY, "--strategy", "equal_weight")[0] == 0
    assert desk.sidecar(f"ares7_final_weights_{STAMP}.csv")["inputs"]["base"]["strategy"] == "equal_weight"
