"""Reconciliation: what the journal says against what the gateway says, before anything is traded (R3)."""
