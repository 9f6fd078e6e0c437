CREATE SCHEMA ares7_paper;
CREATE FUNCTION ares7_paper.append_only() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN RAISE EXCEPTION 'the journal is append-only' USING ERRCODE = 'integrity_constraint_violation'; END $$;
CREATE TABLE ares7_paper.acknowledgements (
    id bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    run_id bigint,
    alert_id bigint NOT NULL,
    who text NOT NULL,
    note text NOT NULL
);
CREATE SEQUENCE ares7_paper.acknowledgements_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE ares7_paper.acknowledgements_id_seq OWNED BY ares7_paper.acknowledgements.id;
CREATE TABLE ares7_paper.adjustments (
    id bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    run_id bigint,
    con_id bigint NOT NULL,
    symbol text NOT NULL,
    kind text NOT NULL,
    shares double precision NOT NULL,
    before_shares double precision NOT NULL,
    price double precision,
    who text NOT NULL,
    reason text NOT NULL,
    difference_id bigint
);
CREATE SEQUENCE ares7_paper.adjustments_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE ares7_paper.adjustments_id_seq OWNED BY ares7_paper.adjustments.id;
CREATE TABLE ares7_paper.alerts (
    id bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    run_id bigint,
    severity text NOT NULL,
    code text NOT NULL,
    message text NOT NULL,
    session date,
    symbol text NOT NULL,
    ref text NOT NULL
);
CREATE SEQUENCE ares7_paper.alerts_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE ares7_paper.alerts_id_seq OWNED BY ares7_paper.alerts.id;
CREATE TABLE ares7_paper.decisions (
    id bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    run_id bigint,
    rebalance_id text NOT NULL,
    symbol text NOT NULL,
    con_id bigint NOT NULL,
    target_weight double precision NOT NULL,
    target_shares double precision NOT NULL,
    held_shares double precision NOT NULL,
    working_shares double precision NOT NULL,
    delta_shares double precision NOT NULL,
    price double precision,
    outcome text NOT NULL,
    reason text NOT NULL,
    ref text NOT NULL,
    detail jsonb NOT NULL
);
CREATE SEQUENCE ares7_paper.decisions_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE ares7_paper.decisions_id_seq OWNED BY ares7_paper.decisions.id;
CREATE TABLE ares7_paper.differences (
    id bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    run_id bigint,
    reconciliation_id bigint NOT NULL,
    kind text NOT NULL,
    symbol text NOT NULL,
    con_id bigint NOT NULL,
    journal_shares double precision,
    gateway_shares double precision,
    explanation text NOT NULL,
    ref text NOT NULL
);
CREATE SEQUENCE ares7_paper.differences_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE ares7_paper.differences_id_seq OWNED BY ares7_paper.differences.id;
CREATE TABLE ares7_paper.fees (
    id bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    run_id bigint,
    root text NOT NULL,
    revision bigint NOT NULL,
    amount double precision NOT NULL,
    currency text NOT NULL,
    realised_pnl double precision
);
CREATE SEQUENCE ares7_paper.fees_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE ares7_paper.fees_id_seq OWNED BY ares7_paper.fees.id;
CREATE TABLE ares7_paper.fills (
    id bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    run_id bigint,
    root text NOT NULL,
    revision bigint NOT NULL,
    ref text NOT NULL,
    con_id bigint NOT NULL,
    symbol text NOT NULL,
    side text NOT NULL,
    shares double precision NOT NULL,
    price double precision NOT NULL,
    traded_at timestamp with time zone NOT NULL,
    session date NOT NULL,
    order_id bigint NOT NULL,
    client_id bigint NOT NULL,
    perm_id bigint NOT NULL,
    exchange text NOT NULL,
    replayed boolean NOT NULL,
    CONSTRAINT fills_shares_check CHECK ((shares >= (0)::double precision)),
    CONSTRAINT fills_side_check CHECK ((side = ANY (ARRAY['BUY'::text, 'SELL'::text])))
);
CREATE SEQUENCE ares7_paper.fills_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE ares7_paper.fills_id_seq OWNED BY ares7_paper.fills.id;
CREATE TABLE ares7_paper.flows (
    id bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    run_id bigint,
    session date NOT NULL,
    kind text NOT NULL,
    amount_usd double precision NOT NULL,
    key text,
    symbol text NOT NULL,
    con_id bigint,
    text text NOT NULL,
    names bigint
);
CREATE SEQUENCE ares7_paper.flows_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE ares7_paper.flows_id_seq OWNED BY ares7_paper.flows.id;
CREATE TABLE ares7_paper.halts (
    id bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    run_id bigint,
    level text NOT NULL,
    who text NOT NULL,
    reason text NOT NULL
);
CREATE SEQUENCE ares7_paper.halts_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE ares7_paper.halts_id_seq OWNED BY ares7_paper.halts.id;
CREATE TABLE ares7_paper.identity (
    id bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    mode text NOT NULL,
    account text NOT NULL
);
CREATE SEQUENCE ares7_paper.identity_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE ares7_paper.identity_id_seq OWNED BY ares7_paper.identity.id;
CREATE TABLE ares7_paper.intents (
    id bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    run_id bigint,
    ref text NOT NULL,
    con_id bigint NOT NULL,
    symbol text NOT NULL,
    side text NOT NULL,
    quantity bigint NOT NULL,
    order_type text NOT NULL,
    tif text NOT NULL,
    session date NOT NULL,
    order_id bigint NOT NULL,
    client_id bigint NOT NULL,
    rebalance_id text,
    decision_price double precision,
    limit_price double precision,
    stop_price double precision,
    good_till text NOT NULL,
    oca_group text NOT NULL,
    parent_id bigint NOT NULL,
    transmit boolean NOT NULL,
    outside_hours boolean NOT NULL,
    algo text NOT NULL,
    algo_params jsonb NOT NULL,
    CONSTRAINT intents_quantity_check CHECK ((quantity > 0)),
    CONSTRAINT intents_side_check CHECK ((side = ANY (ARRAY['BUY'::text, 'SELL'::text])))
);
CREATE SEQUENCE ares7_paper.intents_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE ares7_paper.intents_id_seq OWNED BY ares7_paper.intents.id;
CREATE TABLE ares7_paper.navs (
    id bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    run_id bigint,
    session date NOT NULL,
    kind text NOT NULL,
    nav_usd double precision NOT NULL,
    cash_usd double precision,
    gross_usd double precision,
    net_usd double precision,
    source text NOT NULL
);
CREATE SEQUENCE ares7_paper.navs_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE ares7_paper.navs_id_seq OWNED BY ares7_paper.navs.id;
CREATE TABLE ares7_paper.rebalance_ends (
    id bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    run_id bigint,
    rebalance_id text NOT NULL,
    outcome text NOT NULL,
    detail jsonb NOT NULL
);
CREATE SEQUENCE ares7_paper.rebalance_ends_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE ares7_paper.rebalance_ends_id_seq OWNED BY ares7_paper.rebalance_ends.id;
CREATE TABLE ares7_paper.rebalances (
    id bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    run_id bigint,
    rebalance_id text NOT NULL,
    session date NOT NULL,
    strategy text NOT NULL,
    config_digest text NOT NULL,
    reason text NOT NULL,
    nav_usd double precision,
    cash_usd double precision,
    capital_usd double precision,
    detail jsonb NOT NULL
);
CREATE SEQUENCE ares7_paper.rebalances_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE ares7_paper.rebalances_id_seq OWNED BY ares7_paper.rebalances.id;
CREATE TABLE ares7_paper.reconciliations (
    id bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    run_id bigint,
    trigger_name text NOT NULL,
    complete boolean NOT NULL,
    found bigint NOT NULL
);
CREATE SEQUENCE ares7_paper.reconciliations_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE ares7_paper.reconciliations_id_seq OWNED BY ares7_paper.reconciliations.id;
CREATE TABLE ares7_paper.regimes (
    id bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    run_id bigint,
    session date NOT NULL,
    raw text NOT NULL,
    held text NOT NULL,
    inputs jsonb NOT NULL
);
CREATE SEQUENCE ares7_paper.regimes_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE ares7_paper.regimes_id_seq OWNED BY ares7_paper.regimes.id;
CREATE TABLE ares7_paper.run_ends (
    id bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    run_id bigint,
    reason text NOT NULL
);
CREATE SEQUENCE ares7_paper.run_ends_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE ares7_paper.run_ends_id_seq OWNED BY ares7_paper.run_ends.id;
CREATE TABLE ares7_paper.runs (
    id bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    strategy text NOT NULL,
    config_digest text NOT NULL,
    code text NOT NULL,
    pid bigint NOT NULL,
    host text NOT NULL,
    client_id bigint NOT NULL,
    armed boolean NOT NULL,
    detail jsonb NOT NULL
);
CREATE SEQUENCE ares7_paper.runs_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE ares7_paper.runs_id_seq OWNED BY ares7_paper.runs.id;
CREATE TABLE ares7_paper.schema_versions (
    id bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    version bigint NOT NULL
);
CREATE SEQUENCE ares7_paper.schema_versions_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE ares7_paper.schema_versions_id_seq OWNED BY ares7_paper.schema_versions.id;
CREATE TABLE ares7_paper.stages (
    id bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    run_id bigint,
    ref text NOT NULL,
    stage text NOT NULL,
    reason text NOT NULL
);
CREATE SEQUENCE ares7_paper.stages_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE ares7_paper.stages_id_seq OWNED BY ares7_paper.stages.id;
CREATE VIEW ares7_paper.v_fees AS
 SELECT e.id,
    e.at,
    e.run_id,
    e.root,
    e.revision,
    e.amount,
    e.currency,
    e.realised_pnl
   FROM ares7_paper.fees e
  WHERE (NOT (EXISTS ( SELECT 1
           FROM ares7_paper.fees g
          WHERE ((g.root = e.root) AND ((g.revision > e.revision) OR ((g.revision = e.revision) AND (g.id > e.id)))))));
