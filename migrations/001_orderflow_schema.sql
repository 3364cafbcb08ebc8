-- The schema of orderflow: what happened, what is believed about it, and what was done.
--
-- It applies with plain psql to PostgreSQL 15 or newer, and the programs carry this same file and apply it
-- themselves; either may come first, and again, without harm, because every statement says "if not exists"
-- or "or replace". Later changes come as further files in this folder and keep the columns of the views below.
--
-- Conventions: times are timestamptz; addresses and hashes are lower-case hex behind 0x; token ids are
-- decimal integers, as the venue writes them; dollars and shares are exact decimals with six places, the
-- chain's own precision. Rows about facts and decisions are never deleted: what a reorganisation of the chain
-- takes back is marked orphaned, because decisions were made on it.

-- ---------------------------------------------------------------------------------------------------------
-- What happened.

-- Every block in which something we watch happened, and the last block of every range that was read.
CREATE TABLE IF NOT EXISTS orderflow_blocks (
    block_hash      text        PRIMARY KEY,
    block_number    bigint      NOT NULL,
    -- The block's own time, never the time it was read.
    block_time      timestamptz NOT NULL,
    -- Whether a reorganisation replaced it.
    orphaned        boolean     NOT NULL DEFAULT false,
    -- When it was first read.
    committed_at    timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX IF NOT EXISTS orderflow_blocks_number ON orderflow_blocks (block_number);

-- One row is one wallet's fill. A match of one taker with k makers is k + 1 rows: to sum the volume of the
-- market, sum the rows whose role is 'taker' (the view orderflow_tape does); to follow a wallet, take all its rows.
CREATE TABLE IF NOT EXISTS orderflow_trades (
    block_hash           text          NOT NULL,
    log_index            integer       NOT NULL,
    block_number         bigint        NOT NULL,
    block_time           timestamptz   NOT NULL,
    tx_hash              text          NOT NULL,
    -- v1, v1-neg-risk, v2, v2-neg-risk, v3; tape for a recorded tape.
    exchange             text          NOT NULL,
    wallet_address       text          NOT NULL,
    -- Who stood opposite; on a taker's row, the exchange itself.
    counterparty_address text          NOT NULL,
    role                 text          NOT NULL CHECK (role IN ('maker', 'taker')),
    side                 text          NOT NULL CHECK (side IN ('BUY', 'SELL')),
    token_id             numeric(78,0) NOT NULL,
    shares               numeric(20,6) NOT NULL,
    usd                  numeric(20,6) NOT NULL,
    -- Dollars a share; null where there were no shares. Dust gives prices no book would show.
    price                numeric(26,6) GENERATED ALWAYS AS (round(usd / nullif(shares, 0), 6)) STORED,
    -- What the exchange took from this wallet, in dollars or (V1 purchases) in shares.
    fee                  numeric(20,6) NOT NULL,
    fee_asset            text          NOT NULL CHECK (fee_asset IN ('usd', 'shares')),
    orphaned             boolean       NOT NULL DEFAULT false,
    -- A log is named by its block and its index there: nothing else is unique, nothing less either.
    PRIMARY KEY (block_hash, log_index)
);
-- A later migration turns this table into a view of the same columns, which has indexes of its own.
DO $$
BEGIN
    IF (SELECT relkind FROM pg_class WHERE oid = to_regclass('orderflow_trades')) = 'r' THEN
        CREATE INDEX IF NOT EXISTS orderflow_trades_wallet ON orderflow_trades (wallet_address, block_time);
        CREATE INDEX IF NOT EXISTS orderflow_trades_token ON orderflow_trades (token_id, block_time);
        CREATE INDEX IF NOT EXISTS orderflow_trades_number ON orderflow_trades (block_number);
    END IF;
END
$$;

-- A market is one condition and its outcomes. Its result comes from the chain's resolution event alone, never
-- from an end date or a price near one.
CREATE TABLE IF NOT EXISTS orderflow_markets (
    condition_id       text            PRIMARY KEY,
    title              text            NOT NULL,
    slug               text            NOT NULL,
    -- What groups it with its siblings: one event is one bet.
    event              text            NOT NULL,
    category           text,
    outcomes           text[]          NOT NULL,
    -- In the order of the outcomes.
    token_ids          numeric(78,0)[] NOT NULL,
    neg_risk           boolean         NOT NULL DEFAULT false,
    -- 1: conditional tokens; 2: positions of Protocol V2, traded on exchange V3.
    protocol           smallint        NOT NULL DEFAULT 1,
    tick_size          numeric(6,4)    NOT NULL,
    -- The taker fee is shares * fee_rate * price * (1 - price) dollars.
    fee_rate           numeric(8,6)    NOT NULL DEFAULT 0,
    end_date           timestamptz,
    -- What each outcome pays, as parts of their sum; null until the chain says so.
    payout_numerators  bigint[],
    resolved_at        timestamptz,
    created_at         timestamptz     NOT NULL DEFAULT now(),
    updated_at         timestamptz     NOT NULL DEFAULT now()
);
CREATE INDEX IF NOT EXISTS orderflow_markets_tokens ON orderflow_markets USING gin (token_ids);

-- ---------------------------------------------------------------------------------------------------------
-- What is believed.

-- What a wallet holds of a token, at average cost.
CREATE TABLE IF NOT EXISTS orderflow_wallet_positions (
    wallet_address   text          NOT NULL,
    token_id         numeric(78,0) NOT NULL,
    -- Below zero where more was sold than was ever seen arriving.
    shares           numeric(20,6) NOT NULL,
    cost_usd         numeric(20,6) NOT NULL,
    -- What has been sold or resolved, fees included.
    realized_pnl_usd numeric(20,6) NOT NULL,
    updated_at       timestamptz   NOT NULL DEFAULT now(),
    PRIMARY KEY (wallet_address, token_id)
);

-- The latest verdict about each wallet. The score is computed for everyone; only a tier other than UNRATED
-- says that there is enough history behind it to act on.
CREATE TABLE IF NOT EXISTS orderflow_wallet_stats (
    wallet_address       text          PRIMARY KEY,
    -- 0 to 10: 0.40 win rate + 0.30 profit factor + 0.15 consistency + 0.10 volume + 0.05 timing.
    reputation_score     numeric(6,4)  NOT NULL,
    trader_tier          text          NOT NULL
        CHECK (trader_tier IN ('WHALE', 'SMART', 'AVERAGE', 'NOVICE', 'DEGEN', 'UNRATED')),
    -- The five factors, 0 to 10 each.
    win_rate_score       numeric(6,4)  NOT NULL,
    profit_factor_score  numeric(6,4)  NOT NULL,
    consistency_score    numeric(6,4)  NOT NULL,
    volume_score         numeric(6,4)  NOT NULL,
    timing_score         numeric(6,4)  NOT NULL,
    -- What they are made of. Null: nothing has closed yet.
    win_rate             numeric(7,6),
    break_even_win_rate  numeric(7,6),
    profit_factor        numeric(20,6),
    roi                  numeric(20,6),
    profitable_weeks     numeric(7,6),
    mean_drift_24h       numeric(8,6),
    volume_30d_usd       numeric(20,6) NOT NULL,
    total_volume_usd     numeric(20,6) NOT NULL,
    -- What has been sold or resolved, fees included; shares still open do not count.
    total_pnl_usd        numeric(20,6) NOT NULL,
    -- Fills.
    total_trades         integer       NOT NULL,
    -- Bets that were sold out of or resolved, losers never redeemed included.
    closed_decisions     integer       NOT NULL,
    winning_decisions    integer       NOT NULL,
    distinct_events      integer       NOT NULL,
    active_days          integer       NOT NULL,
    -- The edge the evidence supports, price-adjusted and shrunken, with its standard error; 0 is luck.
    skill_kappa          numeric(8,6)  NOT NULL,
    skill_se             numeric(8,6)  NOT NULL,
    -- The probability that the edge is above zero.
    skill_probability    numeric(7,6)  NOT NULL,
    first_trade_at       timestamptz   NOT NULL,
    last_trade_at        timestamptz   NOT NULL,
    -- Nothing later went into this row.
    as_of                timestamptz   NOT NULL,
    updated_at           timestamptz   NOT NULL DEFAULT now()
);
CREATE INDEX IF NOT EXISTS orderflow_wallet_stats_score ON orderflow_wallet_stats (reputation_score DESC);
CREATE INDEX IF NOT EXISTS orderflow_wallet_stats_tier ON orderflow_wallet_stats (trader_tier, reputation_score DESC);

-- What was believed about a rated wallet at any time: the newest row not after it.
CREATE TABLE IF NOT EXISTS orderflow_score_history (
    wallet_address    text         NOT NULL,
    as_of             timestamptz  NOT NULL,
    reputation_score  numeric(6,4) NOT NULL,
    trader_tier       text         NOT NULL,
    skill_kappa       numeric(8,6) NOT NULL,
    skill_se          numeric(8,6) NOT NULL,
    closed_decisions  integer      NOT NULL,
    total_pnl_usd     numeric(20,6) NOT NULL,
    PRIMARY KEY (wallet_address, as_of)
);

-- ---------------------------------------------------------------------------------------------------------
-- What was done.

-- A signal with everything it was decided on.
CREATE TABLE IF NOT EXISTS orderflow_signals (
    id                bigint        PRIMARY KEY,
    created_at        timestamptz   NOT NULL,
    signal_type       text          NOT NULL CHECK (signal_type IN ('FOLLOW_WHALE', 'FADE_DEGEN')),
    wallet_address    text          NOT NULL,
    reputation_score  numeric(6,4)  NOT NULL,
    trader_tier       text          NOT NULL,
    skill_kappa       numeric(8,6)  NOT NULL,
    skill_se          numeric(8,6)  NOT NULL,
    -- How many wallets took part, with how many dollars, at what average price.
    wallet_count      integer       NOT NULL,
    notional_usd      numeric(20,6) NOT NULL,
    reference_price   numeric(7,6)  NOT NULL,
    condition_id      text          NOT NULL,
    token_id          numeric(78,0) NOT NULL,
    market_title      text          NOT NULL,
    outcome           text          NOT NULL,
    confidence_model  text          NOT NULL,
    -- The probability that the outcome wins, and the confidence that the trade pays.
    win_probability   numeric(7,6)  NOT NULL,
    confidence        numeric(7,6)  NOT NULL,
    market_price      numeric(7,6)  NOT NULL,
    expected_price    numeric(7,6)  NOT NULL,
    limit_price       numeric(7,6)  NOT NULL,
    -- Kelly's full fraction, and the part of it that was applied.
    kelly_fraction    numeric(7,6)  NOT NULL,
    kelly_applied     numeric(7,6)  NOT NULL,
    stake_usd         numeric(20,6) NOT NULL,
    fee_rate          numeric(8,6)  NOT NULL,
    -- RAISED, then REFUSED (by risk), ORDERED, UNFILLED, OPEN or SETTLED.
    status            text          NOT NULL DEFAULT 'RAISED'
        CHECK (status IN ('RAISED', 'REFUSED', 'ORDERED', 'UNFILLED', 'OPEN', 'SETTLED')),
    -- WIN or LOSS once its position has paid.
    outcome_status    text          CHECK (outcome_status IN ('WIN', 'LOSS')),
    profit_loss_usd   numeric(20,6),
    updated_at        timestamptz   NOT NULL DEFAULT now()
);
CREATE INDEX IF NOT EXISTS orderflow_signals_created ON orderflow_signals (created_at DESC);

-- An order carries the number of its signal: one order a signal.
CREATE TABLE IF NOT EXISTS orderflow_orders (
    id             bigint        PRIMARY KEY REFERENCES orderflow_signals (id),
    created_at     timestamptz   NOT NULL,
    mode           text          NOT NULL CHECK (mode IN ('paper', 'live')),
    condition_id   text          NOT NULL,
    token_id       numeric(78,0) NOT NULL,
    limit_price    numeric(7,6)  NOT NULL,
    stake_usd      numeric(20,6) NOT NULL,
    -- PENDING until the venue has answered.
    status         text          NOT NULL DEFAULT 'PENDING'
        CHECK (status IN ('PENDING', 'FILLED', 'UNFILLED')),
    filled_shares  numeric(20,6) NOT NULL DEFAULT 0,
    filled_usd     numeric(20,6) NOT NULL DEFAULT 0,
    fee_usd        numeric(20,6) NOT NULL DEFAULT 0,
    updated_at     timestamptz   NOT NULL DEFAULT now()
);

-- A position carries the number of its order.
CREATE TABLE IF NOT EXISTS orderflow_positions (
    id            bigint        PRIMARY KEY REFERENCES orderflow_orders (id),
    opened_at     timestamptz   NOT NULL,
    closed_at     timestamptz,
    mode          text          NOT NULL CHECK (mode IN ('paper', 'live')),
    condition_id  text          NOT NULL,
    event         text          NOT NULL,
    token_id      numeric(78,0) NOT NULL,
    outcome_index integer       NOT NULL,
    shares        numeric(20,6) NOT NULL,
    -- Fee included.
    cost_usd      numeric(20,6) NOT NULL,
    fee_usd       numeric(20,6) NOT NULL,
    proceeds_usd  numeric(20,6),
    pnl_usd       numeric(20,6),
    status        text          NOT NULL DEFAULT 'OPEN' CHECK (status IN ('OPEN', 'WON', 'LOST')),
    updated_at    timestamptz   NOT NULL DEFAULT now(),
    CHECK ((status = 'OPEN') = (pnl_usd IS NULL))
);
CREATE INDEX IF NOT EXISTS orderflow_positions_open ON orderflow_positions (condition_id) WHERE status = 'OPEN';

-- The latches that outlive a restart, in one row.
CREATE TABLE IF NOT EXISTS orderflow_controls (
    id                   boolean       PRIMARY KEY DEFAULT true CHECK (id),
    -- What this database was filled from: facts of two worlds never mix.
    source               text,
    paused               boolean       NOT NULL DEFAULT false,
    -- Until when the day's loss stops entries.
    halted_until         timestamptz,
    -- The current UTC day, with the result and the bankroll it began with.
    day                  date,
    day_result_usd       numeric(20,6),
    day_bankroll_usd     numeric(20,6),
    updated_at           timestamptz   NOT NULL DEFAULT now()
);
INSERT INTO orderflow_controls (id) VALUES (true) ON CONFLICT DO NOTHING;

-- ---------------------------------------------------------------------------------------------------------
-- Triggers.

-- Rows that change say when.
CREATE OR REPLACE FUNCTION orderflow_touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at := now();
    RETURN NEW;
END
$$;

CREATE OR REPLACE TRIGGER orderflow_markets_touch BEFORE UPDATE ON orderflow_markets
    FOR EACH ROW EXECUTE FUNCTION orderflow_touch();
CREATE OR REPLACE TRIGGER orderflow_wallet_positions_touch BEFORE UPDATE ON orderflow_wallet_positions
    FOR EACH ROW EXECUTE FUNCTION orderflow_touch();
CREATE OR REPLACE TRIGGER orderflow_wallet_stats_touch BEFORE UPDATE ON orderflow_wallet_stats
    FOR EACH ROW EXECUTE FUNCTION orderflow_touch();
CREATE OR REPLACE TRIGGER orderflow_signals_touch BEFORE UPDATE ON orderflow_signals
    FOR EACH ROW EXECUTE FUNCTION orderflow_touch();
CREATE OR REPLACE TRIGGER orderflow_orders_touch BEFORE UPDATE ON orderflow_orders
    FOR EACH ROW EXECUTE FUNCTION orderflow_touch();
CREATE OR REPLACE TRIGGER orderflow_positions_touch BEFORE UPDATE ON orderflow_positions
    FOR EACH ROW EXECUTE FUNCTION orderflow_touch();
CREATE OR REPLACE TRIGGER orderflow_controls_touch BEFORE UPDATE ON orderflow_controls
    FOR EACH ROW EXECUTE FUNCTION orderflow_touch();

-- A signal's state follows its order's and its position's, here and nowhere else.
CREATE OR REPLACE FUNCTION orderflow_signal_follows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_TABLE_NAME = 'orderflow_orders' THEN
        UPDATE orderflow_signals
        SET status = CASE NEW.status WHEN 'UNFILLED' THEN 'UNFILLED' ELSE 'ORDERED' END
        WHERE id = NEW.id AND status IN ('RAISED', 'ORDERED');
    ELSE
        UPDATE orderflow_signals
        SET status = CASE NEW.status WHEN 'OPEN' THEN 'OPEN' ELSE 'SETTLED' END,
            outcome_status = CASE NEW.status WHEN 'WON' THEN 'WIN' WHEN 'LOST' THEN 'LOSS' END,
            profit_loss_usd = NEW.pnl_usd
        WHERE id = NEW.id;
    END IF;
    RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER orderflow_orders_signal AFTER INSERT OR UPDATE ON orderflow_orders
    FOR EACH ROW EXECUTE FUNCTION orderflow_signal_follows();
CREATE OR REPLACE TRIGGER orderflow_positions_signal AFTER INSERT OR UPDATE ON orderflow_positions
    FOR EACH ROW EXECUTE FUNCTION orderflow_signal_follows();

-- Nothing that a decision may have been made on is deleted row by row.
CREATE OR REPLACE FUNCTION orderflow_keep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of % are kept: mark them orphaned instead of deleting them', TG_TABLE_NAME;
END
$$;

CREATE OR REPLACE TRIGGER orderflow_trades_keep BEFORE DELETE ON orderflow_trades
    FOR EACH STATEMENT EXECUTE FUNCTION orderflow_keep();
CREATE OR REPLACE TRIGGER orderflow_signals_keep BEFORE DELETE ON orderflow_signals
    FOR EACH STATEMENT EXECUTE FUNCTION orderflow_keep();

-- ---------------------------------------------------------------------------------------------------------
-- Views.

-- The tape: every match once, as its aggressor saw it.
CREATE OR REPLACE VIEW orderflow_tape AS
SELECT block_time, block_number, log_index, tx_hash, exchange, wallet_address, side, token_id, shares, usd, price
FROM orderflow_trades
WHERE role = 'taker' AND NOT orphaned;

-- The rated wallets, best first: the score beside what the evidence supports, the win rate beside the one at
-- which the prices paid would have broken even.
CREATE OR REPLACE VIEW orderflow_leaderboard AS
SELECT wallet_address, reputation_score, trader_tier, win_rate, break_even_win_rate, skill_kappa, skill_se,
       skill_probability, total_pnl_usd, closed_decisions, total_trades, as_of
FROM orderflow_wallet_stats
WHERE trader_tier <> 'UNRATED'
ORDER BY reputation_score DESC, wallet_address;

-- Positions with what they are called and what they were bought for.
CREATE OR REPLACE VIEW orderflow_position_report AS
SELECT p.id, p.opened_at, p.closed_at, p.mode, s.signal_type, s.market_title, s.outcome, p.shares, p.cost_usd,
       p.fee_usd, round((p.cost_usd - p.fee_usd) / nullif(p.shares, 0), 6) AS entry_price, p.proceeds_usd,
       p.pnl_usd, p.status
FROM orderflow_positions p
JOIN orderflow_signals s USING (id);

-- What each day's signals came to.
CREATE OR REPLACE VIEW orderflow_daily_results AS
SELECT date(created_at) AS day, count(*) AS signals, count(*) FILTER (WHERE outcome_status = 'WIN') AS wins,
       avg(profit_loss_usd) AS avg_profit_usd, sum(profit_loss_usd) AS total_pnl_usd
FROM orderflow_signals
WHERE outcome_status IS NOT NULL
GROUP BY date(created_at);
