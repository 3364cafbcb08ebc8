-- One result can concern twenty thousand wallets, each of which gets a new verdict at once: what that writes is kept
-- to the row itself.

-- An index on the score would be written with every verdict, which costs as much as the verdict. The rated wallets are
-- few; whoever wants them in the order of their scores sorts them.
DROP INDEX IF EXISTS orderflow_wallet_stats_score;
DROP INDEX IF EXISTS orderflow_wallet_stats_tier;
CREATE INDEX IF NOT EXISTS orderflow_wallet_stats_rated ON orderflow_wallet_stats (wallet_address, trader_tier)
    WHERE trader_tier <> 'UNRATED';
-- Room in a page for the next version of a row: then no index hears of it.
ALTER TABLE orderflow_wallet_stats SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);

-- Whoever writes many rows says himself when that was.
CREATE OR REPLACE TRIGGER orderflow_wallet_stats_touch BEFORE UPDATE ON orderflow_wallet_stats
    FOR EACH ROW WHEN (new.updated_at = old.updated_at) EXECUTE FUNCTION orderflow_touch();
CREATE OR REPLACE TRIGGER orderflow_wallet_positions_touch BEFORE UPDATE ON orderflow_wallet_positions
    FOR EACH ROW WHEN (new.updated_at = old.updated_at) EXECUTE FUNCTION orderflow_touch();

-- Who was told of between two passes, before what is known of them was saved. Each is told of again at the next pass,
-- news or not: a reorganisation may have taken back what was told, and nothing that is saved knows of it.
CREATE TABLE IF NOT EXISTS orderflow_told_wallets (
    wallet_address text NOT NULL
);