CREATE VIEW ares7_paper.v_fills AS
 SELECT f.id,
    f.at,
    f.run_id,
    f.root,
    f.revision,
    f.ref,
    f.con_id,
    f.symbol,
    f.side,
    f.shares,
    f.price,
    f.traded_at,
    f.session,
    f.order_id,
    f.client_id,
    f.perm_id,
    f.exchange,
    f.replayed
   FROM ares7_paper.fills f
  WHERE (NOT (EXISTS ( SELECT 1
           FROM ares7_paper.fills g
          WHERE ((g.root = f.root) AND (g.revision > f.revision)))));
CREATE VIEW ares7_paper.v_filled AS
 SELECT f.ref,
    (round((sum(f.shares))::numeric, 9))::double precision AS filled,
        CASE
            WHEN (sum(f.shares) > (0)::double precision) THEN (sum((f.shares * f.price)) / sum(f.shares))
            ELSE NULL::double precision
        END AS average_price,
        CASE
            WHEN (count(*) = count(e.amount)) THEN sum(e.amount)
            ELSE NULL::double precision
        END AS fee_usd
   FROM (ares7_paper.v_fills f
     LEFT JOIN ares7_paper.v_fees e ON (((e.root = f.root) AND (e.currency = 'USD'::text))))
  WHERE (f.ref <> ''::text)
  GROUP BY f.ref;
