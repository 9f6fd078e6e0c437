BEGIN TRANSACTION;
CREATE TABLE acknowledgements (
	id INTEGER NOT NULL, 
	at TEXT NOT NULL, 
	run_id INTEGER, 
	alert_id INTEGER NOT NULL, 
	who TEXT NOT NULL, 
	note TEXT NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(run_id) REFERENCES runs (id), 
	UNIQUE (alert_id), 
	FOREIGN KEY(alert_id) REFERENCES alerts (id)
);
INSERT INTO "acknowledgements" VALUES(1,'2024-01-08T17:00:00.020000Z',1,1,'operator','seen');
CREATE TABLE adjustments (
	id INTEGER NOT NULL, 
	at TEXT NOT NULL, 
	run_id INTEGER, 
	con_id BIGINT NOT NULL, 
	symbol TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	shares DOUBLE NOT NULL, 
	before_shares DOUBLE NOT NULL, 
	price DOUBLE, 
	who TEXT NOT NULL, 
	reason TEXT NOT NULL, 
	difference_id INTEGER, 
	PRIMARY KEY (id), 
	FOREIGN KEY(run_id) REFERENCES runs (id), 
	FOREIGN KEY(difference_id) REFERENCES differences (id)
);
INSERT INTO "adjustments" VALUES(1,'2024-01-08T17:00:00.005000Z',1,272093,'MSFT','adopt',10.0,0.0,NULL,'op','bought by hand',NULL);
CREATE TABLE alerts (
	id INTEGER NOT NULL, 
	at TEXT NOT NULL, 
	run_id INTEGER, 
	severity TEXT NOT NULL, 
	code TEXT NOT NULL, 
	message TEXT NOT NULL, 
	session DATE, 
	symbol TEXT NOT NULL, 
	ref TEXT NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(run_id) REFERENCES runs (id)
);
INSERT INTO "alerts" VALUES(1,'2024-01-08T17:00:00.019000Z',1,'warning','missing_fill','an execution was found late','2024-01-08','AAPL','A7-20240105-00a8e4e4-265598-B-1');
CREATE TABLE decisions (
	id INTEGER NOT NULL, 
	at TEXT NOT NULL, 
	run_id INTEGER, 
	rebalance_id TEXT NOT NULL, 
	symbol TEXT NOT NULL, 
	con_id BIGINT NOT NULL, 
	target_weight DOUBLE NOT NULL, 
	target_shares DOUBLE NOT NULL, 
	held_shares DOUBLE NOT NULL, 
	working_shares DOUBLE NOT NULL, 
	delta_shares DOUBLE NOT NULL, 
	price DOUBLE, 
	outcome TEXT NOT NULL, 
	reason TEXT NOT NULL, 
	ref TEXT NOT NULL, 
	detail JSON NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(run_id) REFERENCES runs (id), 
	FOREIGN KEY(rebalance_id) REFERENCES rebalances (rebalance_id)
);
INSERT INTO "decisions" VALUES(1,'2024-01-08T17:00:00.008000Z',1,'00a8e4e4','AAPL',265598,0.1,500.0,100.0,0.0,400.0,181.25,'order','','A7-20240105-00a8e4e4-265598-B-1','{"sleeves": {"lv": 0.02, "qm": 0.08}}');
INSERT INTO "decisions" VALUES(2,'2024-01-08T17:00:00.009000Z',1,'00a8e4e4','MSFT',272093,0.1,500.0,100.0,0.0,400.0,NULL,'unchanged','','','{"sleeves": {"lv": 0.02, "qm": 0.08}}');
CREATE TABLE differences (
	id INTEGER NOT NULL, 
	at TEXT NOT NULL, 
	run_id INTEGER, 
	reconciliation_id INTEGER NOT NULL, 
	kind TEXT NOT NULL, 
	symbol TEXT NOT NULL, 
	con_id BIGINT NOT NULL, 
	journal_shares DOUBLE, 
	gateway_shares DOUBLE, 
	explanation TEXT NOT NULL, 
	ref TEXT NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(run_id) REFERENCES runs (id), 
	FOREIGN KEY(reconciliation_id) REFERENCES reconciliations (id)
);
INSERT INTO "differences" VALUES(1,'2024-01-08T17:00:00.004000Z',1,1,'split','MSFT',272093,10.0,20.0,'2 for 1','');
CREATE TABLE fees (
	id INTEGER NOT NULL, 
	at TEXT NOT NULL, 
	run_id INTEGER, 
	root TEXT NOT NULL, 
	revision BIGINT NOT NULL, 
	amount DOUBLE NOT NULL, 
	currency TEXT NOT NULL, 
	realised_pnl DOUBLE, 
	PRIMARY KEY (id), 
	FOREIGN KEY(run_id) REFERENCES runs (id)
);
INSERT INTO "fees" VALUES(1,'2024-01-08T17:00:00.014000Z',1,'0000e0d5.1',1,2.05,'USD',NULL);
CREATE TABLE fills (
	id INTEGER NOT NULL, 
	at TEXT NOT NULL, 
	run_id INTEGER, 
	root TEXT NOT NULL, 
	revision BIGINT NOT NULL, 
	ref TEXT NOT NULL, 
	con_id BIGINT NOT NULL, 
	symbol TEXT NOT NULL, 
	side TEXT NOT NULL, 
	shares DOUBLE NOT NULL, 
	price DOUBLE NOT NULL, 
	traded_at TEXT NOT NULL, 
	session DATE NOT NULL, 
	order_id BIGINT NOT NULL, 
	client_id BIGINT NOT NULL, 
	perm_id BIGINT NOT NULL, 
	exchange TEXT NOT NULL, 
	replayed BOOLEAN NOT NULL, 
	PRIMARY KEY (id), 
	CHECK (side IN ('BUY', 'SELL')), 
	CHECK (shares >= 0), 
	UNIQUE (root, revision), 
	FOREIGN KEY(run_id) REFERENCES runs (id)
);
INSERT INTO "fills" VALUES(1,'2024-01-08T17:00:00.013000Z',1,'0000e0d5.1',1,'A7-20240105-00a8e4e4-265598-B-1',265598,'AAPL','BUY',400.0,181.8,'2024-01-08T17:00:00.000000Z','2024-01-08',101,7,900,'NASDAQ',0);
CREATE TABLE flows (
	id INTEGER NOT NULL, 
	at TEXT NOT NULL, 
	run_id INTEGER, 
	session DATE NOT NULL, 
	kind TEXT NOT NULL, 
	amount_usd DOUBLE NOT NULL, 
	"key" TEXT, 
	symbol TEXT NOT NULL, 
	con_id BIGINT, 
	text TEXT NOT NULL, 
	names INTEGER, 
	PRIMARY KEY (id), 
	FOREIGN KEY(run_id) REFERENCES runs (id), 
	UNIQUE ("key"), 
	FOREIGN KEY(names) REFERENCES flows (id)
);
INSERT INTO "flows" VALUES(1,'2024-01-08T17:00:00.018000Z',1,'2024-01-08','unknown',1000.0,'cash-20240108-1','',NULL,'',NULL);
CREATE TABLE halts (
	id INTEGER NOT NULL, 
	at TEXT NOT NULL, 
	run_id INTEGER, 
	level TEXT NOT NULL, 
	who TEXT NOT NULL, 
	reason TEXT NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(run_id) REFERENCES runs (id)
);
INSERT INTO "halts" VALUES(1,'2024-01-08T17:00:00.021000Z',1,'BLOCK_NEW','operator','test');
CREATE TABLE identity (
	id INTEGER NOT NULL, 
	at TEXT NOT NULL, 
	mode TEXT NOT NULL, 
	account TEXT NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "identity" VALUES(1,'2024-01-08T17:00:00.001000Z','paper','DU1234567');
CREATE TABLE intents (
	id INTEGER NOT NULL, 
	at TEXT NOT NULL, 
	run_id INTEGER, 
	ref TEXT NOT NULL, 
	con_id BIGINT NOT NULL, 
	symbol TEXT NOT NULL, 
	side TEXT NOT NULL, 
	quantity BIGINT NOT NULL, 
	order_type TEXT NOT NULL, 
	tif TEXT NOT NULL, 
	session DATE NOT NULL, 
	order_id BIGINT NOT NULL, 
	client_id BIGINT NOT NULL, 
	rebalance_id TEXT, 
	decision_price DOUBLE, 
	limit_price DOUBLE, 
	stop_price DOUBLE, 
	good_till TEXT NOT NULL, 
	oca_group TEXT NOT NULL, 
	parent_id BIGINT NOT NULL, 
	transmit BOOLEAN NOT NULL, 
	outside_hours BOOLEAN NOT NULL, 
	algo TEXT NOT NULL, 
	algo_params JSON NOT NULL, 
	PRIMARY KEY (id), 
	CHECK (side IN ('BUY', 'SELL')), 
	CHECK (quantity > 0), 
	FOREIGN KEY(run_id) REFERENCES runs (id), 
	UNIQUE (ref), 
	FOREIGN KEY(rebalance_id) REFERENCES rebalances (rebalance_id)
);
INSERT INTO "intents" VALUES(1,'2024-01-08T17:00:00.010000Z',1,'A7-20240105-00a8e4e4-265598-B-1',265598,'AAPL','BUY',400,'MKT','OPG','2024-01-05',101,7,'00a8e4e4',180.0,NULL,NULL,'','',0,1,0,'','[]');
CREATE TABLE navs (
	id INTEGER NOT NULL, 
	at TEXT NOT NULL, 
	run_id INTEGER, 
	session DATE NOT NULL, 
	kind TEXT NOT NULL, 
	nav_usd DOUBLE NOT NULL, 
	cash_usd DOUBLE, 
	gross_usd DOUBLE, 
	net_usd DOUBLE, 
	source TEXT NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(run_id) REFERENCES runs (id)
);
INSERT INTO "navs" VALUES(1,'2024-01-08T17:00:00.017000Z',1,'2024-01-08','close',1000500.25,150000.0,850000.0,850000.0,'gateway');
CREATE TABLE rebalance_ends (
	id INTEGER NOT NULL, 
	at TEXT NOT NULL, 
	run_id INTEGER, 
	rebalance_id TEXT NOT NULL, 
	outcome TEXT NOT NULL, 
	detail JSON NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(run_id) REFERENCES runs (id), 
	UNIQUE (rebalance_id), 
	FOREIGN KEY(rebalance_id) REFERENCES rebalances (rebalance_id)
);
INSERT INTO "rebalance_ends" VALUES(1,'2024-01-08T17:00:00.016000Z',1,'00a8e4e4','done','{"orders": 1}');
CREATE TABLE rebalances (
	id INTEGER NOT NULL, 
	at TEXT NOT NULL, 
	run_id INTEGER, 
	rebalance_id TEXT NOT NULL, 
	session DATE NOT NULL, 
	strategy TEXT NOT NULL, 
	config_digest TEXT NOT NULL, 
	reason TEXT NOT NULL, 
	nav_usd DOUBLE, 
	cash_usd DOUBLE, 
	capital_usd DOUBLE, 
	detail JSON NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(run_id) REFERENCES runs (id), 
	UNIQUE (rebalance_id)
);
INSERT INTO "rebalances" VALUES(1,'2024-01-08T17:00:00.007000Z',1,'00a8e4e4','2024-01-05','regime_ensemble','1a2b3c4d','month_end',1000000.0,200000.0,1000000.0,'{"regime": "BULL", "sleeves": {"lv": 0.3, "qm": 0.7}}');
CREATE TABLE reconciliations (
	id INTEGER NOT NULL, 
	at TEXT NOT NULL, 
	run_id INTEGER, 
	trigger_name TEXT NOT NULL, 
	complete BOOLEAN NOT NULL, 
	found BIGINT NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(run_id) REFERENCES runs (id)
);
INSERT INTO "reconciliations" VALUES(1,'2024-01-08T17:00:00.003000Z',1,'start',1,1);
CREATE TABLE regimes (
	id INTEGER NOT NULL, 
	at TEXT NOT NULL, 
	run_id INTEGER, 
	session DATE NOT NULL, 
	raw TEXT NOT NULL, 
	held TEXT NOT NULL, 
	inputs JSON NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(run_id) REFERENCES runs (id)
);
INSERT INTO "regimes" VALUES(1,'2024-01-08T17:00:00.006000Z',1,'2024-01-05','BULL','BULL','{"index": 4700.0, "vix": 13.5}');
CREATE TABLE run_ends (
	id INTEGER NOT NULL, 
	at TEXT NOT NULL, 
	run_id INTEGER, 
	reason TEXT NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (run_id), 
	FOREIGN KEY(run_id) REFERENCES runs (id)
);
INSERT INTO "run_ends" VALUES(1,'2024-01-08T17:00:00.022000Z',1,'stopped');
CREATE TABLE runs (
	id INTEGER NOT NULL, 
	at TEXT NOT NULL, 
	strategy TEXT NOT NULL, 
	config_digest TEXT NOT NULL, 
	code TEXT NOT NULL, 
	pid BIGINT NOT NULL, 
	host TEXT NOT NULL, 
	client_id BIGINT NOT NULL, 
	armed BOOLEAN NOT NULL, 
	detail JSON NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "runs" VALUES(1,'2024-01-08T17:00:00.002000Z','regime_ensemble','1a2b3c4d','commit',4711,'host',7,1,'{"python": "3.11"}');
CREATE TABLE schema_versions (
	id INTEGER NOT NULL, 
	at TEXT NOT NULL, 
	version BIGINT NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (version)
);
INSERT INTO "schema_versions" VALUES(1,'2024-01-08T17:00:00.001000Z',1);
CREATE TABLE stages (
	id INTEGER NOT NULL, 
	at TEXT NOT NULL, 
	run_id INTEGER, 
	ref TEXT NOT NULL, 
	stage TEXT NOT NULL, 
	reason TEXT NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(run_id) REFERENCES runs (id), 
	FOREIGN KEY(ref) REFERENCES intents (ref)
);
INSERT INTO "stages" VALUES(1,'2024-01-08T17:00:00.012000Z',1,'A7-20240105-00a8e4e4-265598-B-1','working','');
INSERT INTO "stages" VALUES(2,'2024-01-08T17:00:00.015000Z',1,'A7-20240105-00a8e4e4-265598-B-1','filled','');
CREATE TABLE wire_events (
	id INTEGER NOT NULL, 
	at TEXT NOT NULL, 
	run_id INTEGER, 
	kind TEXT NOT NULL, 
	seq BIGINT, 
	ref TEXT NOT NULL, 
	order_id BIGINT, 
	client_id BIGINT, 
	perm_id BIGINT, 
	code BIGINT, 
	status TEXT NOT NULL, 
	filled DOUBLE, 
	remaining DOUBLE, 
	average_price DOUBLE, 
	text TEXT NOT NULL, 
	detail JSON NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(run_id) REFERENCES runs (id)
);
INSERT INTO "wire_events" VALUES(1,'2024-01-08T17:00:00.011000Z',1,'status',1,'A7-20240105-00a8e4e4-265598-B-1',101,7,900,NULL,'Submitted',0.0,400.0,NULL,'','{}');
CREATE INDEX ix_wire_events_ref ON wire_events (ref);
CREATE INDEX ix_fills_ref ON fills (ref);
CREATE INDEX ix_fills_session ON fills (session);
CREATE INDEX ix_fills_con_id ON fills (con_id);
CREATE INDEX ix_fees_root ON fees (root);
CREATE INDEX ix_navs_session ON navs (session);
CREATE INDEX ix_flows_names ON flows (names);
CREATE INDEX ix_decisions_rebalance_id ON decisions (rebalance_id);
CREATE INDEX ix_intents_rebalance_id ON intents (rebalance_id);
CREATE INDEX ix_differences_reconciliation_id ON differences (reconciliation_id);
CREATE INDEX ix_stages_ref ON stages (ref);
CREATE INDEX ix_adjustments_con_id ON adjustments (con_id);
CREATE TRIGGER schema_versions_no_update BEFORE UPDATE ON schema_versions BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER schema_versions_no_delete BEFORE DELETE ON schema_versions BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER schema_versions_no_insert BEFORE INSERT ON schema_versions WHEN EXISTS (SELECT 1 FROM schema_versions WHERE (id = NEW.id) OR (version = NEW.version)) BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER identity_no_update BEFORE UPDATE ON identity BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER identity_no_delete BEFORE DELETE ON identity BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER identity_no_insert BEFORE INSERT ON identity WHEN EXISTS (SELECT 1 FROM identity WHERE (id = NEW.id)) BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER runs_no_update BEFORE UPDATE ON runs BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER runs_no_delete BEFORE DELETE ON runs BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER runs_no_insert BEFORE INSERT ON runs WHEN EXISTS (SELECT 1 FROM runs WHERE (id = NEW.id)) BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER run_ends_no_update BEFORE UPDATE ON run_ends BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER run_ends_no_delete BEFORE DELETE ON run_ends BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER run_ends_no_insert BEFORE INSERT ON run_ends WHEN EXISTS (SELECT 1 FROM run_ends WHERE (id = NEW.id) OR (run_id = NEW.run_id)) BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER rebalances_no_update BEFORE UPDATE ON rebalances BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER rebalances_no_delete BEFORE DELETE ON rebalances BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER rebalances_no_insert BEFORE INSERT ON rebalances WHEN EXISTS (SELECT 1 FROM rebalances WHERE (id = NEW.id) OR (rebalance_id = NEW.rebalance_id)) BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER rebalance_ends_no_update BEFORE UPDATE ON rebalance_ends BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER rebalance_ends_no_delete BEFORE DELETE ON rebalance_ends BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER rebalance_ends_no_insert BEFORE INSERT ON rebalance_ends WHEN EXISTS (SELECT 1 FROM rebalance_ends WHERE (id = NEW.id) OR (rebalance_id = NEW.rebalance_id)) BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER decisions_no_update BEFORE UPDATE ON decisions BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER decisions_no_delete BEFORE DELETE ON decisions BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER decisions_no_insert BEFORE INSERT ON decisions WHEN EXISTS (SELECT 1 FROM decisions WHERE (id = NEW.id)) BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER intents_no_update BEFORE UPDATE ON intents BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER intents_no_delete BEFORE DELETE ON intents BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER intents_no_insert BEFORE INSERT ON intents WHEN EXISTS (SELECT 1 FROM intents WHERE (id = NEW.id) OR (ref = NEW.ref)) BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER stages_no_update BEFORE UPDATE ON stages BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER stages_no_delete BEFORE DELETE ON stages BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER stages_no_insert BEFORE INSERT ON stages WHEN EXISTS (SELECT 1 FROM stages WHERE (id = NEW.id)) BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER wire_events_no_update BEFORE UPDATE ON wire_events BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER wire_events_no_delete BEFORE DELETE ON wire_events BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER wire_events_no_insert BEFORE INSERT ON wire_events WHEN EXISTS (SELECT 1 FROM wire_events WHERE (id = NEW.id)) BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER fills_no_update BEFORE UPDATE ON fills BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER fills_no_delete BEFORE DELETE ON fills BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER fills_no_insert BEFORE INSERT ON fills WHEN EXISTS (SELECT 1 FROM fills WHERE (id = NEW.id) OR (root = NEW.root AND revision = NEW.revision)) BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER fees_no_update BEFORE UPDATE ON fees BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER fees_no_delete BEFORE DELETE ON fees BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER fees_no_insert BEFORE INSERT ON fees WHEN EXISTS (SELECT 1 FROM fees WHERE (id = NEW.id)) BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER navs_no_update BEFORE UPDATE ON navs BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER navs_no_delete BEFORE DELETE ON navs BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER navs_no_insert BEFORE INSERT ON navs WHEN EXISTS (SELECT 1 FROM navs WHERE (id = NEW.id)) BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER regimes_no_update BEFORE UPDATE ON regimes BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER regimes_no_delete BEFORE DELETE ON regimes BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER regimes_no_insert BEFORE INSERT ON regimes WHEN EXISTS (SELECT 1 FROM regimes WHERE (id = NEW.id)) BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER flows_no_update BEFORE UPDATE ON flows BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER flows_no_delete BEFORE DELETE ON flows BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER flows_no_insert BEFORE INSERT ON flows WHEN EXISTS (SELECT 1 FROM flows WHERE (id = NEW.id) OR (key = NEW.key)) BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER alerts_no_update BEFORE UPDATE ON alerts BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER alerts_no_delete BEFORE DELETE ON alerts BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER alerts_no_insert BEFORE INSERT ON alerts WHEN EXISTS (SELECT 1 FROM alerts WHERE (id = NEW.id)) BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER acknowledgements_no_update BEFORE UPDATE ON acknowledgements BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER acknowledgements_no_delete BEFORE DELETE ON acknowledgements BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER acknowledgements_no_insert BEFORE INSERT ON acknowledgements WHEN EXISTS (SELECT 1 FROM acknowledgements WHERE (id = NEW.id) OR (alert_id = NEW.alert_id)) BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER reconciliations_no_update BEFORE UPDATE ON reconciliations BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER reconciliations_no_delete BEFORE DELETE ON reconciliations BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER reconciliations_no_insert BEFORE INSERT ON reconciliations WHEN EXISTS (SELECT 1 FROM reconciliations WHERE (id = NEW.id)) BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER differences_no_update BEFORE UPDATE ON differences BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER differences_no_delete BEFORE DELETE ON differences BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER differences_no_insert BEFORE INSERT ON differences WHEN EXISTS (SELECT 1 FROM differences WHERE (id = NEW.id)) BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER adjustments_no_update BEFORE UPDATE ON adjustments BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER adjustments_no_delete BEFORE DELETE ON adjustments BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER adjustments_no_insert BEFORE INSERT ON adjustments WHEN EXISTS (SELECT 1 FROM adjustments WHERE (id = NEW.id)) BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER halts_no_update BEFORE UPDATE ON halts BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER halts_no_delete BEFORE DELETE ON halts BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER halts_no_insert BEFORE INSERT ON halts WHEN EXISTS (SELECT 1 FROM halts WHERE (id = NEW.id)) BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE VIEW v_fills AS 
        SELECT f.* FROM fills f
        WHERE NOT EXISTS (SELECT 1 FROM fills g WHERE g.root = f.root AND g.revision > f.revision);
CREATE VIEW v_fees AS 
        SELECT e.* FROM fees e
        WHERE NOT EXISTS (
            SELECT 1 FROM fees g
            WHERE g.root = e.root AND (g.revision > e.revision OR (g.revision = e.revision AND g.id > e.id))
        );
CREATE VIEW v_stages AS 
        SELECT s.* FROM stages s WHERE NOT EXISTS (SELECT 1 FROM stages t WHERE t.ref = s.ref AND t.id > s.id);
CREATE VIEW v_filled AS 
        SELECT f.ref AS ref, CAST(ROUND(CAST(SUM(f.shares) AS NUMERIC), 9) AS DOUBLE PRECISION) AS filled,
            CASE WHEN SUM(f.shares) > 0 THEN SUM(f.shares * f.price) / SUM(f.shares) END AS average_price,
            CASE WHEN COUNT(*) = COUNT(e.amount) THEN SUM(e.amount) END AS fee_usd
        FROM v_fills f LEFT JOIN v_fees e ON e.root = f.root AND e.currency = 'USD'
        WHERE f.ref <> '' GROUP BY f.ref;
CREATE VIEW v_orders AS 
        SELECT i.id, i.at, i.run_id, i.ref, i.con_id, i.symbol, i.side, i.quantity, i.order_type, i.tif, i.session,
            i.order_id, i.client_id, i.rebalance_id, i.decision_price, i.limit_price, i.stop_price,
            i.good_till, i.oca_group, i.parent_id, i.transmit, i.outside_hours, i.algo, i.algo_params,
            COALESCE(s.stage, 'intent') AS stage, s.at AS stage_at, COALESCE(s.reason, '') AS stage_reason,
            COALESCE(x.filled, 0) AS filled, x.average_price, x.fee_usd,
            CASE WHEN s.stage IN ('filled', 'cancelled', 'rejected', 'expired', 'shown') THEN 1 WHEN x.filled >= i.quantity THEN 1 ELSE 0 END AS done
        FROM intents i LEFT JOIN v_stages s ON s.ref = i.ref LEFT JOIN v_filled x ON x.ref = i.ref;
CREATE VIEW v_positions AS 
        SELECT con_id, MAX(symbol) AS symbol, CAST(ROUND(CAST(SUM(shares) AS NUMERIC), 9) AS DOUBLE PRECISION) AS shares
        FROM (
            SELECT con_id, symbol, CASE side WHEN 'BUY' THEN shares ELSE -shares END AS shares FROM v_fills WHERE ref IN (SELECT ref FROM intents)
            UNION ALL
            SELECT con_id, symbol, shares FROM adjustments WHERE kind <> 'ignore'
        ) AS moves
        GROUP BY con_id HAVING CAST(ROUND(CAST(SUM(shares) AS NUMERIC), 9) AS DOUBLE PRECISION) <> 0;
CREATE VIEW v_flows AS 
        SELECT f.id, f.at, f.run_id, f.session, COALESCE(n.kind, f.kind) AS kind, f.amount_usd, f.key, f.symbol,
            f.con_id, COALESCE(n.text, f.text) AS text
        FROM flows f
        LEFT JOIN flows n ON n.id = (SELECT MAX(m.id) FROM flows m WHERE m.names = f.id)
        WHERE f.names IS NULL;
CREATE VIEW v_nav AS 
        SELECT n.session, n.nav_usd, n.cash_usd, n.gross_usd, n.net_usd, n.source, n.at,
            COALESCE((SELECT SUM(f.amount_usd) FROM v_flows f WHERE f.session = n.session), 0) AS flow_usd
        FROM navs n
        WHERE n.id = (SELECT MAX(m.id) FROM navs m WHERE m.session = n.session AND m.kind = 'close');
CREATE VIEW v_trades AS 
        SELECT f.session, f.traded_at, f.symbol, f.con_id, f.side, f.shares, f.price,
            f.shares * f.price AS notional_usd, e.amount AS fee_usd, f.ref, i.rebalance_id, i.decision_price,
            CASE WHEN i.decision_price > 0 THEN 10000.0 * (f.price - i.decision_price) / i.decision_price
                * CASE f.side WHEN 'BUY' THEN 1 ELSE -1 END END AS shortfall_bps,
            CASE WHEN i.ref IS NULL THEN 0 ELSE 1 END AS ours, f.root, f.revision
        FROM v_fills f
        LEFT JOIN intents i ON i.ref = f.ref
        LEFT JOIN v_fees e ON e.root = f.root AND e.currency = 'USD'
        WHERE f.shares > 0;
COMMIT;
