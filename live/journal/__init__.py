"""The journal: what was decided, intended, sent and filled, durable and append-only (SQLite or PostgreSQL)."""
