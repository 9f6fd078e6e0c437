"""A memo that computes a strategy's signals on the device."""

from __future__ import annotations

from ares7.cuda.memo import DeviceMemo, device_stages
from strategies.quality_momentum import MIN_SLOTS, SLOTS, labels, scores


def memo_of(panel):
    return DeviceMemo(device_stages(panel, scores=scores, labels=labels, slots=SLOTS, min_slots=MIN_SLOTS))
