-- What the venue said that stops trading until a person has looked: an address that is banned or may only close, and a
-- configuration that it refuses. A restart asks nobody, so it stands here and not in a process. `orderflow lift` ends it.
CREATE TABLE IF NOT EXISTS orderflow_venue_halts (
    id        bigint      PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    kind      text        NOT NULL CHECK (kind IN ('BANNED', 'CLOSED_ONLY', 'CONFIGURATION')),
    -- In the venue's own words.
    reason    text        NOT NULL,
    halted_at timestamptz NOT NULL DEFAULT now(),
    -- When a person lifted it; null while it stands.
    lifted_at timestamptz
);
-- One of each kind stands at a time: the first reason stays.
CREATE UNIQUE INDEX IF NOT EXISTS orderflow_venue_halts_standing ON orderflow_venue_halts (kind)
    WHERE lifted_at IS NULL;
