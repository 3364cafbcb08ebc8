-- Fills at today's volume: four and a half million a day, so a row must be small and old ones must be droppable.
--
-- What was the table orderflow_trades becomes a view of the same columns over orderflow_fills, where a wallet
-- and a token are numbers, amounts are millionths, and everything that belongs to a block is kept with the block.
-- Beside it: which blocks are covered by which source, what asking costs, and what nodes answered that was no answer.

-- Every wallet and every token ever seen, each under a number. The numbers mean nothing outside this database.
CREATE TABLE IF NOT EXISTS orderflow_wallets (
    id      integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    address text    NOT NULL UNIQUE
);
CREATE TABLE IF NOT EXISTS orderflow_tokens (
    id       integer       PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    token_id numeric(78,0) NOT NULL UNIQUE
);

-- The fills of the chain as it is. At most one block counts at a height, so the height and the index of the log
-- name a fill. The columns stand in the order that wastes no byte.
CREATE TABLE IF NOT EXISTS orderflow_fills (
    -- Millionths of a share, of a dollar, and of what the fee was taken in.
    shares       bigint   NOT NULL,
    usd          bigint   NOT NULL,
    fee          bigint   NOT NULL,
    block_number integer  NOT NULL,
    log_index    integer  NOT NULL,
    wallet       integer  NOT NULL,
    counterparty integer  NOT NULL,
    token        integer  NOT NULL,
    -- The transaction's place in its block's orderflow_block_txs.
    tx_index     smallint NOT NULL,
    -- Exchange in the lowest three bits, then a bit each: taker, sell, fee in shares.
    kind         smallint NOT NULL,
    -- Blocks come in their order: room for what would come between is never used.
    PRIMARY KEY (block_number, log_index) WITH (fillfactor = 100)
) PARTITION BY RANGE (block_number);

-- The hashes of a block's transactions that have fills, 32 bytes each.
CREATE TABLE IF NOT EXISTS orderflow_block_txs (
    block_number integer PRIMARY KEY,
    tx_hashes    bytea   NOT NULL
);

-- Fills that a reorganisation took back, as they were: decisions were made on them.
CREATE TABLE IF NOT EXISTS orderflow_orphaned_trades (
    block_hash           text          NOT NULL,
    log_index            integer       NOT NULL,
    block_number         bigint        NOT NULL,
    block_time           timestamptz   NOT NULL,
    tx_hash              text          NOT NULL,
    exchange             text          NOT NULL,
    wallet_address       text          NOT NULL,
    counterparty_address text          NOT NULL,
    role                 text          NOT NULL,
    side                 text          NOT NULL,
    token_id             numeric(78,0) NOT NULL,
    shares               numeric(20,6) NOT NULL,
    usd                  numeric(20,6) NOT NULL,
    price                numeric(26,6),
    fee                  numeric(20,6) NOT NULL,
    fee_asset            text          NOT NULL,
    PRIMARY KEY (block_hash, log_index)
);

-- A partition holds 131,072 blocks, two days and a half. Those of history are filled before they are indexed,
-- which is four times as fast; `indexed` says that no such load is going on.
CREATE OR REPLACE FUNCTION orderflow_fills_partition(block bigint, indexed boolean) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    slice bigint := block / 131072;
    name  text := 'orderflow_fills_' || slice;
BEGIN
    IF to_regclass(name) IS NULL THEN
        -- Two writers may come to a new partition at once. This waits for the other one and, unlike an advisory
        -- lock, makes what it did visible; it holds up neither readers nor writers of fills.
        LOCK TABLE orderflow_fills IN SHARE UPDATE EXCLUSIVE MODE;
        IF to_regclass(name) IS NULL THEN
            EXECUTE format('CREATE TABLE %I (LIKE orderflow_fills INCLUDING ALL)', name);
            EXECUTE format('ALTER TABLE orderflow_fills ATTACH PARTITION %I FOR VALUES FROM (%s) TO (%s)',
                           name, slice * 131072, (slice + 1) * 131072);
        END IF;
    END IF;
    IF indexed AND to_regclass(name || '_token') IS NULL THEN
        -- "If not exists" alone would let two build the same index, and fail one of them at the end.
        LOCK TABLE orderflow_fills IN SHARE UPDATE EXCLUSIVE MODE;
        EXECUTE format('CREATE INDEX IF NOT EXISTS %I ON %I (wallet)', name || '_wallet', name);
        EXECUTE format('CREATE INDEX IF NOT EXISTS %I ON %I (token)', name || '_token', name);
    END IF;
