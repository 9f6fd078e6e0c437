"""The latest state of a runner in a real Redis: there while it runs, and no condition of trading."""

from __future__ import annotations

import json

import pytest

from tests.halt.redis_server import redis_server

redis = pytest.importorskip("redis")


def test_session_and_sign_of_life_are_there_for_dashboards(run, tmp_path):
    (tmp_path / "redis").mkdir()
    with redis_server(tmp_path / "redis") as (_, port):
        done = run(sessions=2, config={"redis": {"address": f"127.0.0.1:{port}"}}).run()
        with redis.Redis(port=port) as client:
            state = json.loads(client.get("ares7:paper:state"))
            beat = json.loads(client.get("ares7:paper:heartbeat"))
    assert done.differences == 0
    assert state["session"] == "2024-06-25"
    assert state["positions"]
    assert beat["state"] == "stopped"


def test_without_the_server_the_same_is_traded(run):
    done = run(sessions=2, config={"redis": {"address": "127.0.0.1:1"}}).run()
    assert done.filled >= 8
