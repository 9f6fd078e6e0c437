"""Panels and signals that another machine has computed are taken from Redis; what is wrong there is computed."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import signal
import time

import numpy as np
import pytest

from ares7.config import DataConfig, SyntheticConfig
from ares7.redis_config import RedisConfig
from feeds import assemble, shared_cache
from feeds.backtest import computed_targets
from feeds.load import load_with_findings
from feeds.shared_cache import MAGIC, SharedCache, packed, unpacked
from feeds.synthetic import generate, write
from strategies.equal_weight import EqualWeight
from tests.database.frames import assert_same_panels
from tests.feeds.cached_targets import settle


@pytest.fixture(scope="module")
def market(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made") / "market"
    write(generate(SyntheticConfig(symbols=10, start="2015-01-02", end="2016-12-30")), folder)
    return folder


@pytest.fixture
def sharing(address):
    shared_cache.use(RedisConfig(address=address, share=True))
    yield shared_cache.in_use()
    shared_cache.use(RedisConfig())


@pytest.fixture
def count(monkeypatch):
    """How often a panel was built."""
    built, real = [], assemble.assemble
    monkeypatch.setattr(assemble, "assemble", lambda *a: built.append(1) or real(*a))
    return built


def panel_of(folder, cache):
    return load_with_findings(DataConfig(path=folder, cache=cache))


def names(client, kind):
    return client.keys(f"ares7:cache:{kind}:*")


def test_a_panel_is_built_once_for_two_machines(market, sharing, client, tmp_path, count):
    first, said = panel_of(market, tmp_path / "one")
    elsewhere = tmp_path / "elsewhere" / "copy"
    elsewhere.parent.mkdir()
    elsewhere.symlink_to(market)
    second, told = panel_of(elsewhere, tmp_path / "two")
    assert len(count) == 1
    assert len(names(client, "panels")) == 1
    assert_same_panels(first, second)
    assert first.provenance == second.provenance
    assert not second.fields["close"].flags.writeable
    assert [f.message.replace(str(market), "") for f in said] == [
        f.message.replace(str(elsewhere), "") for f in told
    ]
    assert any(str(elsewhere) in f.message for f in told)
    assert all(str(market) not in f.message for f in told)
    third = panel_of(market, None)[0]
    assert len(count) == 1
    assert_same_panels(first, third)


def test_other_settings_or_other_files_are_another_panel(market, sharing, client, tmp_path, count):
    panel_of(market, None)
    load_with_findings(DataConfig(path=market, cache=None, pit_delay_days=91))
    import shutil

    other = shutil.copytree(market, tmp_path / "other")
    (other / "earnings.parquet").unlink()
    panel_of(other, None)
    assert len(count) == 3
    assert len(names(client, "panels")) == 3


def rewrapped(body):
    return MAGIC + hashlib.sha256(body).digest() + body


def objects():
    buffer = io.BytesIO()
    np.savez(buffer, x=np.array([{}], dtype=object))
    return buffer.getvalue()


DAMAGE = {
    "nothing": lambda value: b"",
    "short": lambda value: value[:-5],
    "a bit": lambda value: value[:5000] + bytes([value[5000] ^ 1]) + value[5001:],
    "pickle": lambda value: pickle.dumps({"x": 1}),
    "pickle in a good wrapper": lambda value: rewrapped(pickle.dumps({"x": 1})),
    "objects in a good wrapper": lambda value: rewrapped(objects()),
    "another entry": lambda value: packed({"x": np.zeros(3)}, {"key": "other"}),
    "a way out of the folder": lambda value: packed({"../../x": np.zeros(3)}, unpacked(value)[1]),
    "a field less": lambda value: packed(
        {k: v for k, v in unpacked(value)[0].items() if k != "dates"}, unpacked(value)[1]
    ),
    "no findings": lambda value: packed(
        unpacked(value)[0], {k: v for k, v in unpacked(value)[1].items() if k != "findings"}
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_wrong_entry_is_ignored_and_replaced(market, sharing, client, tmp_path, count, damage):
    first = panel_of(market, None)[0]
    (name,) = names(client, "panels")
    good = client.get(name)
    client.set(name, DAMAGE[damage](good))
    second = panel_of(market, tmp_path / "cache")[0]
    assert len(count) == 2
    assert_same_panels(first, second)
    assert client.get(name) == good
    assert not (tmp_path / "x.npy").exists()


def test_signals_are_computed_once_for_two_machines(market, sharing, client, tmp_path, monkeypatch):
    settle(monkeypatch)
    panel = panel_of(market, tmp_path / "cache")[0]
    panel = panel.starting(panel.dates[300])
    computed, real = [], EqualWeight.weights

    def weights(panel, settings):
        computed.append(1)
        return real(panel, settings)

    weights.__module__ = EqualWeight.__module__
    monkeypatch.setattr(EqualWeight, "weights", staticmethod(weights))

    def targets(cache):
        return computed_targets(panel, EqualWeight, EqualWeight.Params(), "it", tmp_path / cache)

    first, second = targets("one"), targets("two")
    assert len(computed) == 1
    assert first.weights.tobytes() == second.weights.tobytes()
    (name,) = names(client, "signals")
    client.set(name, client.get(name)[:-1])
    third = targets("three")
    assert len(computed) == 2
    assert third.weights.tobytes() == first.weights.tobytes()


def test_what_is_too_large_is_not_put_there_and_the_oldest_go(address, client):
    config = RedisConfig(address=address, entry_mb=0.1, total_mb=0.25)
    shared_cache.use(config.model_copy(update={"share": True}))
    cache = shared_cache.in_use()
    assert not cache.put("panels", "large", {"x": np.zeros(20_000)}, {})
    for number in range(5):
        assert cache.put("panels", str(number), {"x": np.zeros(10_000)}, {})
        time.sleep(0.002)
    assert sorted(names(client, "panels")) == [
        b"ares7:cache:panels:2",
        b"ares7:cache:panels:3",
        b"ares7:cache:panels:4",
    ]
    assert client.ttl("ares7:cache:panels:4") > 0
    assert client.zcard("ares7:cache:ages") == client.hlen("ares7:cache:sizes") == 3
    shared_cache.use(RedisConfig())


def test_a_redis_that_hangs_or_is_away_only_costs_a_time_out(market, started, sharing, count):
    os.kill(started[0].pid, signal.SIGSTOP)
    began = time.monotonic()
    first = panel_of(market, None)[0]
    asked = time.monotonic() - began
    began = time.monotonic()
    panel_of(market, None)
    assert time.monotonic() - began < asked
    started[0].kill()
    assert_same_panels(first, panel_of(market, None)[0])
    assert len(count) == 3


def test_nothing_is_asked_unless_it_is_configured(market, address, client):
    shared_cache.use(RedisConfig(address=address))
    assert shared_cache.in_use() is None
    panel_of(market, None)
    assert client.keys() == []


def test_a_backtest_uses_it_when_it_is_configured(market, address, client, tmp_path):
    from tests.cli.conftest import Commands

    def backtest(number):
        run = Commands(tmp_path / f"runs{number}", tmp_path / f"cache{number}")
        settings = (f"redis.address={address}", "redis.share=true", "runs.report=false")
        options = [part for setting in settings for part in ("--set", setting)]
        return run("backtest", "--data", market, "--strategy", "equal_weight", "--json", *options)

    first, second = backtest(1), backtest(2)
    assert (first.code, second.code) == (0, 0), first.err
    assert first.json["metrics"] == second.json["metrics"]
    assert len(names(client, "panels")) == 1
    shared_cache.use(RedisConfig())


def test_an_entry_comes_back_as_it_was_put():
    arrays = {
        "a-b": np.array([[np.nan, -0.0], [np.inf, 5e-324]]),
        "d": np.array(["2020-01-01"], "datetime64[D]"),
    }
    found, content = unpacked(packed(arrays, {"x": ["é", None, 1.5]}))
    assert content == {"x": ["é", None, 1.5]}
    for name, values in arrays.items():
        assert (found[name].tobytes(), found[name].dtype) == (values.tobytes(), values.dtype)
    with pytest.raises(ValueError, match="Object arrays"):
        packed({"x": np.array([{}], dtype=object)}, {})
    assert isinstance(SharedCache, type)
