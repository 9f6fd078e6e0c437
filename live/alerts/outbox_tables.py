"""Tables of the outbox. Times are UTC texts as in the journal, sessions ISO dates; NULL means not yet, or none.

``alerts`` has a row an alert, ``events`` one for each fact that it is made of, ``notices`` one for each message about
it, ``deliveries`` one for each message and target.
"""

VERSION = 1
"""``PRAGMA user_version`` of the file."""
TABLES = """
CREATE TABLE alerts (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL, code TEXT NOT NULL, severity TEXT NOT NULL, message TEXT NOT NULL,
    session TEXT, mode TEXT NOT NULL, lasting INTEGER NOT NULL, opened_at TEXT NOT NULL, last_at TEXT NOT NULL,
    ended_at TEXT, count INTEGER NOT NULL, told_count INTEGER NOT NULL, first_told_at TEXT, told_at TEXT,
    stage INTEGER NOT NULL, acked_at TEXT, acked_by TEXT, note TEXT
);
CREATE INDEX alerts_key ON alerts(key);
CREATE INDEX alerts_code ON alerts(code, mode);
CREATE TABLE events (
    key TEXT PRIMARY KEY, alert_id INTEGER NOT NULL REFERENCES alerts(id), at TEXT NOT NULL, message TEXT NOT NULL,
    mode TEXT NOT NULL, journal_id INTEGER
);
CREATE INDEX events_alert ON events(alert_id);
CREATE TABLE notices (
    id INTEGER PRIMARY KEY, alert_id INTEGER NOT NULL REFERENCES alerts(id), kind TEXT NOT NULL, stage INTEGER NOT NULL,
    severity TEXT NOT NULL, title TEXT NOT NULL, body TEXT NOT NULL, made_at TEXT NOT NULL, settled_at TEXT
);
CREATE INDEX notices_open ON notices(settled_at, alert_id);
CREATE TABLE deliveries (
    notice_id INTEGER NOT NULL REFERENCES notices(id), target TEXT NOT NULL, attempts INTEGER NOT NULL,
    next_at TEXT, done_at TEXT, error TEXT NOT NULL, PRIMARY KEY (notice_id, target)
);
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""
