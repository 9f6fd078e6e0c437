"""D3 on honest series: how seldom it fails one, and how large a leak it sees."""

import numpy as np
import pytest

from ares7.audit.concentration import strongest
from tests.audit.return_series import honest

pytestmark = pytest.mark.stat


def test_fewer_than_one_honest_series_in_a_hundred_fails():
    failed = [strongest(days, returns).significant for days, returns in honest(1, 2000)]
    assert len(failed) == 2000
    assert sum(failed) < 20


def test_a_leak_of_half_a_daily_deviation_on_fridays_is_always_seen():
    seen = []
    for days, returns in honest(7, 100):
        fridays = (days.astype(np.int64) + 3) % 7 == 4
        effect = strongest(days, returns + 0.5 * returns.std() * fridays)
        seen.append(effect.significant and effect.sessions == "Fridays")
    assert all(seen)
