"""``run.py paper --simulated`` as a person types it, and processes that are really killed."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.simulated.conftest import NO_LIMITS, content, journalled

ROOT = Path(__file__).resolve().parents[2]
RUN = [sys.executable, str(ROOT / "run.py")]


@pytest.fixture
def typed(account, market, cache):
    """``typed("a", "paper", "--simulated", ...)``: a command on the account of that name."""

    def run(name, *arguments, **options):
        call = command(account(name), market, cache, *arguments)
        return subprocess.run(call, capture_output=True, text=True, timeout=120, check=False, **options)

    return run


def command(mine, market, cache, verb, *arguments):
    sets = [f"halt.folder={mine.home}", f"data.cache={cache}", f"data.path={market}"]
    sets += [f"limits.{name}=null" for name in NO_LIMITS]
    settings = [word for one in sets for word in ("--set", one)]
    strategy = ["--strategy", "equal_weight"] if verb in ("paper", "explain") else []
    return [*RUN, verb, *arguments, *strategy, *settings]


def paper(*arguments):
    return ("paper", "--simulated", "--from", "2024-03-01", "--now", *arguments)


def test_a_replay_and_what_the_account_verbs_say_of_it(typed, account):
    done = typed("a", *paper("--sessions", "23", "--json"))
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert (said["mode"], said["sessions"], said["session"]) == ("simulated", 23, "2024-04-03")
    assert said["filled"] > 30
    book = journalled(account("a"))
    assert said["nav_usd"] == book.nav[-1][1]
    for verb in ("status", "positions", "orders", "flows"):
        told = typed("a", verb, "--mode", "simulated", "--json")
        assert told.returncode == 0, told.stderr
    found = json.loads(typed("a", "status", "--json").stdout)
    assert found["nav"]["nav_usd"] == said["nav_usd"]
    assert (found["mode"], found["armed"]) == ("simulated", True)
    told = typed("a", "explain", "--mode", "simulated", "--date", "2024-03-28", "--symbol", "S001")
    assert "2024-03-28: decided (month_end)" in told.stdout
    days = sorted((account("a").home / "days").glob("day-*-simulated.json"))
    assert len(days) == 23
    assert json.loads(days[1].read_text())["fills"] > 20


def test_once_does_one_session_a_call(typed, account):
    for _ in range(3):
        assert typed("a", *paper("--once")).returncode == 0
    assert [day for day, *_ in journalled(account("a")).nav] == ["2024-03-01", "2024-03-04", "2024-03-05"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--simulated", "--host", "x", "--port", "1"), "leave --host, --port out"),
        (("--simulated", "--account", "DU1"), "leave --account out"),
        (("--simulated", "--clock", "gateway"), "leave --clock out"),
        (("--from", "2024-01-02"), "--from is for a simulated account"),
        (("--prices", "traded"), "--prices is for a simulated account"),
        (("--simulated", "--sessions", "0"), "must be at least 1"),
        (("--simulated", "--from", "soon"), "soon"),
    ],
)
def test_options_that_do_not_go_together_are_refused(typed, account, arguments, says):
    done = typed("a", "paper", *arguments)
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert not account("a").path.exists()


def test_live_has_no_simulated_account(typed):
    assert typed("a", "live", "--simulated").returncode == 2


def test_another_strategy_on_an_account_that_holds_something_is_refused(typed):
    assert typed("a", *paper("--sessions", "3")).returncode == 0
    done = typed("a", *paper("--once", "--strategy", "low_volatility"))
    # The last --strategy counts.
    assert done.returncode == 0
    call = [word if word != "equal_weight" else "low_volatility" for word in done.args]
    refused = subprocess.run(call, capture_output=True, text=True, timeout=120, check=False)
    assert refused.returncode == 2
    assert "equal_weight trades on this account already" in refused.stderr


def test_margin_is_refused(typed):
    done = typed("a", *paper("--once", "--set", "account.margin=true", "--set", "account.financing_bps=100"))
    assert done.returncode == 2
    assert "no margin" in done.stderr
    done = typed("a", *paper("--once", "--set", "account.exec_lag=2"))
    assert done.returncode == 2
    assert "account.exec_lag" in done.stderr


def test_ctrl_c_ends_a_run_that_waits(account, market, cache):
    mine = account("a")
    process = subprocess.Popen(
        command(mine, market, cache, "paper", "--simulated", "--now"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    waits_for(lambda: acted(mine) == 1)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "run the same command again to go on" in said
    assert "Traceback" not in said
    assert [reason for (reason,) in mine.ask("SELECT reason FROM run_ends")] == ["KeyboardInterrupt: "]


def acted(mine):
    with contextlib.suppress(Exception):
        return mine.ask("SELECT COUNT(*) FROM navs WHERE kind = 'close'")[0][0]
    return 0


def waits_for(condition, seconds=60.0):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "nothing happens"
        time.sleep(0.02)


def rows_of(mine):
    with contextlib.suppress(Exception):
        return sum(len(found) for found in content(mine).values())
    return 0


def test_processes_that_are_killed_come_to_the_same(account, market, cache):
    sessions, kills = 23, 4
    through, mine = account("through"), account("mine")
    call = command(through, market, cache, *paper("--sessions", str(sessions)))
    assert subprocess.run(call, capture_output=True, timeout=120, check=False).returncode == 0
    for kill in range(1, kills + 1):
        call = command(mine, market, cache, *paper("--sessions", str(sessions - acted(mine))))
        process = subprocess.Popen(call, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        enough = rows_of(through) * kill // (kills + 1)
        waits_for(
            lambda process=process, enough=enough: rows_of(mine) >= enough or process.poll() is not None
        )
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
        process.wait(30)
    left = sessions - acted(mine)
    if left:
        call = command(mine, market, cache, *paper("--sessions", str(left)))
        assert subprocess.run(call, capture_output=True, timeout=120, check=False).returncode == 0
    assert content(mine) == content(through)
    assert len(mine.ask("SELECT id FROM runs")) > 2
