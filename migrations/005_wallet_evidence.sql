-- Everything that is believed about a wallet, now and at any earlier time: the evidence beside the score, and the
-- reasons against copying. Rows from before these columns have nulls in them: it was not kept then.

-- The latest verdict and its history have the same columns. Statistics are floats here, as they are computed: as
-- decimals they would take twice as long to write.
DO $$
DECLARE
    kept text;
BEGIN
    FOREACH kept IN ARRAY ARRAY['orderflow_wallet_stats', 'orderflow_score_history'] LOOP
        EXECUTE format('ALTER TABLE %I
            -- The five factors with inputs that luck and favourites do not fool, 0 to 10 each, and their sum.
            ADD COLUMN IF NOT EXISTS calibrated_score               double precision,
            ADD COLUMN IF NOT EXISTS calibrated_win_rate_score      double precision,
            ADD COLUMN IF NOT EXISTS calibrated_profit_factor_score double precision,
            ADD COLUMN IF NOT EXISTS calibrated_consistency_score   double precision,
            ADD COLUMN IF NOT EXISTS calibrated_volume_score        double precision,
            ADD COLUMN IF NOT EXISTS calibrated_timing_score        double precision,
            -- The edge as the decisions show it, before any prior: its size, its size in standard errors, and how
            -- many equal and independent decisions it is worth. Null before the first decision that says something.
            ADD COLUMN IF NOT EXISTS raw_kappa                      double precision,
            ADD COLUMN IF NOT EXISTS raw_z                          double precision,
            ADD COLUMN IF NOT EXISTS raw_n_eff                      double precision,
            -- Of the decisions that closed in the 30 days before.
            ADD COLUMN IF NOT EXISTS decisions_30d                  integer,
            ADD COLUMN IF NOT EXISTS wins_30d                       integer,
            ADD COLUMN IF NOT EXISTS win_rate_30d                   double precision,
            ADD COLUMN IF NOT EXISTS break_even_win_rate_30d        double precision,
            -- Decisions that closed with shares of unknown cost, and what they brought. They are in the result and
            -- in no rate.
            ADD COLUMN IF NOT EXISTS unknown_cost_decisions         integer,
            ADD COLUMN IF NOT EXISTS unknown_cost_pnl_usd           numeric(20,6),
            -- The return on cost, winsorised and shrunken.
            ADD COLUMN IF NOT EXISTS shrunken_roi                   double precision,
            -- What prices did after entries, dollars a share: at all, and as far as a copier would have had it; the
            -- latter in standard deviations, shrunken, and in standard errors. Null before the first entry.
            ADD COLUMN IF NOT EXISTS clv_observations               integer,
            ADD COLUMN IF NOT EXISTS clv_n_eff                      double precision,
            ADD COLUMN IF NOT EXISTS clv_drift                      double precision,
            ADD COLUMN IF NOT EXISTS clv_copyable                   double precision,
            ADD COLUMN IF NOT EXISTS clv_standardised               double precision,
            ADD COLUMN IF NOT EXISTS clv_shrunk                     double precision,
            ADD COLUMN IF NOT EXISTS clv_t                          double precision,
            -- The tier that the days before left behind, which WHALE and DEGEN are held on to from.
            ADD COLUMN IF NOT EXISTS tier_before                    text,
            -- Whether the record stands out from those of all rated wallets.
            ADD COLUMN IF NOT EXISTS is_verified                    boolean,
            -- Whether nothing speaks against copying, and what does: [{"name", "figure", "limit"}].
            ADD COLUMN IF NOT EXISTS is_copyable                    boolean,
            ADD COLUMN IF NOT EXISTS flags                          jsonb', kept);
    END LOOP;
END
$$;

-- The history learns what the newest verdict always had.
ALTER TABLE orderflow_score_history
    ADD COLUMN IF NOT EXISTS win_rate_score      double precision,
    ADD COLUMN IF NOT EXISTS profit_factor_score double precision,
    ADD COLUMN IF NOT EXISTS consistency_score   double precision,
    ADD COLUMN IF NOT EXISTS volume_score        double precision,
    ADD COLUMN IF NOT EXISTS timing_score        double precision,
    ADD COLUMN IF NOT EXISTS win_rate            double precision,
    ADD COLUMN IF NOT EXISTS break_even_win_rate double precision,
    ADD COLUMN IF NOT EXISTS profit_factor       double precision,
    ADD COLUMN IF NOT EXISTS roi                 double precision,
    ADD COLUMN IF NOT EXISTS profitable_weeks    double precision,
    ADD COLUMN IF NOT EXISTS mean_drift_24h      double precision,
    ADD COLUMN IF NOT EXISTS volume_30d_usd      numeric(20,6),
    ADD COLUMN IF NOT EXISTS total_volume_usd    numeric(20,6),
    ADD COLUMN IF NOT EXISTS total_trades        integer,
    ADD COLUMN IF NOT EXISTS winning_decisions   integer,
    ADD COLUMN IF NOT EXISTS distinct_events     integer,
    ADD COLUMN IF NOT EXISTS active_days         integer,
    ADD COLUMN IF NOT EXISTS skill_probability   double precision,
    ADD COLUMN IF NOT EXISTS first_trade_at      timestamptz,
    ADD COLUMN IF NOT EXISTS last_trade_at       timestamptz;

-- The rated wallets, best first, with the evidence beside the score. The columns of orderflow_leaderboard, in its
-- order, and more: that view keeps its own, because its file must stay applicable to a database that has this one.
CREATE OR REPLACE VIEW orderflow_rated_wallets AS
SELECT wallet_address, reputation_score, trader_tier, win_rate, break_even_win_rate, skill_kappa, skill_se,
       skill_probability, total_pnl_usd, closed_decisions, total_trades, as_of,
       round(calibrated_score::numeric, 4) AS calibrated_score, is_verified,
       is_copyable, flags, volume_30d_usd
FROM orderflow_wallet_stats
WHERE trader_tier <> 'UNRATED'
ORDER BY reputation_score DESC, wallet_address;

-- What one wallet did, and what its conditions came to.
CREATE INDEX IF NOT EXISTS orderflow_ledger_events_wallet ON orderflow_ledger_events (wallet_address)
    WHERE wallet_address IS NOT NULL;
CREATE INDEX IF NOT EXISTS orderflow_ledger_events_derivable ON orderflow_ledger_events (condition_id)
    WHERE kind = 'derivable';
-- The questions that a conversion touches.
CREATE INDEX IF NOT EXISTS orderflow_markets_neg_risk ON orderflow_markets (neg_risk_market)
    WHERE neg_risk_market IS NOT NULL;
-- What was known by a time, and what of a market, of history and of a block's late facts was told by then.
CREATE INDEX IF NOT EXISTS orderflow_outbox_learned ON orderflow_outbox (learned_at, seq);
CREATE INDEX IF NOT EXISTS orderflow_outbox_market ON orderflow_outbox (condition_id) WHERE kind = 'market';
CREATE INDEX IF NOT EXISTS orderflow_outbox_history ON orderflow_outbox (seq) WHERE kind = 'history';
CREATE INDEX IF NOT EXISTS orderflow_outbox_scores ON orderflow_outbox (as_of) WHERE kind = 'scores';
