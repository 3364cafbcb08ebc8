-- Orders that leave positions as well as open them, the matches of each, and what a person asks of the service.

-- An order has a number of its own; the position it opens or reduces has the number of its signal.
ALTER TABLE orderflow_orders
    ADD COLUMN IF NOT EXISTS position_id    bigint REFERENCES orderflow_signals (id),
    ADD COLUMN IF NOT EXISTS event          text          NOT NULL DEFAULT '',
    ADD COLUMN IF NOT EXISTS outcome_index  integer       NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS side           text          NOT NULL DEFAULT 'BUY' CHECK (side IN ('BUY', 'SELL')),
    -- ENTER, or why the position is left.
    ADD COLUMN IF NOT EXISTS purpose        text          NOT NULL DEFAULT 'ENTER'
        CHECK (purpose IN ('ENTER', 'PERSON', 'WHALE_EXIT', 'CONFLICT', 'DISPUTE', 'TIME', 'TAKE_PROFIT', 'STOP_LOSS')),
    ADD COLUMN IF NOT EXISTS time_in_force  text          NOT NULL DEFAULT 'FAK'
        CHECK (time_in_force IN ('FAK', 'POST_ONLY', 'GTD')),
    ADD COLUMN IF NOT EXISTS expires_at     timestamptz,
    -- What a sale offers; a purchase has dollars instead.
    ADD COLUMN IF NOT EXISTS offered_shares numeric(20,6) NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS fee_rate       numeric(8,6)  NOT NULL DEFAULT 0,
    -- The venue's name for it, known before it is sent; null on paper.
    ADD COLUMN IF NOT EXISTS order_hash     text UNIQUE,
    -- When it was handed to the venue: null while nobody can have seen it.
    ADD COLUMN IF NOT EXISTS sent_at        timestamptz,
    ADD COLUMN IF NOT EXISTS accepted_at    timestamptz,
    -- Why it stands no more, and all the shares that ever matched.
    ADD COLUMN IF NOT EXISTS closed_at      timestamptz,
    ADD COLUMN IF NOT EXISTS closing        text
        CHECK (closing IN ('MATCHED', 'KILLED', 'CANCELLED', 'EXPIRED', 'REJECTED')),
    ADD COLUMN IF NOT EXISTS closing_detail text,
    ADD COLUMN IF NOT EXISTS matched_shares numeric(20,6),
    -- Whether nothing about it can change any more.
    ADD COLUMN IF NOT EXISTS is_final       boolean       NOT NULL DEFAULT false;

ALTER TABLE orderflow_orders DROP CONSTRAINT IF EXISTS orderflow_orders_id_fkey;

-- What was ordered before: one order a signal, answered at once.
UPDATE orderflow_orders o
SET position_id = o.id,
    event = coalesce((SELECT p.event FROM orderflow_positions p WHERE p.id = o.id), ''),
    outcome_index = coalesce((SELECT p.outcome_index FROM orderflow_positions p WHERE p.id = o.id), 0),
    fee_rate = coalesce((SELECT s.fee_rate FROM orderflow_signals s WHERE s.id = o.id), 0),
    closed_at = CASE WHEN o.status <> 'PENDING' THEN o.updated_at END,
    closing = CASE WHEN o.status <> 'PENDING' THEN 'KILLED' END,
    matched_shares = CASE WHEN o.status <> 'PENDING' THEN o.filled_shares END,
    is_final = o.status <> 'PENDING'
WHERE o.position_id IS NULL;
ALTER TABLE orderflow_orders ALTER COLUMN position_id SET NOT NULL;
CREATE INDEX IF NOT EXISTS orderflow_orders_position ON orderflow_orders (position_id);
CREATE INDEX IF NOT EXISTS orderflow_orders_moving ON orderflow_orders (id) WHERE NOT is_final;

-- The matches of an order, each once.
CREATE TABLE IF NOT EXISTS orderflow_executions (
    order_id    bigint        NOT NULL REFERENCES orderflow_orders (id),
    -- The venue's name for the match.
    trade_id    text          NOT NULL,
    -- Null while only its end has been told.
    matched_at  timestamptz,
    shares      numeric(20,6),
    usd         numeric(20,6),
    fee_usd     numeric(20,6),
    -- MATCHED is provisional: the chain confirms it, or it never changed hands.
    status      text          NOT NULL DEFAULT 'MATCHED' CHECK (status IN ('MATCHED', 'CONFIRMED', 'FAILED')),
    settled_at  timestamptz,
    PRIMARY KEY (order_id, trade_id),
    CHECK (num_nulls(matched_at, shares, usd, fee_usd) IN (0, 4))
);
INSERT INTO orderflow_executions (order_id, trade_id, matched_at, shares, usd, fee_usd, status, settled_at)
SELECT id, 'paper-' || id || '-1', created_at, filled_shares, filled_usd, fee_usd, 'CONFIRMED', created_at
FROM orderflow_orders WHERE status = 'FILLED'
ON CONFLICT DO NOTHING;

