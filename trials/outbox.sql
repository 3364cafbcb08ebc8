-- What 100,000 items of the outbox cost to write, in turns with and without the index by the time they were learned:
-- six turns of each, each committed by itself, as many items a statement as the head tells at most.
CREATE TEMPORARY TABLE turns (indexed boolean, seconds double precision);

CREATE PROCEDURE pg_temp.turn(indexed boolean) LANGUAGE plpgsql AS $$
DECLARE
    begun timestamptz;
BEGIN
    TRUNCATE orderflow_outbox;
    DROP INDEX IF EXISTS orderflow_outbox_learned;
    IF indexed THEN
        CREATE INDEX orderflow_outbox_learned ON orderflow_outbox (learned_at, seq);
    END IF;
    COMMIT;
    begun := clock_timestamp();
    FOR batch IN 0..999 LOOP
        INSERT INTO orderflow_outbox (learned_at, kind, block_hash, block_number)
            SELECT timestamptz '2026-11-01' + number * interval '1.5 s', 'block',
                   '0x' || encode(sha256(int8send(number)), 'hex'), 80000000 + number
            FROM generate_series(batch * 100, batch * 100 + 99) AS number;
    END LOOP;
    COMMIT;
    INSERT INTO turns VALUES (indexed, extract(epoch FROM clock_timestamp() - begun));
END
$$;

CALL pg_temp.turn(false); CALL pg_temp.turn(true);
CALL pg_temp.turn(false); CALL pg_temp.turn(true);
CALL pg_temp.turn(false); CALL pg_temp.turn(true);
CALL pg_temp.turn(false); CALL pg_temp.turn(true);
CALL pg_temp.turn(false); CALL pg_temp.turn(true);
CALL pg_temp.turn(false); CALL pg_temp.turn(true);

SELECT 'outbox     100,000 items ' || CASE WHEN indexed THEN 'with' ELSE 'without' END
       || ' the index by time: ' || round(percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds)::numeric, 3)
       || ' s (' || round(min(seconds)::numeric, 3) || ' to ' || round(max(seconds)::numeric, 3) || ')'
FROM turns GROUP BY indexed ORDER BY indexed;
SELECT '           the index takes ' || pg_size_pretty(pg_relation_size('orderflow_outbox_learned')) || ' of '
       || pg_size_pretty(pg_total_relation_size('orderflow_outbox'));
