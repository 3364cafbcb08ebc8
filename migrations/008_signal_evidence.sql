-- Everything a signal or a refusal was decided on, and what each came to, taken or not.

ALTER TABLE orderflow_signals
    -- Whether it is only followed to its outcome: a shadow never becomes an order.
    ADD COLUMN IF NOT EXISTS shadow   boolean NOT NULL DEFAULT false,
    -- The book, the estimate and its error, costs, company and policy: names as in the strategy, dollars as numbers.
    -- Null for signals from before this was kept.
    ADD COLUMN IF NOT EXISTS evidence jsonb,
    -- What was believed about the wallet then, factors included: a row of orderflow_score_history.
    ADD COLUMN IF NOT EXISTS record   jsonb;

ALTER TABLE orderflow_refusals
    -- The numbers that decided, by name.
    ADD COLUMN IF NOT EXISTS figures      jsonb,
    -- The condition; null where the market was unknown, or the refusal is from before this was kept.
    ADD COLUMN IF NOT EXISTS condition_id text,
    -- As of a signal, where it was refused with its book on the table.
    ADD COLUMN IF NOT EXISTS evidence     jsonb;

-- The settings under which something was decided, by their digest.
CREATE TABLE IF NOT EXISTS orderflow_policies (
    digest     text        PRIMARY KEY,
    first_used timestamptz NOT NULL DEFAULT now(),
    settings   text        NOT NULL
);

-- What candidates that were priced came to at their condition's result: signals and refusals, taken or not.
CREATE TABLE IF NOT EXISTS orderflow_outcomes (
    -- `s` and a signal's number, or `r` and a refusal's.
    name        text             PRIMARY KEY,
    signal_id   bigint           UNIQUE REFERENCES orderflow_signals (id),
    refusal_id  bigint           UNIQUE REFERENCES orderflow_refusals (id),
    resolved_at timestamptz      NOT NULL,
    -- Dollars a share paid, 0 to 1, as exactly as it was learned from.
    payoff      double precision NOT NULL,
    -- The same less what a share would have cost, fee and latency included.
    edge_usd    numeric(12,6)    NOT NULL,
    -- What the stake would have made at the expected price, fee included; nothing is staked on a refusal.
    pnl_usd     numeric(20,6),
    CHECK ((signal_id IS NULL) <> (refusal_id IS NULL))
);

-- A result looks for what was judged about its condition.
CREATE INDEX IF NOT EXISTS orderflow_signals_condition ON orderflow_signals (condition_id);
CREATE INDEX IF NOT EXISTS orderflow_refusals_priced ON orderflow_refusals (condition_id)
    WHERE evidence IS NOT NULL;

-- Refusals are kept like signals.
CREATE OR REPLACE TRIGGER orderflow_refusals_keep BEFORE DELETE ON orderflow_refusals
    FOR EACH STATEMENT EXECUTE FUNCTION orderflow_keep();

-- Everything that was priced, beside what it came to: what confidence is learned from.
CREATE OR REPLACE VIEW orderflow_judged AS
SELECT 's' || s.id AS name, s.id AS signal_id, NULL::bigint AS refusal_id, s.created_at, s.signal_type,
       s.wallet_address, s.condition_id, s.token_id, NULL::text AS reason, s.shadow, s.evidence,
       o.resolved_at, o.payoff, o.edge_usd, o.pnl_usd
FROM orderflow_signals s LEFT JOIN orderflow_outcomes o ON o.signal_id = s.id
WHERE s.evidence IS NOT NULL
UNION ALL
SELECT 'r' || r.id, NULL, r.id, r.created_at, r.signal_type, r.wallet_address, r.condition_id, r.token_id,
       r.reason, false, r.evidence, o.resolved_at, o.payoff, o.edge_usd, o.pnl_usd
FROM orderflow_refusals r LEFT JOIN orderflow_outcomes o ON o.refusal_id = r.id
WHERE r.evidence IS NOT NULL;