CREATE VIEW ares7_paper.v_flows AS
 SELECT f.id,
    f.at,
    f.run_id,
    f.session,
    COALESCE(n.kind, f.kind) AS kind,
    f.amount_usd,
    f.key,
    f.symbol,
    f.con_id,
    COALESCE(n.text, f.text) AS text
   FROM (ares7_paper.flows f
     LEFT JOIN ares7_paper.flows n ON ((n.id = ( SELECT max(m.id) AS max
           FROM ares7_paper.flows m
          WHERE (m.names = f.id)))))
  WHERE (f.names IS NULL);
CREATE VIEW ares7_paper.v_nav AS
 SELECT n.session,
    n.nav_usd,
    n.cash_usd,
    n.gross_usd,
    n.net_usd,
    n.source,
    n.at,
    COALESCE(( SELECT sum(f.amount_usd) AS sum
           FROM ares7_paper.v_flows f
          WHERE (f.session = n.session)), (0)::double precision) AS flow_usd
   FROM ares7_paper.navs n
  WHERE (n.id = ( SELECT max(m.id) AS max
           FROM ares7_paper.navs m
          WHERE ((m.session = n.session) AND (m.kind = 'close'::text))));
CREATE VIEW ares7_paper.v_stages AS
 SELECT s.id,
    s.at,
    s.run_id,
    s.ref,
    s.stage,
    s.reason
   FROM ares7_paper.stages s
  WHERE (NOT (EXISTS ( SELECT 1
           FROM ares7_paper.stages t
          WHERE ((t.ref = s.ref) AND (t.id > s.id)))));
CREATE VIEW ares7_paper.v_orders AS
 SELECT i.id,
    i.at,
    i.run_id,
    i.ref,
    i.con_id,
    i.symbol,
    i.side,
    i.quantity,
    i.order_type,
    i.tif,
    i.session,
    i.order_id,
    i.client_id,
    i.rebalance_id,
    i.decision_price,
    i.limit_price,
    i.stop_price,
    i.good_till,
    i.oca_group,
    i.parent_id,
    i.transmit,
    i.outside_hours,
    i.algo,
    i.algo_params,
    COALESCE(s.stage, 'intent'::text) AS stage,
    s.at AS stage_at,
    COALESCE(s.reason, ''::text) AS stage_reason,
    COALESCE(x.filled, (0)::double precision) AS filled,
    x.average_price,
    x.fee_usd,
        CASE
            WHEN (s.stage = ANY (ARRAY['filled'::text, 'cancelled'::text, 'rejected'::text, 'expired'::text, 'shown'::text])) THEN 1
            WHEN (x.filled >= (i.quantity)::double precision) THEN 1
            ELSE 0
        END AS done
   FROM ((ares7_paper.intents i
     LEFT JOIN ares7_paper.v_stages s ON ((s.ref = i.ref)))
     LEFT JOIN ares7_paper.v_filled x ON ((x.ref = i.ref)));
CREATE VIEW ares7_paper.v_positions AS
 SELECT moves.con_id,
    max(moves.symbol) AS symbol,
    (round((sum(moves.shares))::numeric, 9))::double precision AS shares
   FROM ( SELECT v_fills.con_id,
            v_fills.symbol,
                CASE v_fills.side
                    WHEN 'BUY'::text THEN v_fills.shares
                    ELSE (- v_fills.shares)
                END AS shares
           FROM ares7_paper.v_fills
          WHERE (v_fills.ref IN ( SELECT intents.ref
                   FROM ares7_paper.intents))
        UNION ALL
         SELECT adjustments.con_id,
            adjustments.symbol,
            adjustments.shares
           FROM ares7_paper.adjustments
          WHERE (adjustments.kind <> 'ignore'::text)) moves
  GROUP BY moves.con_id
 HAVING ((round((sum(moves.shares))::numeric, 9))::double precision <> (0)::double precision);
CREATE VIEW ares7_paper.v_trades AS
 SELECT f.session,
    f.traded_at,
    f.symbol,
    f.con_id,
    f.side,
    f.shares,
    f.price,
    (f.shares * f.price) AS notional_usd,
    e.amount AS fee_usd,
    f.ref,
    i.rebalance_id,
    i.decision_price,
        CASE
            WHEN (i.decision_price > (0)::double precision) THEN ((((10000.0)::double precision * (f.price - i.decision_price)) / i.decision_price) * (
            CASE f.side
                WHEN 'BUY'::text THEN 1
                ELSE '-1'::integer
            END)::double precision)
            ELSE NULL::double precision
        END AS shortfall_bps,
        CASE
            WHEN (i.ref IS NULL) THEN 0
            ELSE 1
        END AS ours,
    f.root,
    f.revision
   FROM ((ares7_paper.v_fills f
     LEFT JOIN ares7_paper.intents i ON ((i.ref = f.ref)))
     LEFT JOIN ares7_paper.v_fees e ON (((e.root = f.root) AND (e.currency = 'USD'::text))))
  WHERE (f.shares > (0)::double precision);
