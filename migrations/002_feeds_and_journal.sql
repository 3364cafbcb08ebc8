-- How the services learn from each other, what they could not read, and why they did not act.

-- What happened to positions other than by trading: splits, merges, redemptions, conversions, resolutions, and
-- fees given back.
CREATE TABLE IF NOT EXISTS orderflow_ledger_events (
    block_hash        text          NOT NULL,
    log_index         integer       NOT NULL,
    block_number      bigint        NOT NULL,
    block_time        timestamptz   NOT NULL,
    tx_hash           text          NOT NULL,
    -- split, merge, redemption, refund, conversion, resolution, derivable.
    kind              text          NOT NULL,
    wallet_address    text,
    -- The condition; for a conversion the neg-risk market, for derivable results the event.
    condition_id      text,
    token_id          numeric(78,0),
    -- Shares, or the dollars of a redemption or of a refund without a token.
    amount            numeric(20,6),
    -- The questions of a conversion; the condition that follows, of a derivable result.
    detail            text,
    payout_numerators bigint[],
    orphaned          boolean       NOT NULL DEFAULT false,
    PRIMARY KEY (block_hash, log_index)
);
CREATE INDEX IF NOT EXISTS orderflow_ledger_events_number ON orderflow_ledger_events (block_number);

-- Logs of watched contracts that could not be read, kept as they came.
CREATE TABLE IF NOT EXISTS orderflow_quarantine (
    block_hash   text        NOT NULL,
    log_index    integer     NOT NULL,
    block_number bigint      NOT NULL,
    reason       text        NOT NULL,
    -- Address, topics and data.
    raw          text        NOT NULL,
    seen_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (block_hash, log_index)
);

-- Tokens that were traded before their market was known: asked for again, ever more rarely, never guessed.
CREATE TABLE IF NOT EXISTS orderflow_unknown_tokens (
    token_id   numeric(78,0) PRIMARY KEY,
    attempts   integer       NOT NULL DEFAULT 0,
    next_at    timestamptz   NOT NULL DEFAULT now(),
    first_seen timestamptz   NOT NULL DEFAULT now()
);

-- The order in which facts became known, for the services that read them. Each reader keeps its own cursor.
CREATE TABLE IF NOT EXISTS orderflow_outbox (
    seq          bigint      PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    -- When the fact became known: now for live facts, their own time for a recorded tape.
    learned_at   timestamptz NOT NULL,
    -- block: its facts; reverted: everything above a height is orphaned; market: a description;
    -- scores: the verdicts of one pass.
    kind         text        NOT NULL CHECK (kind IN ('block', 'reverted', 'market', 'scores')),
    block_hash   text,
    block_number bigint,
    condition_id text,
    as_of        timestamptz
);

-- A block that comes back after a reorganisation is told again: only its last row counts.
CREATE INDEX IF NOT EXISTS orderflow_outbox_block ON orderflow_outbox (block_hash) WHERE kind = 'block';

-- How far each reader and writer has come.
CREATE TABLE IF NOT EXISTS orderflow_cursors (
    name         text        PRIMARY KEY,
    -- A reader's place in the outbox.
    seq          bigint      NOT NULL DEFAULT 0,
    -- The listener's place on the chain.
    block_number bigint,
    block_hash   text,
    -- The moment its last pass was made for, and the settings it was made under.
    as_of        timestamptz,
    settings     text,
    updated_at   timestamptz NOT NULL DEFAULT now()
);

-- Why not: every candidate that did not become an order, with its reason and numbers.
CREATE TABLE IF NOT EXISTS orderflow_refusals (
    id             bigint        PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    created_at     timestamptz   NOT NULL,
    signal_type    text          NOT NULL,
    -- The signal that had been raised by then, if one had.
    signal_id      bigint        REFERENCES orderflow_signals (id),
    wallet_address text          NOT NULL,
    token_id       numeric(78,0) NOT NULL,
    notional_usd   numeric(20,6) NOT NULL,
    reason         text          NOT NULL,
    -- The reason in a sentence, with the numbers that decided.
    detail         text          NOT NULL
);
CREATE INDEX IF NOT EXISTS orderflow_refusals_created ON orderflow_refusals (created_at DESC);

CREATE INDEX IF NOT EXISTS orderflow_refusals_signal ON orderflow_refusals (signal_id);

-- The verdicts of one pass: what a reader of the outbox's `scores` rows loads.
CREATE INDEX IF NOT EXISTS orderflow_score_history_as_of ON orderflow_score_history (as_of);
-- The results of conditions, for markets that are described later.
CREATE INDEX IF NOT EXISTS orderflow_ledger_events_results ON orderflow_ledger_events (condition_id)
    WHERE kind = 'resolution';

CREATE OR REPLACE TRIGGER orderflow_cursors_touch BEFORE UPDATE ON orderflow_cursors
    FOR EACH ROW EXECUTE FUNCTION orderflow_touch();
