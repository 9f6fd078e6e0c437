"""A Redis key can halt; neither its absence nor the loss of Redis halts or lifts anything (real server)."""

from __future__ import annotations

import os
import signal
import sys
import time

import pytest

from ares7.errors import ConfigError
from live.halt.level import HaltLevel
from live.halt.redis_source import MEMORY, POLL_S, RETRY_S, RedisSource, RememberedRedis, connect
from live.halt.switch import HaltSwitch
from tests.halt.redis_server import redis_server

redis = pytest.importorskip("redis")
KEY = "ares7:halt"


class Ticks:
    """Monotonic seconds."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


class Memory:
    """The answers of a Redis, as a test sets them."""

    def __init__(self, value=None):
        self.value, self.asked = value, 0

    def get(self, name, /):
        self.asked += 1
        if isinstance(self.value, Exception):
            raise self.value
        return self.value


@pytest.fixture
def ticks():
    return Ticks()


@pytest.fixture
def make(tmp_path, clock, alarms, ticks):
    return lambda keys: RedisSource(keys, KEY, tmp_path, clock, alarms, ticks)


def level_of(source, alarms, clock):
    return HaltSwitch([source], alarms, clock).level()


@pytest.mark.parametrize("level", list(HaltLevel))
def test_every_level_can_be_named(make, alarms, clock, level):
    assert level_of(make(Memory(level.name.encode())), alarms, clock) is level


@pytest.mark.parametrize("value", [b"stop", b"", b"\xff\xfe", b"0"])
def test_a_value_that_names_no_level_counts_as_a_full_halt(make, alarms, clock, value):
    assert level_of(make(Memory(value)), alarms, clock) is HaltLevel.HALT


def test_without_a_key_nothing_is_halted(make, alarms, clock):
    source = make(Memory())
    assert source.read() is None
    assert level_of(source, alarms, clock) is HaltLevel.NONE


def test_a_key_that_disappears_lifts_nothing_and_a_value_does(make, alarms, clock, ticks):
    keys = Memory(b"BLOCK_NEW")
    source = make(keys)
    assert level_of(source, alarms, clock) is HaltLevel.BLOCK_NEW
    keys.value = None
    ticks.now += 2 * POLL_S
    assert level_of(source, alarms, clock) is HaltLevel.BLOCK_NEW
    keys.value = b"NONE"
    ticks.now += 2 * POLL_S
    assert level_of(source, alarms, clock) is HaltLevel.NONE


@pytest.mark.parametrize("known", [None, b"FLATTEN"])
def test_the_loss_of_redis_changes_no_level_and_is_told_once(make, alarms, clock, ticks, known):
    keys = Memory(known)
    source = make(keys)
    before = level_of(source, alarms, clock)
    keys.value = ConnectionError("refused")
    for _ in range(3):
        ticks.now += 2 * RETRY_S
        assert level_of(source, alarms, clock) is before
    assert alarms.codes == ["halt-redis"]


def test_a_restart_without_redis_keeps_the_last_level(make, alarms, clock):
    make(Memory(b"CANCEL_WORKING")).read()
    again = make(Memory(ConnectionError("refused")))
    assert level_of(again, alarms, clock) is HaltLevel.CANCEL_WORKING


def test_a_memory_that_is_damaged_halts_until_the_key_says_something(make, alarms, clock, ticks, tmp_path):
    (tmp_path / MEMORY).write_text("{")
    keys = Memory()
    source = make(keys)
    assert level_of(source, alarms, clock) is HaltLevel.HALT
    assert level_of(RememberedRedis(tmp_path), alarms, clock) is HaltLevel.HALT
    keys.value = b"NONE"
    ticks.now += 2 * POLL_S
    assert level_of(source, alarms, clock) is HaltLevel.NONE
    assert RememberedRedis(tmp_path).read().level is HaltLevel.NONE


def test_redis_is_asked_at_most_once_a_second_and_after_a_failure_less_often(make, ticks):
    keys = Memory()
    source = make(keys)
    for _ in range(10):
        source.read()
    assert keys.asked == 1
    ticks.now += POLL_S
    keys.value = ConnectionError("refused")
    source.read()
    ticks.now += RETRY_S - 0.1
    source.read()
    assert keys.asked == 2
    ticks.now += 0.1
    source.read()
    assert keys.asked == 3


@pytest.mark.parametrize(
    "address", ["", "host", "host:", ":6379", "host:x", "host:6379/x", "redis://host:6379"]
)
def test_an_address_of_another_form_is_one_clear_error(address):
    with pytest.raises(ConfigError, match=r"host:port or host:port/database"):
        connect(address)


def test_a_missing_package_is_one_clear_error(monkeypatch):
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(ConfigError, match="pip install 'redis>=5'"):
        connect("127.0.0.1:6379")


@pytest.fixture
def server(tmp_path):
    """A real redis-server on a free port of this machine: (process, port)."""
    with redis_server(tmp_path) as started:
        yield started


def test_a_real_server_halts_lifts_hangs_and_dies(server, make, alarms, clock, ticks):
    process, port = server
    source = make(connect(f"127.0.0.1:{port}/0"))
    assert source.read() is None
    client = redis.Redis(port=port)
    for value, level in (("BLOCK_NEW", 1), ("NONE", 0), ("FLATTEN", 3)):
        client.set(KEY, value)
        ticks.now += POLL_S
        assert level_of(source, alarms, clock) == level
    client.close()
    os.kill(process.pid, signal.SIGSTOP)
    ticks.now += POLL_S
    began = time.monotonic()
    assert level_of(source, alarms, clock) is HaltLevel.FLATTEN
    assert time.monotonic() - began < 2.0
    process.kill()
    ticks.now += RETRY_S
    assert level_of(source, alarms, clock) is HaltLevel.FLATTEN
    assert alarms.codes == ["halt-redis"]
    source.close()


def test_the_password_comes_from_the_environment_and_a_wrong_one_is_a_loss(server, make, alarms, monkeypatch):
    word = os.urandom(8).hex()
    client = redis.Redis(port=server[1])
    client.set(KEY, "HALT")
    client.config_set("requirepass", word)
    client.close()
    refused = make(connect(f"127.0.0.1:{server[1]}"))
    assert refused.read() is None
    assert alarms.codes == ["halt-redis"]
    monkeypatch.setenv("ARES7_REDIS_PASSWORD", word)
    accepted = make(connect(f"127.0.0.1:{server[1]}"))
    assert accepted.read().level is HaltLevel.HALT
    refused.close()
    accepted.close()