CREATE TABLE ares7_paper.wire_events (
    id bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    run_id bigint,
    kind text NOT NULL,
    seq bigint,
    ref text NOT NULL,
    order_id bigint,
    client_id bigint,
    perm_id bigint,
    code bigint,
    status text NOT NULL,
    filled double precision,
    remaining double precision,
    average_price double precision,
    text text NOT NULL,
    detail jsonb NOT NULL
);
CREATE SEQUENCE ares7_paper.wire_events_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE ares7_paper.wire_events_id_seq OWNED BY ares7_paper.wire_events.id;
ALTER TABLE ONLY ares7_paper.acknowledgements ALTER COLUMN id SET DEFAULT nextval('ares7_paper.acknowledgements_id_seq'::regclass);
ALTER TABLE ONLY ares7_paper.adjustments ALTER COLUMN id SET DEFAULT nextval('ares7_paper.adjustments_id_seq'::regclass);
ALTER TABLE ONLY ares7_paper.alerts ALTER COLUMN id SET DEFAULT nextval('ares7_paper.alerts_id_seq'::regclass);
ALTER TABLE ONLY ares7_paper.decisions ALTER COLUMN id SET DEFAULT nextval('ares7_paper.decisions_id_seq'::regclass);
ALTER TABLE ONLY ares7_paper.differences ALTER COLUMN id SET DEFAULT nextval('ares7_paper.differences_id_seq'::regclass);
ALTER TABLE ONLY ares7_paper.fees ALTER COLUMN id SET DEFAULT nextval('ares7_paper.fees_id_seq'::regclass);
ALTER TABLE ONLY ares7_paper.fills ALTER COLUMN id SET DEFAULT nextval('ares7_paper.fills_id_seq'::regclass);
ALTER TABLE ONLY ares7_paper.flows ALTER COLUMN id SET DEFAULT nextval('ares7_paper.flows_id_seq'::regclass);
ALTER TABLE ONLY ares7_paper.halts ALTER COLUMN id SET DEFAULT nextval('ares7_paper.halts_id_seq'::regclass);
ALTER TABLE ONLY ares7_paper.identity ALTER COLUMN id SET DEFAULT nextval('ares7_paper.identity_id_seq'::regclass);
ALTER TABLE ONLY ares7_paper.intents ALTER COLUMN id SET DEFAULT nextval('ares7_paper.intents_id_seq'::regclass);
ALTER TABLE ONLY ares7_paper.navs ALTER COLUMN id SET DEFAULT nextval('ares7_paper.navs_id_seq'::regclass);
ALTER TABLE ONLY ares7_paper.rebalance_ends ALTER COLUMN id SET DEFAULT nextval('ares7_paper.rebalance_ends_id_seq'::regclass);
ALTER TABLE ONLY ares7_paper.rebalances ALTER COLUMN id SET DEFAULT nextval('ares7_paper.rebalances_id_seq'::regclass);
ALTER TABLE ONLY ares7_paper.reconciliations ALTER COLUMN id SET DEFAULT nextval('ares7_paper.reconciliations_id_seq'::regclass);
ALTER TABLE ONLY ares7_paper.regimes ALTER COLUMN id SET DEFAULT nextval('ares7_paper.regimes_id_seq'::regclass);
ALTER TABLE ONLY ares7_paper.run_ends ALTER COLUMN id SET DEFAULT nextval('ares7_paper.run_ends_id_seq'::regclass);
ALTER TABLE ONLY ares7_paper.runs ALTER COLUMN id SET DEFAULT nextval('ares7_paper.runs_id_seq'::regclass);
ALTER TABLE ONLY ares7_paper.schema_versions ALTER COLUMN id SET DEFAULT nextval('ares7_paper.schema_versions_id_seq'::regclass);
ALTER TABLE ONLY ares7_paper.stages ALTER COLUMN id SET DEFAULT nextval('ares7_paper.stages_id_seq'::regclass);
ALTER TABLE ONLY ares7_paper.wire_events ALTER COLUMN id SET DEFAULT nextval('ares7_paper.wire_events_id_seq'::regclass);
INSERT INTO ares7_paper.acknowledgements VALUES (1, '2024-01-08 17:00:00.02+00', 1, 1, 'operator', 'seen');
INSERT INTO ares7_paper.adjustments VALUES (1, '2024-01-08 17:00:00.005+00', 1, 272093, 'MSFT', 'adopt', 10, 0, NULL, 'op', 'bought by hand', NULL);
INSERT INTO ares7_paper.alerts VALUES (1, '2024-01-08 17:00:00.019+00', 1, 'warning', 'missing_fill', 'an execution was found late', '2024-01-08', 'AAPL', 'A7-20240105-00a8e4e4-265598-B-1');
INSERT INTO ares7_paper.decisions VALUES (1, '2024-01-08 17:00:00.008+00', 1, '00a8e4e4', 'AAPL', 265598, 0.1, 500, 100, 0, 400, 181.25, 'order', '', 'A7-20240105-00a8e4e4-265598-B-1', '{"sleeves": {"lv": 0.02, "qm": 0.08}}');
INSERT INTO ares7_paper.decisions VALUES (2, '2024-01-08 17:00:00.009+00', 1, '00a8e4e4', 'MSFT', 272093, 0.1, 500, 100, 0, 400, NULL, 'unchanged', '', '', '{"sleeves": {"lv": 0.02, "qm": 0.08}}');
INSERT INTO ares7_paper.differences VALUES (1, '2024-01-08 17:00:00.004+00', 1, 1, 'split', 'MSFT', 272093, 10, 20, '2 for 1', '');
INSERT INTO ares7_paper.fees VALUES (1, '2024-01-08 17:00:00.014+00', 1, '0000e0d5.1', 1, 2.05, 'USD', NULL);
INSERT INTO ares7_paper.fills VALUES (1, '2024-01-08 17:00:00.013+00', 1, '0000e0d5.1', 1, 'A7-20240105-00a8e4e4-265598-B-1', 265598, 'AAPL', 'BUY', 400, 181.8, '2024-01-08 17:00:00+00', '2024-01-08', 101, 7, 900, 'NASDAQ', false);
INSERT INTO ares7_paper.flows VALUES (1, '2024-01-08 17:00:00.018+00', 1, '2024-01-08', 'unknown', 1000, 'cash-20240108-1', '', NULL, '', NULL);
INSERT INTO ares7_paper.halts VALUES (1, '2024-01-08 17:00:00.021+00', 1, 'BLOCK_NEW', 'operator', 'test');
INSERT INTO ares7_paper.identity VALUES (1, '2024-01-08 17:00:00.001+00', 'paper', 'DU1234567');
INSERT INTO ares7_paper.intents VALUES (1, '2024-01-08 17:00:00.01+00', 1, 'A7-20240105-00a8e4e4-265598-B-1', 265598, 'AAPL', 'BUY', 400, 'MKT', 'OPG', '2024-01-05', 101, 7, '00a8e4e4', 180, NULL, NULL, '', '', 0, true, false, '', '[]');
INSERT INTO ares7_paper.navs VALUES (1, '2024-01-08 17:00:00.017+00', 1, '2024-01-08', 'close', 1000500.25, 150000, 850000, 850000, 'gateway');
INSERT INTO ares7_paper.rebalance_ends VALUES (1, '2024-01-08 17:00:00.016+00', 1, '00a8e4e4', 'done', '{"orders": 1}');
INSERT INTO ares7_paper.rebalances VALUES (1, '2024-01-08 17:00:00.007+00', 1, '00a8e4e4', '2024-01-05', 'regime_ensemble', '1a2b3c4d', 'month_end', 1000000, 200000, 1000000, '{"regime": "BULL", "sleeves": {"lv": 0.3, "qm": 0.7}}');
INSERT INTO ares7_paper.reconciliations VALUES (1, '2024-01-08 17:00:00.003+00', 1, 'start', true, 1);
INSERT INTO ares7_paper.regimes VALUES (1, '2024-01-08 17:00:00.006+00', 1, '2024-01-05', 'BULL', 'BULL', '{"vix": 13.5, "index": 4700.0}');
INSERT INTO ares7_paper.run_ends VALUES (1, '2024-01-08 17:00:00.022+00', 1, 'stopped');
INSERT INTO ares7_paper.runs VALUES (1, '2024-01-08 17:00:00.002+00', 'regime_ensemble', '1a2b3c4d', 'commit', 4711, 'host', 7, true, '{"python": "3.11"}');
INSERT INTO ares7_paper.schema_versions VALUES (1, '2024-01-08 17:00:00.001+00', 1);
INSERT INTO ares7_paper.stages VALUES (1, '2024-01-08 17:00:00.012+00', 1, 'A7-20240105-00a8e4e4-265598-B-1', 'working', '');
INSERT INTO ares7_paper.stages VALUES (2, '2024-01-08 17:00:00.015+00', 1, 'A7-20240105-00a8e4e4-265598-B-1', 'filled', '');
INSERT INTO ares7_paper.wire_events VALUES (1, '2024-01-08 17:00:00.011+00', 1, 'status', 1, 'A7-20240105-00a8e4e4-265598-B-1', 101, 7, 900, NULL, 'Submitted', 0, 400, NULL, '', '{}');
SELECT pg_catalog.setval('ares7_paper.acknowledgements_id_seq', 1, true);
SELECT pg_catalog.setval('ares7_paper.adjustments_id_seq', 1, true);
SELECT pg_catalog.setval('ares7_paper.alerts_id_seq', 1, true);
SELECT pg_catalog.setval('ares7_paper.decisions_id_seq', 2, true);
SELECT pg_catalog.setval('ares7_paper.differences_id_seq', 1, true);
SELECT pg_catalog.setval('ares7_paper.fees_id_seq', 1, true);
SELECT pg_catalog.setval('ares7_paper.fills_id_seq', 1, true);
SELECT pg_catalog.setval('ares7_paper.flows_id_seq', 1, true);
SELECT pg_catalog.setval('ares7_paper.halts_id_seq', 1, true);
SELECT pg_catalog.setval('ares7_paper.identity_id_seq', 1, true);
SELECT pg_catalog.setval('ares7_paper.intents_id_seq', 1, true);
SELECT pg_catalog.setval('ares7_paper.navs_id_seq', 1, true);
SELECT pg_catalog.setval('ares7_paper.rebalance_ends_id_seq', 1, true);
SELECT pg_catalog.setval('ares7_paper.rebalances_id_seq', 1, true);
SELECT pg_catalog.setval('ares7_paper.reconciliations_id_seq', 1, true);
SELECT pg_catalog.setval('ares7_paper.regimes_id_seq', 1, true);
SELECT pg_catalog.setval('ares7_paper.run_ends_id_seq', 1, true);
SELECT pg_catalog.setval('ares7_paper.runs_id_seq', 1, true);
SELECT pg_catalog.setval('ares7_paper.schema_versions_id_seq', 1, true);
SELECT pg_catalog.setval('ares7_paper.stages_id_seq', 2, true);
SELECT pg_catalog.setval('ares7_paper.wire_events_id_seq', 1, true);
ALTER TABLE ONLY ares7_paper.acknowledgements
    ADD CONSTRAINT acknowledgements_alert_id_key UNIQUE (alert_id);
