-- What the reputation service knows of each wallet, so that it need not hold two million of them in memory nor fold
-- the whole past again whenever it starts.
--
-- The service folds facts in the chain's order and saves what changed together with the place it has come to. Before
-- a save above what the audit has confirmed, what it overwrites is kept: that is how a reorganisation, or a fact
-- that was missing, takes back what it touched and nothing else.

CREATE TABLE IF NOT EXISTS orderflow_wallet_states (
    -- 0: a wallet, by its number; above: what belongs to a question, or to everybody.
    kind      smallint    NOT NULL,
    id        bigint      NOT NULL,
    -- The save that wrote this row.
    save      bigint      NOT NULL,
    -- Whether the next pass has to look at it.
    is_due    boolean     NOT NULL DEFAULT false,
    -- When it has to be looked at, at the latest, whether anything happens to it or not.
    wake      timestamptz,
    -- When a day of its leaves a window, which only a pass has to see.
    fades     timestamptz,
    -- Closed decisions: what wallets are like at large is learned from those with many.
    decisions integer     NOT NULL DEFAULT 0,
    -- Empty: nothing is known any more, because a reorganisation took it back.
    state     bytea       NOT NULL,
    PRIMARY KEY (kind, id)
) WITH (
    -- Most saves change when a wallet wakes, which is indexed, so that room left in a page for the row's next version
    -- would hardly be used: pages are filled, and cleaned often, so that the versions left behind are.
    fillfactor = 100, autovacuum_vacuum_scale_factor = 0.05
);
-- The bytes are packed already: compressing them again costs time and brings little.
ALTER TABLE orderflow_wallet_states ALTER COLUMN state SET STORAGE EXTERNAL;
CREATE INDEX IF NOT EXISTS orderflow_wallet_states_due ON orderflow_wallet_states (id) WHERE kind = 0 AND is_due;
CREATE INDEX IF NOT EXISTS orderflow_wallet_states_wake ON orderflow_wallet_states (wake)
    WHERE kind = 0 AND wake IS NOT NULL;
CREATE INDEX IF NOT EXISTS orderflow_wallet_states_fades ON orderflow_wallet_states (fades)
    WHERE kind = 0 AND fades IS NOT NULL;
CREATE INDEX IF NOT EXISTS orderflow_wallet_states_unknown ON orderflow_wallet_states (id)
    WHERE kind = 0 AND state = '';

-- Whom a token's result concerns, or once did. Rows are added and never taken away: whoever is loaded in vain does no
-- harm, so that neither a sale nor a reorganisation has to write here.
CREATE TABLE IF NOT EXISTS orderflow_token_holders (
    token  integer NOT NULL,
    wallet integer NOT NULL,
    PRIMARY KEY (token, wallet)
);

-- The saves that can be gone back to, and the newest one.
CREATE TABLE IF NOT EXISTS orderflow_wallet_saves (
    save      bigint      PRIMARY KEY,
    -- Everything known up to this item of the outbox was taken in,
    seq       bigint      NOT NULL,
    -- up to this block; -1 before the first.
    block     bigint      NOT NULL,
    -- Whether there are more blocks that were known at that item: the fold reads the chain, not the outbox.
    is_behind boolean     NOT NULL,
    made_at   timestamptz NOT NULL DEFAULT now()
);

-- What a save overwrote; empty where there was nothing.
CREATE TABLE IF NOT EXISTS orderflow_wallet_states_before (
    save      bigint   NOT NULL,
    kind      smallint NOT NULL,
    id        bigint   NOT NULL,
    wake      timestamptz,
    fades     timestamptz,
    decisions integer  NOT NULL DEFAULT 0,
    state     bytea    NOT NULL,
    PRIMARY KEY (save, kind, id)
);
ALTER TABLE orderflow_wallet_states_before ALTER COLUMN state SET STORAGE EXTERNAL;

-- How what the reader published stands to what it knows: 'current'; 'outdated' where a reorganisation or a late fact
-- has taken something back since; null where everything published has to be found anew.
ALTER TABLE orderflow_cursors ADD COLUMN IF NOT EXISTS published text
    CHECK (published IN ('current', 'outdated'));
-- The save with which everything was begun to be folded anew last.
ALTER TABLE orderflow_cursors ADD COLUMN IF NOT EXISTS begun_save bigint;

-- The save that wrote what a wallet holds; null where nobody knows. Where everything is folded anew, what was written
-- before stays until it is written again, and what is not is nothing in the end.
ALTER TABLE orderflow_wallet_positions ADD COLUMN IF NOT EXISTS save bigint;

-- What wallets held before a save wrote it anew; null where there was no row.
CREATE TABLE IF NOT EXISTS orderflow_wallet_positions_before (
    save             bigint        NOT NULL,
    wallet_address   text          NOT NULL,
    token_id         numeric(78,0) NOT NULL,
    shares           numeric(20,6),
    cost_usd         numeric(20,6),
    realized_pnl_usd numeric(20,6),
    -- The save that had written that.
    written_by       bigint,
    PRIMARY KEY (save, wallet_address, token_id)
);
