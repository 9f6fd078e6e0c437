"""Settings of the whole suite: generated cases are the same in every run, and no clock decides over a test."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("suite", deadline=None, derandomize=True, database=None)
settings.load_profile("suite")
