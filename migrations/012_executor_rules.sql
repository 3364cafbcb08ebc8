-- What the executor's rules need to be kept: accounts of the day that are a mode's own, and how far a market's oracle is.

-- The account of the current UTC day and the stops that losses set, of each mode. A loss in earnest stops entries in
-- earnest, whatever was done on paper since, and the other way round. The columns of the same names in
-- orderflow_controls hold what was known before this table was made, and are written no more.
CREATE TABLE IF NOT EXISTS orderflow_mode_accounts (
    mode             text          PRIMARY KEY CHECK (mode IN ('paper', 'live')),
    -- The current UTC day, with the result and the bankroll it began with.
    day              date,
    day_result_usd   numeric(20,6),
    day_bankroll_usd numeric(20,6),
    -- Until when the day's loss stops entries.
    halted_until     timestamptz,
    losses_in_a_row  integer       NOT NULL DEFAULT 0,
    -- Until when they stop entries.
    cooling_until    timestamptz,
    updated_at       timestamptz   NOT NULL DEFAULT now()
);
CREATE OR REPLACE TRIGGER orderflow_mode_accounts_touch BEFORE UPDATE ON orderflow_mode_accounts
    FOR EACH ROW EXECUTE FUNCTION orderflow_touch();
-- Until now there was one account, which was that of the mode of the newest order.
INSERT INTO orderflow_mode_accounts
    (mode, day, day_result_usd, day_bankroll_usd, halted_until, losses_in_a_row, cooling_until)
SELECT coalesce((SELECT o.mode FROM orderflow_orders o ORDER BY o.id DESC LIMIT 1), 'paper'),
       c.day, c.day_result_usd, c.day_bankroll_usd, c.halted_until, c.losses_in_a_row, c.cooling_until
FROM orderflow_controls c
ON CONFLICT DO NOTHING;
INSERT INTO orderflow_mode_accounts (mode) VALUES ('paper'), ('live') ON CONFLICT DO NOTHING;

-- How far the market's oracle is with its answer; null where nobody has said. Who wins is never read off it.
ALTER TABLE orderflow_markets ADD COLUMN IF NOT EXISTS oracle text
    CHECK (oracle IN ('OPEN', 'PROPOSED', 'DISPUTED', 'SETTLED'));

-- When the fill that led to a signal happened, to the microsecond: what the wallet gives up is counted from there on.
ALTER TABLE orderflow_signals ADD COLUMN IF NOT EXISTS followed_at timestamptz;
-- Its age was kept to the millisecond, and blocks have times that are whole ones.
UPDATE orderflow_signals
SET followed_at = date_trunc('milliseconds', created_at - (evidence->>'age_ms')::numeric * interval '1 millisecond')
WHERE followed_at IS NULL AND evidence ? 'age_ms';