ALTER TABLE ONLY ares7_paper.acknowledgements
    ADD CONSTRAINT acknowledgements_pkey PRIMARY KEY (id);
ALTER TABLE ONLY ares7_paper.adjustments
    ADD CONSTRAINT adjustments_pkey PRIMARY KEY (id);
ALTER TABLE ONLY ares7_paper.alerts
    ADD CONSTRAINT alerts_pkey PRIMARY KEY (id);
ALTER TABLE ONLY ares7_paper.decisions
    ADD CONSTRAINT decisions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY ares7_paper.differences
    ADD CONSTRAINT differences_pkey PRIMARY KEY (id);
ALTER TABLE ONLY ares7_paper.fees
    ADD CONSTRAINT fees_pkey PRIMARY KEY (id);
ALTER TABLE ONLY ares7_paper.fills
    ADD CONSTRAINT fills_pkey PRIMARY KEY (id);
ALTER TABLE ONLY ares7_paper.fills
    ADD CONSTRAINT fills_root_revision_key UNIQUE (root, revision);
ALTER TABLE ONLY ares7_paper.flows
    ADD CONSTRAINT flows_key_key UNIQUE (key);
ALTER TABLE ONLY ares7_paper.flows
    ADD CONSTRAINT flows_pkey PRIMARY KEY (id);
