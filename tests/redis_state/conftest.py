"""A real redis-server of its own."""

from __future__ import annotations

import pytest

from tests.halt.redis_server import redis_server

redis = pytest.importorskip("redis")


@pytest.fixture
def started(tmp_path):
    """(process, port)."""
    with redis_server(tmp_path) as found:
        yield found


@pytest.fixture
def address(started):
    return f"127.0.0.1:{started[1]}"


@pytest.fixture
def client(started):
    opened = redis.Redis(port=started[1], socket_timeout=5)
    yield opened
    opened.close()