END
$$;

-- Drops the partition that ends below a height, with the transactions of its blocks.
CREATE OR REPLACE FUNCTION orderflow_drop_fills(past bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('DROP TABLE %I', 'orderflow_fills_' || (past / 131072 - 1));
    DELETE FROM orderflow_block_txs WHERE block_number >= past - 131072 AND block_number < past;
END
$$;

-- At one height only one block counts, and it knows the one before it.
ALTER TABLE orderflow_blocks ADD COLUMN IF NOT EXISTS parent_hash text;

-- Databases of the first schema: their rows move over, once.
DO $$
DECLARE
    slice record;
BEGIN
    IF (SELECT relkind FROM pg_class WHERE oid = to_regclass('orderflow_trades')) <> 'r' THEN
        RETURN;
    END IF;
    INSERT INTO orderflow_wallets (address)
        SELECT wallet_address FROM orderflow_trades UNION SELECT counterparty_address FROM orderflow_trades;
    INSERT INTO orderflow_tokens (token_id) SELECT DISTINCT token_id FROM orderflow_trades;
    FOR slice IN SELECT DISTINCT block_number / 131072 * 131072 AS first FROM orderflow_trades LOOP
        PERFORM orderflow_fills_partition(slice.first, true);
    END LOOP;
    INSERT INTO orderflow_block_txs (block_number, tx_hashes)
        SELECT block_number, string_agg(decode(substr(tx_hash, 3), 'hex'), ''::bytea ORDER BY tx_hash)
        FROM (SELECT DISTINCT block_number, tx_hash FROM orderflow_trades WHERE NOT orphaned) AS txs
        GROUP BY block_number;
    INSERT INTO orderflow_fills
        SELECT t.shares * 1000000, t.usd * 1000000, t.fee * 1000000, t.block_number, t.log_index, w.id, c.id, k.id,
               dense_rank() OVER (PARTITION BY t.block_number ORDER BY t.tx_hash) - 1,
               array_position(ARRAY['v1', 'v1-neg-risk', 'v2', 'v2-neg-risk', 'v3', 'tape'], t.exchange) - 1
                   + CASE t.role WHEN 'taker' THEN 8 ELSE 0 END + CASE t.side WHEN 'SELL' THEN 16 ELSE 0 END
                   + CASE t.fee_asset WHEN 'shares' THEN 32 ELSE 0 END
        FROM orderflow_trades t
        JOIN orderflow_wallets w ON w.address = t.wallet_address
        JOIN orderflow_wallets c ON c.address = t.counterparty_address
        JOIN orderflow_tokens k ON k.token_id = t.token_id
        WHERE NOT t.orphaned;
    INSERT INTO orderflow_orphaned_trades
        SELECT block_hash, log_index, block_number, block_time, tx_hash, exchange, wallet_address,
               counterparty_address, role, side, token_id, shares, usd, price, fee, fee_asset
        FROM orderflow_trades WHERE orphaned;
    DROP VIEW IF EXISTS orderflow_tape;
    DROP TABLE orderflow_trades;
END
$$;

CREATE UNIQUE INDEX IF NOT EXISTS orderflow_blocks_canonical ON orderflow_blocks (block_number) WHERE NOT orphaned;

CREATE INDEX IF NOT EXISTS orderflow_blocks_time ON orderflow_blocks (block_time) WHERE NOT orphaned;

-- One row is one wallet's fill, as people read it. See the first schema for what the columns mean.
CREATE OR REPLACE VIEW orderflow_trades AS
SELECT b.block_hash, f.log_index, b.block_number, b.block_time,
       '0x' || encode(substr(x.tx_hashes, f.tx_index * 32 + 1, 32), 'hex') AS tx_hash,
       (ARRAY['v1', 'v1-neg-risk', 'v2', 'v2-neg-risk', 'v3', 'tape'])[(f.kind & 7) + 1] AS exchange,
       w.address AS wallet_address, c.address AS counterparty_address,
       CASE WHEN f.kind & 8 = 0 THEN 'maker' ELSE 'taker' END AS role,
       CASE WHEN f.kind & 16 = 0 THEN 'BUY' ELSE 'SELL' END AS side,
       k.token_id, (f.shares::numeric / 1000000)::numeric(20,6) AS shares,
       (f.usd::numeric / 1000000)::numeric(20,6) AS usd,
       round(f.usd::numeric / nullif(f.shares, 0), 6)::numeric(26,6) AS price,
       (f.fee::numeric / 1000000)::numeric(20,6) AS fee,
       CASE WHEN f.kind & 32 = 0 THEN 'usd' ELSE 'shares' END AS fee_asset, false AS orphaned
FROM orderflow_fills f
JOIN orderflow_blocks b ON b.block_number = f.block_number AND NOT b.orphaned
JOIN orderflow_block_txs x ON x.block_number = f.block_number
JOIN orderflow_wallets w ON w.id = f.wallet
JOIN orderflow_wallets c ON c.id = f.counterparty
JOIN orderflow_tokens k ON k.id = f.token
UNION ALL
SELECT block_hash, log_index, block_number, block_time, tx_hash, exchange, wallet_address, counterparty_address,
       role, side, token_id, shares, usd, price, fee, fee_asset, true
FROM orderflow_orphaned_trades;

CREATE OR REPLACE VIEW orderflow_tape AS
SELECT block_time, block_number, log_index, tx_hash, exchange, wallet_address, side, token_id, shares, usd, price
FROM orderflow_trades
WHERE role = 'taker' AND NOT orphaned;

-- Fills leave this table in two ways only: a reorganisation moves them to the orphaned ones and says so, and
-- retention drops a partition whole.
CREATE OR REPLACE FUNCTION orderflow_keep_fills() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('orderflow.moving', true) IS DISTINCT FROM 'on' THEN
        RAISE EXCEPTION 'rows of % are kept: only a reorganisation moves them', TG_TABLE_NAME;
    END IF;
    RETURN NULL;
END
$$;
CREATE OR REPLACE TRIGGER orderflow_fills_keep BEFORE DELETE ON orderflow_fills
    FOR EACH STATEMENT EXECUTE FUNCTION orderflow_keep_fills();

-- ---------------------------------------------------------------------------------------------------------
-- What is covered, and by whom.

-- Which blocks were read, and from which source: what is not in here is a hole. No block is covered twice.
CREATE TABLE IF NOT EXISTS orderflow_coverage (
    first_block integer     PRIMARY KEY,
    last_block  integer     NOT NULL,
    source      text        NOT NULL,
    -- live: followed from block to block; history: read as a settled range.
    kind        text        NOT NULL CHECK (kind IN ('live', 'history')),
    covered_at  timestamptz NOT NULL DEFAULT now(),
    CHECK (first_block <= last_block),
    EXCLUDE USING gist (int4range(first_block, last_block, '[]') WITH &&)
);
-- What a database of the first schema was filled with, from its first block to its last place on the chain.
INSERT INTO orderflow_coverage (first_block, last_block, source, kind)
SELECT min(b.block_number), max(c.block_number), 'before coverage was kept', 'history'
FROM orderflow_blocks b, orderflow_cursors c
WHERE NOT b.orphaned AND c.block_number IS NOT NULL AND NOT EXISTS (SELECT FROM orderflow_coverage)
HAVING min(b.block_number) <= max(c.block_number);

-- Ranges that were read a second time once they were final, and what differed.
CREATE TABLE IF NOT EXISTS orderflow_audits (
    id          bigint      PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    first_block integer     NOT NULL,
    last_block  integer     NOT NULL,
    source      text        NOT NULL,
    -- Logs the first reading had not, and healed; logs only the first reading had, kept; blocks of another hash.
    missing     integer     NOT NULL,
    surplus     integer     NOT NULL,
    replaced    integer     NOT NULL,
    audited_at  timestamptz NOT NULL DEFAULT now()
);

-- Facts that an audit found later than their block: told with their own row of the outbox, and only there.
ALTER TABLE orderflow_outbox ADD COLUMN IF NOT EXISTS log_indexes integer[];
ALTER TABLE orderflow_outbox DROP CONSTRAINT IF EXISTS orderflow_outbox_kind_check;
-- history: settled blocks up to this height became known, in no order; late: single logs of a known block.
ALTER TABLE orderflow_outbox ADD CONSTRAINT orderflow_outbox_kind_check
    CHECK (kind IN ('block', 'reverted', 'market', 'scores', 'history', 'late'));
-- The first block of a stretch of history.
ALTER TABLE orderflow_outbox ADD COLUMN IF NOT EXISTS first_block bigint;
CREATE INDEX IF NOT EXISTS orderflow_outbox_late ON orderflow_outbox (block_hash) WHERE kind = 'late';

-- With which item of the outbox a log was told, as far as an item: with the late one that names it, else with its
-- block's last one. A fill told late was not known when its block was.
CREATE OR REPLACE FUNCTION orderflow_told(hash text, log integer, until bigint) RETURNS bigint
LANGUAGE sql STABLE AS $$
    SELECT coalesce(
        (SELECT max(seq) FROM orderflow_outbox
         WHERE kind = 'late' AND block_hash = hash AND log = ANY (log_indexes)),
        (SELECT max(seq) FROM orderflow_outbox WHERE kind = 'block' AND block_hash = hash AND seq <= until))
$$;

-- ---------------------------------------------------------------------------------------------------------
-- The sources: what they cost, how they are, what they said that made no sense.

CREATE TABLE IF NOT EXISTS orderflow_rpc_usage (
    hour          timestamptz NOT NULL,
    -- live, audit or backfill: a month's forecast is made of the first two, which go on for ever.
    purpose       text        NOT NULL,
    -- Without what may be secret in its address.
    endpoint      text        NOT NULL,
    method        text        NOT NULL,
    calls         bigint      NOT NULL,
    failures      bigint      NOT NULL,
    bytes         bigint      NOT NULL,
    compute_units bigint      NOT NULL,
    -- When this hour's account was begun.
    since         timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (hour, purpose, endpoint, method)
);

CREATE TABLE IF NOT EXISTS orderflow_sources (
    endpoint      text        PRIMARY KEY,
    working       boolean     NOT NULL,
    head          bigint,
    last_answer   timestamptz,
    last_error    text,
    failures      integer     NOT NULL,
    updated_at    timestamptz NOT NULL DEFAULT now()
);

-- The newest answers that were none, with their source: HTML, half a JSON, a log of a bad length.
CREATE TABLE IF NOT EXISTS orderflow_bad_answers (
    id       bigint      PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    endpoint text        NOT NULL,
    method   text        NOT NULL,
    reason   text        NOT NULL,
    excerpt  text        NOT NULL,
    seen_at  timestamptz NOT NULL
);
-- How many there were in all: the table above keeps only the newest.
CREATE TABLE IF NOT EXISTS orderflow_bad_answer_counts (
    endpoint text   NOT NULL,
    method   text   NOT NULL,
    answers  bigint NOT NULL,
    PRIMARY KEY (endpoint, method)
);

-- Who sent what could not be read.
ALTER TABLE orderflow_quarantine ADD COLUMN IF NOT EXISTS source text;
CREATE INDEX IF NOT EXISTS orderflow_quarantine_number ON orderflow_quarantine (block_number);

-- Conditions the chain prepared, with the tokens that follow from them.
CREATE TABLE IF NOT EXISTS orderflow_conditions (
    condition_id text            PRIMARY KEY,
    token_ids    numeric(78,0)[] NOT NULL
);
CREATE INDEX IF NOT EXISTS orderflow_conditions_tokens ON orderflow_conditions USING gin (token_ids);

-- The height below which a reader needs no facts any more; null: it needs all of them.
ALTER TABLE orderflow_cursors ADD COLUMN IF NOT EXISTS folded_block bigint;
