-- What live trading must remember beside orders: the signed bytes of each, and the account they are sent for.

-- An order as it was signed. Whoever has these bytes can send the order, and nobody can change it. They are stored in
-- the transaction that approves the order, before anything is sent: after a crash the same bytes can be sent again,
-- and no second order has to be signed while the fate of the first is unknown.
CREATE TABLE IF NOT EXISTS orderflow_signed_orders (
    order_id   bigint      PRIMARY KEY REFERENCES orderflow_orders (id),
    -- The EIP-712 hash, which is the venue's name for it.
    order_hash text        NOT NULL UNIQUE,
    body       text        NOT NULL,
    -- The wallet that owns it.
    maker      text        NOT NULL,
    signed_at  timestamptz NOT NULL,
    -- When what it acts on was learned.
    learned_at timestamptz NOT NULL
);
CREATE OR REPLACE TRIGGER orderflow_signed_orders_keep BEFORE DELETE ON orderflow_signed_orders
    FOR EACH STATEMENT EXECUTE FUNCTION orderflow_keep();

-- The wallets that traded live, and the dollars each had beyond what these books say moved: from there on every
-- dollar must be accounted for. A person who pays in or takes out says so, and the balance is opened anew.
CREATE TABLE IF NOT EXISTS orderflow_live_accounts (
    wallet      text          PRIMARY KEY,
    opened_at   timestamptz   NOT NULL DEFAULT now(),
    opening_usd numeric(20,6) NOT NULL
);

-- What the chain says a match came to, where it has said so: these are the amounts that count then, and what the
-- venue's own report made of it stays beside them.
ALTER TABLE orderflow_executions
    ADD COLUMN IF NOT EXISTS chain_at    timestamptz,
    ADD COLUMN IF NOT EXISTS told_shares numeric(20,6),
    ADD COLUMN IF NOT EXISTS told_usd    numeric(20,6),
    ADD COLUMN IF NOT EXISTS told_fee    numeric(20,6);

-- Whether a winner's dollars came in: nobody has to ask for them where the venue redeems by itself.
ALTER TABLE orderflow_positions
    ADD COLUMN IF NOT EXISTS redeemed_at  timestamptz,
    ADD COLUMN IF NOT EXISTS redeemed_usd numeric(20,6);

-- The report of positions with what of them was sold again and, for those that won in earnest, whether their dollars came
-- in: a winner that is not paid ten minutes after its market resolved is one that a person must redeem at the venue. It is
-- a view of its own, so that 001 can be applied again.
CREATE OR REPLACE VIEW orderflow_position_details AS
SELECT p.id, p.opened_at, p.closed_at, p.mode, s.signal_type, s.market_title, s.outcome, p.shares, p.cost_usd,
       p.fee_usd, round((p.cost_usd - p.fee_usd) / nullif(p.shares, 0), 6) AS entry_price, p.proceeds_usd,
       p.pnl_usd, p.status, p.sold_shares, p.sold_usd, p.ending, p.bid_price, x.reason AS leaving,
       CASE WHEN p.mode <> 'live' OR p.ending IS DISTINCT FROM 'RESOLVED' OR p.proceeds_usd <= p.sold_usd THEN NULL
            WHEN p.redeemed_at IS NOT NULL THEN 'PAID'
            WHEN p.closed_at > now() - interval '10 minutes' THEN 'AWAITED'
            ELSE 'REDEEMABLE: redeem it at the venue' END AS redemption
FROM orderflow_positions p
JOIN orderflow_signals s USING (id)
LEFT JOIN orderflow_exits x ON x.position_id = p.id;
