"""A read-only page for the person on call."""