ALTER TABLE ONLY ares7_paper.halts
    ADD CONSTRAINT halts_pkey PRIMARY KEY (id);
ALTER TABLE ONLY ares7_paper.identity
    ADD CONSTRAINT identity_pkey PRIMARY KEY (id);
ALTER TABLE ONLY ares7_paper.intents
    ADD CONSTRAINT intents_pkey PRIMARY KEY (id);
ALTER TABLE ONLY ares7_paper.intents
    ADD CONSTRAINT intents_ref_key UNIQUE (ref);
ALTER TABLE ONLY ares7_paper.navs
    ADD CONSTRAINT navs_pkey PRIMARY KEY (id);
ALTER TABLE ONLY ares7_paper.rebalance_ends
    ADD CONSTRAINT rebalance_ends_pkey PRIMARY KEY (id);
ALTER TABLE ONLY ares7_paper.rebalance_ends
    ADD CONSTRAINT rebalance_ends_rebalance_id_key UNIQUE (rebalance_id);
ALTER TABLE ONLY ares7_paper.rebalances
    ADD CONSTRAINT rebalances_pkey PRIMARY KEY (id);
ALTER TABLE ONLY ares7_paper.rebalances
    ADD CONSTRAINT rebalances_rebalance_id_key UNIQUE (rebalance_id);
ALTER TABLE ONLY ares7_paper.reconciliations
    ADD CONSTRAINT reconciliations_pkey PRIMARY KEY (id);
ALTER TABLE ONLY ares7_paper.regimes
    ADD CONSTRAINT regimes_pkey PRIMARY KEY (id);
ALTER TABLE ONLY ares7_paper.run_ends
    ADD CONSTRAINT run_ends_pkey PRIMARY KEY (id);
ALTER TABLE ONLY ares7_paper.run_ends
    ADD CONSTRAINT run_ends_run_id_key UNIQUE (run_id);
ALTER TABLE ONLY ares7_paper.runs
    ADD CONSTRAINT runs_pkey PRIMARY KEY (id);
ALTER TABLE ONLY ares7_paper.schema_versions
    ADD CONSTRAINT schema_versions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY ares7_paper.schema_versions
    ADD CONSTRAINT schema_versions_version_key UNIQUE (version);
ALTER TABLE ONLY ares7_paper.stages
    ADD CONSTRAINT stages_pkey PRIMARY KEY (id);
ALTER TABLE ONLY ares7_paper.wire_events
    ADD CONSTRAINT wire_events_pkey PRIMARY KEY (id);
