"""Halt: levels, where they are set, and what may still be sent under each (docs/limits.md)."""
