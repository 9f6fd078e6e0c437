"""Dashboards see the last session and the last sign of life; whatever Redis does, the caller does not wait for it."""

from __future__ import annotations

import datetime as dt
import json
import os
import signal
import socket
import sys
import time

import pytest

from ares7.config import load_config
from ares7.errors import ConfigError
from ares7.redis_config import RedisConfig
from feeds import redis_link
from feeds.redis_link import RedisLink, connect
from live.journal import rows
from live.redis_state import BEAT_S, CLOSE_S, STATE_S, RedisState, session_state
from tests.halt.redis_server import redis_server

DAY = dt.date(2024, 1, 5)
NAV = rows.Nav(DAY, "close", 1_000_000.5, cash_usd=2.0)
QUICK_S = 0.2
"""One call waits for no time-out (0.25 s)."""


def wait_for(what, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return found


@pytest.fixture
def state(address):
    made = RedisState(RedisConfig(address=address), "paper")
    yield made
    made.close()


def shown(client, what):
    return json.loads(wait_for(lambda: client.get(f"ares7:paper:{what}")))


def test_state_and_heartbeat_are_small_json_that_expires(state, client):
    state.publish(session_state(NAV, strategy="equal_weight", halt="NONE", positions={"AAA": 3.0}, alerts=1))
    state.beat("waiting", DAY)
    found = shown(client, "state")
    assert {
        k: found[k] for k in ("session", "strategy", "nav_usd", "cash_usd", "halt", "positions", "alerts")
    } == {
        "session": "2024-01-05",
        "strategy": "equal_weight",
        "nav_usd": 1_000_000.5,
        "cash_usd": 2.0,
        "halt": "NONE",
        "positions": {"AAA": 3.0},
        "alerts": 1,
    }
    assert (found["mode"], found["pid"]) == ("paper", os.getpid())
    assert dt.datetime.fromisoformat(found["at"]).tzinfo is not None
    beat = shown(client, "heartbeat")
    assert (beat["state"], beat["session"]) == ("waiting", "2024-01-05")
    for what, kept in (("state", STATE_S), ("heartbeat", BEAT_S)):
        assert kept - 5 < client.pttl(f"ares7:paper:{what}") / 1000 <= kept


def test_the_prefix_and_the_mode_are_part_of_the_keys(address, client):
    made = RedisState(RedisConfig(address=f"{address}/0", prefix="other"), "real")
    made.beat("x")
    made.close()
    assert client.keys() == [b"other:real:heartbeat"]


def test_the_newest_of_each_is_sent_before_the_end(state, client):
    for number in range(100):
        state.beat(str(number))
        state.publish({"n": number})
    state.close()
    assert shown(client, "heartbeat")["state"] == "99"
    assert shown(client, "state")["n"] == 99


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_no_number_is_null(state, client, value):
    state.publish({"nav_usd": value, "deep": [{"x": value}]})
    assert (shown(client, "state")["nav_usd"], shown(client, "state")["deep"]) == (None, [{"x": None}])


@pytest.mark.parametrize("content", [{"x": object()}, {"x": "a" * 70_000}, {"x": {1, 2}}])
def test_what_cannot_be_shown_is_left_out(state, client, content):
    state.publish(content)
    state.beat("alive")
    shown(client, "heartbeat")
    assert client.get("ares7:paper:state") is None


def longest(state, calls=200):
    """Seconds of the longest of many calls."""
    worst = 0.0
    for number in range(calls):
        began = time.perf_counter()
        state.beat(f"{number}", DAY)
        state.publish({"n": number})
        worst = max(worst, time.perf_counter() - began)
    return worst


def test_a_redis_that_hangs_slows_nobody(started, state, client):
    state.beat("before")
    shown(client, "heartbeat")
    os.kill(started[0].pid, signal.SIGSTOP)
    try:
        assert longest(state) < QUICK_S
        began = time.monotonic()
        state.close()
        assert time.monotonic() - began < CLOSE_S + 0.5
    finally:
        os.kill(started[0].pid, signal.SIGCONT)


def test_no_redis_at_all_slows_nobody_and_is_asked_seldom():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    link = RedisLink(connect(f"127.0.0.1:{port}", "redis.address"))
    state = RedisState(RedisConfig(), "paper", link=link)
    assert longest(state) < QUICK_S
    wait_for(lambda: link.failures == 1)
    assert longest(state) < QUICK_S
    assert link.failures == 1
    assert link.waits_s > redis_link.RETRY_S - 5
    state.close()


def test_it_shows_the_latest_again_when_redis_is_back(started, tmp_path, monkeypatch):
    monkeypatch.setattr(redis_link, "RETRY_S", 0.2)
    process, port = started
    state = RedisState(RedisConfig(address=f"127.0.0.1:{port}"), "paper")
    state.publish({"n": 1})
    with connect(f"127.0.0.1:{port}", "test") as client:
        assert shown(client, "state")["n"] == 1
    process.kill()
    process.wait()
    state.beat("while it was away")
    time.sleep(0.3)
    monkeypatch.setattr(socket.socket, "getsockname", lambda *_: ("127.0.0.1", port))
    monkeypatch.setattr(socket.socket, "bind", lambda *_: None)
    with redis_server(tmp_path) as (_, again):
        monkeypatch.undo()
        assert again == port
        with connect(f"127.0.0.1:{port}", "test") as client:
            assert shown(client, "heartbeat")["state"] == "while it was away"
            assert shown(client, "state")["n"] == 1
        state.close()


def test_a_sign_of_life_that_is_too_old_is_not_sent(started, client, monkeypatch):
    monkeypatch.setattr("live.redis_state.BEAT_S", -1.0)
    state = RedisState(RedisConfig(address=f"127.0.0.1:{started[1]}"), "paper")
    state.beat("old")
    state.publish({})
    state.close()
    assert shown(client, "state")
    assert client.get("ares7:paper:heartbeat") is None


def test_the_password_comes_from_the_environment(started, client, monkeypatch):
    word = os.urandom(8).hex()
    client.config_set("requirepass", word)
    monkeypatch.setenv(redis_link.VARIABLE, word)
    state = RedisState(RedisConfig(address=f"127.0.0.1:{started[1]}"), "paper")
    state.beat("in")
    state.close()
    assert (
        json.loads(connect(f"127.0.0.1:{started[1]}", "test").get("ares7:paper:heartbeat"))["state"] == "in"
    )


def test_without_an_address_it_does_nothing():
    state = RedisState(RedisConfig(), "paper")
    state.publish({"x": object()})
    state.beat("x")
    state.close()
    assert state._thread is None


def test_a_missing_package_is_one_clear_error(monkeypatch):
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(ConfigError, match=r"redis.address is set and .* pip install 'redis>=5'"):
        RedisState(RedisConfig(address="127.0.0.1:1"), "paper")


@pytest.mark.parametrize(
    "setting",
    [
        "redis.address=host",
        "redis.address='user:x@host:1'",
        "redis.share=true",
        "redis.prefix='a b'",
        "redis.entry_mb=0",
    ],
)
def test_a_wrong_setting_is_one_clear_error(setting):
    from run import DEFAULT_CONFIG

    with pytest.raises(ConfigError, match="redis"):
        load_config(DEFAULT_CONFIG, (setting,))
