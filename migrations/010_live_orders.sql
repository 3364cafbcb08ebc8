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
    signed_at  timestamptz NOT NULL
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
