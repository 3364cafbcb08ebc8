-- Which facts a verdict was made of: the last item of the outbox that was folded for it. Its time alone does not say,
-- because facts of the same instant may have come before it and behind it. Null: the verdict is from before this was
-- kept.
ALTER TABLE orderflow_wallet_stats  ADD COLUMN IF NOT EXISTS folded_seq bigint;
ALTER TABLE orderflow_score_history ADD COLUMN IF NOT EXISTS folded_seq bigint;