CREATE INDEX ix_adjustments_con_id ON ares7_paper.adjustments USING btree (con_id);
CREATE INDEX ix_decisions_rebalance_id ON ares7_paper.decisions USING btree (rebalance_id);
CREATE INDEX ix_differences_reconciliation_id ON ares7_paper.differences USING btree (reconciliation_id);
CREATE INDEX ix_fees_root ON ares7_paper.fees USING btree (root);
CREATE INDEX ix_fills_con_id ON ares7_paper.fills USING btree (con_id);
CREATE INDEX ix_fills_ref ON ares7_paper.fills USING btree (ref);
CREATE INDEX ix_fills_session ON ares7_paper.fills USING btree (session);
CREATE INDEX ix_flows_names ON ares7_paper.flows USING btree (names);
CREATE INDEX ix_intents_rebalance_id ON ares7_paper.intents USING btree (rebalance_id);
CREATE INDEX ix_navs_session ON ares7_paper.navs USING btree (session);
CREATE INDEX ix_stages_ref ON ares7_paper.stages USING btree (ref);
CREATE INDEX ix_wire_events_ref ON ares7_paper.wire_events USING btree (ref);
CREATE TRIGGER acknowledgements_no_change BEFORE DELETE OR UPDATE OR TRUNCATE ON ares7_paper.acknowledgements FOR EACH STATEMENT EXECUTE FUNCTION ares7_paper.append_only();
CREATE TRIGGER adjustments_no_change BEFORE DELETE OR UPDATE OR TRUNCATE ON ares7_paper.adjustments FOR EACH STATEMENT EXECUTE FUNCTION ares7_paper.append_only();
CREATE TRIGGER alerts_no_change BEFORE DELETE OR UPDATE OR TRUNCATE ON ares7_paper.alerts FOR EACH STATEMENT EXECUTE FUNCTION ares7_paper.append_only();
CREATE TRIGGER decisions_no_change BEFORE DELETE OR UPDATE OR TRUNCATE ON ares7_paper.decisions FOR EACH STATEMENT EXECUTE FUNCTION ares7_paper.append_only();
CREATE TRIGGER differences_no_change BEFORE DELETE OR UPDATE OR TRUNCATE ON ares7_paper.differences FOR EACH STATEMENT EXECUTE FUNCTION ares7_paper.append_only();
CREATE TRIGGER fees_no_change BEFORE DELETE OR UPDATE OR TRUNCATE ON ares7_paper.fees FOR EACH STATEMENT EXECUTE FUNCTION ares7_paper.append_only();
CREATE TRIGGER fills_no_change BEFORE DELETE OR UPDATE OR TRUNCATE ON ares7_paper.fills FOR EACH STATEMENT EXECUTE FUNCTION ares7_paper.append_only();
CREATE TRIGGER flows_no_change BEFORE DELETE OR UPDATE OR TRUNCATE ON ares7_paper.flows FOR EACH STATEMENT EXECUTE FUNCTION ares7_paper.append_only();
CREATE TRIGGER halts_no_change BEFORE DELETE OR UPDATE OR TRUNCATE ON ares7_paper.halts FOR EACH STATEMENT EXECUTE FUNCTION ares7_paper.append_only();
CREATE TRIGGER identity_no_change BEFORE DELETE OR UPDATE OR TRUNCATE ON ares7_paper.identity FOR EACH STATEMENT EXECUTE FUNCTION ares7_paper.append_only();
CREATE TRIGGER intents_no_change BEFORE DELETE OR UPDATE OR TRUNCATE ON ares7_paper.intents FOR EACH STATEMENT EXECUTE FUNCTION ares7_paper.append_only();
CREATE TRIGGER navs_no_change BEFORE DELETE OR UPDATE OR TRUNCATE ON ares7_paper.navs FOR EACH STATEMENT EXECUTE FUNCTION ares7_paper.append_only();
CREATE TRIGGER rebalance_ends_no_change BEFORE DELETE OR UPDATE OR TRUNCATE ON ares7_paper.rebalance_ends FOR EACH STATEMENT EXECUTE FUNCTION ares7_paper.append_only();
CREATE TRIGGER rebalances_no_change BEFORE DELETE OR UPDATE OR TRUNCATE ON ares7_paper.rebalances FOR EACH STATEMENT EXECUTE FUNCTION ares7_paper.append_only();
CREATE TRIGGER reconciliations_no_change BEFORE DELETE OR UPDATE OR TRUNCATE ON ares7_paper.reconciliations FOR EACH STATEMENT EXECUTE FUNCTION ares7_paper.append_only();
CREATE TRIGGER regimes_no_change BEFORE DELETE OR UPDATE OR TRUNCATE ON ares7_paper.regimes FOR EACH STATEMENT EXECUTE FUNCTION ares7_paper.append_only();
CREATE TRIGGER run_ends_no_change BEFORE DELETE OR UPDATE OR TRUNCATE ON ares7_paper.run_ends FOR EACH STATEMENT EXECUTE FUNCTION ares7_paper.append_only();
CREATE TRIGGER runs_no_change BEFORE DELETE OR UPDATE OR TRUNCATE ON ares7_paper.runs FOR EACH STATEMENT EXECUTE FUNCTION ares7_paper.append_only();
CREATE TRIGGER schema_versions_no_change BEFORE DELETE OR UPDATE OR TRUNCATE ON ares7_paper.schema_versions FOR EACH STATEMENT EXECUTE FUNCTION ares7_paper.append_only();
CREATE TRIGGER stages_no_change BEFORE DELETE OR UPDATE OR TRUNCATE ON ares7_paper.stages FOR EACH STATEMENT EXECUTE FUNCTION ares7_paper.append_only();
CREATE TRIGGER wire_events_no_change BEFORE DELETE OR UPDATE OR TRUNCATE ON ares7_paper.wire_events FOR EACH STATEMENT EXECUTE FUNCTION ares7_paper.append_only();
ALTER TABLE ONLY ares7_paper.acknowledgements
    ADD CONSTRAINT acknowledgements_alert_id_fkey FOREIGN KEY (alert_id) REFERENCES ares7_paper.alerts(id);