-- A position carries the number of its signal. `shares`, `cost_usd` and `fee_usd` are what was bought, `sold_shares`
-- and `sold_usd` what of it was sold again, fee deducted; `proceeds_usd` is all that it brought once it has ended.
ALTER TABLE orderflow_positions
    ADD COLUMN IF NOT EXISTS sold_shares numeric(20,6) NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS sold_usd    numeric(20,6) NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS ending      text CHECK (ending IN ('RESOLVED', 'SOLD', 'VOID')),
    -- The best bid, where a book said it.
    ADD COLUMN IF NOT EXISTS bid_price   numeric(7,6);
ALTER TABLE orderflow_positions DROP CONSTRAINT IF EXISTS orderflow_positions_id_fkey;
ALTER TABLE orderflow_positions
    ADD CONSTRAINT orderflow_positions_id_fkey FOREIGN KEY (id) REFERENCES orderflow_signals (id);
-- VOID: no purchase of it ever settled.
ALTER TABLE orderflow_positions DROP CONSTRAINT IF EXISTS orderflow_positions_status_check;
ALTER TABLE orderflow_positions
    ADD CONSTRAINT orderflow_positions_status_check CHECK (status IN ('OPEN', 'WON', 'LOST', 'VOID'));
UPDATE orderflow_positions SET ending = 'RESOLVED' WHERE status <> 'OPEN' AND ending IS NULL;

-- What is remembered of positions that may be left before their market resolves.
CREATE TABLE IF NOT EXISTS orderflow_exits (
    position_id  bigint        PRIMARY KEY REFERENCES orderflow_signals (id),
    -- Why it is being left, and since when; null while it is held.
    reason       text,
    since        timestamptz,
    -- Shares of its entry that the wallet it follows has given up.
    whale_left   numeric(20,6) NOT NULL DEFAULT 0,
    updated_at   timestamptz   NOT NULL DEFAULT now()
);
CREATE OR REPLACE TRIGGER orderflow_exits_touch BEFORE UPDATE ON orderflow_exits
    FOR EACH ROW EXECUTE FUNCTION orderflow_touch();

-- What leaving at a price bound that is not obeyed would have realised.
CREATE TABLE IF NOT EXISTS orderflow_counterfactuals (
    position_id  bigint        NOT NULL REFERENCES orderflow_signals (id),
    reason       text          NOT NULL CHECK (reason IN ('TAKE_PROFIT', 'STOP_LOSS')),
    reached_at   timestamptz   NOT NULL,
    bid_price    numeric(7,6)  NOT NULL,
    proceeds_usd numeric(20,6) NOT NULL,
    pnl_usd      numeric(20,6) NOT NULL,
    PRIMARY KEY (position_id, reason)
);

-- More latches that outlive a restart.
ALTER TABLE orderflow_controls
    -- Since when and why all trading is stopped, until a person lifts it.
    ADD COLUMN IF NOT EXISTS killed_at       timestamptz,
    ADD COLUMN IF NOT EXISTS kill_reason     text,
    ADD COLUMN IF NOT EXISTS losses_in_a_row integer     NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS cooling_until   timestamptz;

-- Positions that a person wants closed: one, or all of them where none is named.
CREATE TABLE IF NOT EXISTS orderflow_close_requests (
    id          bigint      PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    position_id bigint      REFERENCES orderflow_signals (id),
    asked_at    timestamptz NOT NULL DEFAULT now(),
    obeyed_at   timestamptz
);
CREATE INDEX IF NOT EXISTS orderflow_close_requests_open ON orderflow_close_requests (id) WHERE obeyed_at IS NULL;

-- A signal's state follows its entry's and its position's, here and nowhere else.
CREATE OR REPLACE FUNCTION orderflow_signal_follows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_TABLE_NAME = 'orderflow_orders' THEN
        IF NEW.purpose = 'ENTER' THEN
            UPDATE orderflow_signals
            SET status = CASE NEW.status WHEN 'UNFILLED' THEN 'UNFILLED' ELSE 'ORDERED' END
            WHERE id = NEW.position_id AND status IN ('RAISED', 'ORDERED');
        END IF;
    ELSE
        UPDATE orderflow_signals
        SET status = CASE NEW.status WHEN 'OPEN' THEN 'OPEN' WHEN 'VOID' THEN 'UNFILLED' ELSE 'SETTLED' END,
            outcome_status = CASE NEW.status WHEN 'WON' THEN 'WIN' WHEN 'LOST' THEN 'LOSS' END,
            profit_loss_usd = NEW.pnl_usd
        WHERE id = NEW.id;
    END IF;
    RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER orderflow_executions_keep BEFORE DELETE ON orderflow_executions
    FOR EACH STATEMENT EXECUTE FUNCTION orderflow_keep();
