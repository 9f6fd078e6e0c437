"""The audit: checks that a backtest which lies would fail.

Source of the ids D1 to D13: the detectors of docs/audit.md, each named after the published mistake that it catches.
"""