ALTER TABLE ONLY ares7_paper.acknowledgements
    ADD CONSTRAINT acknowledgements_run_id_fkey FOREIGN KEY (run_id) REFERENCES ares7_paper.runs(id);
ALTER TABLE ONLY ares7_paper.adjustments
    ADD CONSTRAINT adjustments_difference_id_fkey FOREIGN KEY (difference_id) REFERENCES ares7_paper.differences(id);
ALTER TABLE ONLY ares7_paper.adjustments
    ADD CONSTRAINT adjustments_run_id_fkey FOREIGN KEY (run_id) REFERENCES ares7_paper.runs(id);
ALTER TABLE ONLY ares7_paper.alerts
    ADD CONSTRAINT alerts_run_id_fkey FOREIGN KEY (run_id) REFERENCES ares7_paper.runs(id);
ALTER TABLE ONLY ares7_paper.decisions
    ADD CONSTRAINT decisions_rebalance_id_fkey FOREIGN KEY (rebalance_id) REFERENCES ares7_paper.rebalances(rebalance_id);
ALTER TABLE ONLY ares7_paper.decisions
    ADD CONSTRAINT decisions_run_id_fkey FOREIGN KEY (run_id) REFERENCES ares7_paper.runs(id);
ALTER TABLE ONLY ares7_paper.differences
    ADD CONSTRAINT differences_reconciliation_id_fkey FOREIGN KEY (reconciliation_id) REFERENCES ares7_paper.reconciliations(id);
ALTER TABLE ONLY ares7_paper.differences
    ADD CONSTRAINT differences_run_id_fkey FOREIGN KEY (run_id) REFERENCES ares7_paper.runs(id);
ALTER TABLE ONLY ares7_paper.fees
    ADD CONSTRAINT fees_run_id_fkey FOREIGN KEY (run_id) REFERENCES ares7_paper.runs(id);
ALTER TABLE ONLY ares7_paper.fills
    ADD CONSTRAINT fills_run_id_fkey FOREIGN KEY (run_id) REFERENCES ares7_paper.runs(id);
ALTER TABLE ONLY ares7_paper.flows
    ADD CONSTRAINT flows_names_fkey FOREIGN KEY (names) REFERENCES ares7_paper.flows(id);
ALTER TABLE ONLY ares7_paper.flows
    ADD CONSTRAINT flows_run_id_fkey FOREIGN KEY (run_id) REFERENCES ares7_paper.runs(id);
ALTER TABLE ONLY ares7_paper.halts
    ADD CONSTRAINT halts_run_id_fkey FOREIGN KEY (run_id) REFERENCES ares7_paper.runs(id);
ALTER TABLE ONLY ares7_paper.intents
    ADD CONSTRAINT intents_rebalance_id_fkey FOREIGN KEY (rebalance_id) REFERENCES ares7_paper.rebalances(rebalance_id);
ALTER TABLE ONLY ares7_paper.intents
    ADD CONSTRAINT intents_run_id_fkey FOREIGN KEY (run_id) REFERENCES ares7_paper.runs(id);
ALTER TABLE ONLY ares7_paper.navs
    ADD CONSTRAINT navs_run_id_fkey FOREIGN KEY (run_id) REFERENCES ares7_paper.runs(id);
ALTER TABLE ONLY ares7_paper.rebalance_ends
    ADD CONSTRAINT rebalance_ends_rebalance_id_fkey FOREIGN KEY (rebalance_id) REFERENCES ares7_paper.rebalances(rebalance_id);
ALTER TABLE ONLY ares7_paper.rebalance_ends
    ADD CONSTRAINT rebalance_ends_run_id_fkey FOREIGN KEY (run_id) REFERENCES ares7_paper.runs(id);
ALTER TABLE ONLY ares7_paper.rebalances
    ADD CONSTRAINT rebalances_run_id_fkey FOREIGN KEY (run_id) REFERENCES ares7_paper.runs(id);
ALTER TABLE ONLY ares7_paper.reconciliations
    ADD CONSTRAINT reconciliations_run_id_fkey FOREIGN KEY (run_id) REFERENCES ares7_paper.runs(id);
ALTER TABLE ONLY ares7_paper.regimes
    ADD CONSTRAINT regimes_run_id_fkey FOREIGN KEY (run_id) REFERENCES ares7_paper.runs(id);
ALTER TABLE ONLY ares7_paper.run_ends
    ADD CONSTRAINT run_ends_run_id_fkey FOREIGN KEY (run_id) REFERENCES ares7_paper.runs(id);
ALTER TABLE ONLY ares7_paper.stages
    ADD CONSTRAINT stages_ref_fkey FOREIGN KEY (ref) REFERENCES ares7_paper.intents(ref);
ALTER TABLE ONLY ares7_paper.stages
    ADD CONSTRAINT stages_run_id_fkey FOREIGN KEY (run_id) REFERENCES ares7_paper.runs(id);
ALTER TABLE ONLY ares7_paper.wire_events
    ADD CONSTRAINT wire_events_run_id_fkey FOREIGN KEY (run_id) REFERENCES ares7_paper.runs(id);
