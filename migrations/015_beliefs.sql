-- What the belief in a signal is made of beside the wallet's skill: what prices are worth, and what the wallet usually
-- stakes. Both are kept as of the pass that found them, so that an engine that is made again believes what it believed.

-- What prices were worth, from the pass on that is named by its moment; written only when it has changed.
CREATE TABLE IF NOT EXISTS orderflow_price_maps (
    as_of  timestamptz        PRIMARY KEY,
    -- What each curve is about: a category and how far away the end is, such as `sports/day`. A price for which there is
    -- none is worth itself.
    curves text[]             NOT NULL,
    -- Of each curve, in the same order, how far the fair price lies above the centre of each of 20 bins between 0 and 1,
    -- dollars a share. Floats, because what is read must be what was written, to the bit.
    shifts double precision[] NOT NULL,
    CHECK (cardinality(shifts) = 20 * cardinality(curves))
);
CREATE OR REPLACE TRIGGER orderflow_price_maps_keep BEFORE DELETE ON orderflow_price_maps
    FOR EACH STATEMENT EXECUTE FUNCTION orderflow_keep();

-- The median cost of a wallet's closed decisions. Null before the first, and in verdicts from before this column.
ALTER TABLE orderflow_wallet_stats  ADD COLUMN IF NOT EXISTS median_cost_usd numeric(20,6);
ALTER TABLE orderflow_score_history ADD COLUMN IF NOT EXISTS median_cost_usd numeric(20,6);
