-- Where a question stands among those that exclude each other: without it nobody can say which shares a conversion
-- takes and gives.

-- What the questions share: the neg-risk adapter's market id, or the event of Protocol V2, 32 bytes of hex.
ALTER TABLE orderflow_markets ADD COLUMN IF NOT EXISTS neg_risk_market text;
-- The question's number among them, from zero.
ALTER TABLE orderflow_markets ADD COLUMN IF NOT EXISTS neg_risk_question smallint;
-- How many there are; null where nobody has said.
ALTER TABLE orderflow_markets ADD COLUMN IF NOT EXISTS neg_risk_questions smallint;

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_constraint WHERE conname = 'orderflow_markets_neg_risk_place') THEN
        ALTER TABLE orderflow_markets ADD CONSTRAINT orderflow_markets_neg_risk_place CHECK (
            (neg_risk_market IS NULL) = (neg_risk_question IS NULL)
            AND neg_risk_question BETWEEN 0 AND 255
            AND neg_risk_questions BETWEEN 0 AND 255);
    END IF;
END
$$;
