-- The executor's recording: everything its engine was told, in the order it was told, with the moment at which it
-- learned it. The engine is a function of this and of its settings, so that every decision can be made again
-- (`orderflow replay --decisions`) and compared with what is stored.

CREATE TABLE IF NOT EXISTS orderflow_steps (
    id     bigint      PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    -- The moment the engine learned it.
    at     timestamptz NOT NULL,
    -- begun: an engine begins, or is made again; facts, scores: what an item of the outbox told; volumes: what was
    -- traded in the day before it; market, book, holdings,
    -- order, control, guard, tick: as they are called elsewhere; same_book: the token's book as it was told before;
    -- no_book: there was none.
    kind   text        NOT NULL CHECK (kind IN ('begun', 'facts', 'scores', 'volumes', 'market', 'book', 'same_book', 'no_book',
                                                'holdings', 'order', 'control', 'guard', 'tick')),
    -- The item of the outbox, for facts and scores; for a beginning, how far it had been read.
    seq    bigint,
    -- Which logs of the item's block: what they say stays with the facts.
    logs   integer[],
    -- Everything else, whole: amounts are millionths, moments microseconds since 1970.
    detail jsonb,
    CHECK ((kind IN ('begun', 'facts', 'scores', 'volumes')) = (seq IS NOT NULL)),
    CHECK ((kind = 'facts') = (logs IS NOT NULL)),
    CHECK ((kind IN ('facts', 'scores', 'volumes', 'tick')) = (detail IS NULL))
);
CREATE OR REPLACE TRIGGER orderflow_steps_keep BEFORE DELETE ON orderflow_steps
    FOR EACH STATEMENT EXECUTE FUNCTION orderflow_keep();
