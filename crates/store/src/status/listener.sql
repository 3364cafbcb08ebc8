WITH islands AS (
    -- Coverage without regard to who read it: neighbours joined.
    SELECT min(first_block) AS first_block, max(last_block) AS last_block
    FROM (SELECT *, sum(begins) OVER (ORDER BY first_block) AS island
          FROM (SELECT *, CASE WHEN lag(last_block) OVER (ORDER BY first_block) = first_block - 1
                               THEN 0 ELSE 1 END AS begins
                FROM orderflow_coverage) AS marked) AS numbered
    GROUP BY island
), accounts AS (
    -- What goes on for ever; a backfill is paid once. An account is begun some seconds after the first question.
    SELECT hour, sum(compute_units) AS units,
           extract(epoch FROM least(hour + interval '1 hour', $1) - min(since) + interval '5 seconds') AS seconds
    FROM orderflow_rpc_usage
    WHERE purpose <> 'backfill' AND hour > $1 - interval '24 hours'
    GROUP BY hour
), spent AS (
    -- Hours in which nothing ran do not count, and less than a minute would be a guess.
    SELECT sum(units) AS units, greatest(sum(seconds) / 3600, 1.0 / 60) AS hours FROM accounts
)
SELECT jsonb_build_object(
    'complete_from', (SELECT first_block FROM islands ORDER BY first_block LIMIT 1),
    'complete_to', (SELECT last_block FROM islands ORDER BY first_block DESC LIMIT 1),
    'holes', coalesce((SELECT jsonb_agg(jsonb_build_object('first_block', previous + 1, 'last_block', first_block - 1)
                                        ORDER BY first_block)
                       FROM (SELECT first_block, lag(last_block) OVER (ORDER BY first_block) AS previous
                             FROM islands) AS gaps
                       WHERE previous IS NOT NULL), '[]'),
    'covered', coalesce((SELECT jsonb_agg(jsonb_build_object('source', source, 'kind', kind, 'blocks', blocks)
                                          ORDER BY blocks DESC)
                         FROM (SELECT source, kind, sum(last_block - first_block + 1) AS blocks
                               FROM orderflow_coverage GROUP BY source, kind) AS sources), '[]'),
    'live_block', (SELECT block_number FROM orderflow_cursors WHERE name = 'orderflow-listener'),
    'newest_block', (SELECT max(block_number) FROM orderflow_blocks WHERE NOT orphaned),
    'newest_block_time', (SELECT block_time FROM orderflow_blocks WHERE NOT orphaned
                          ORDER BY block_number DESC LIMIT 1),
    'lag_seconds', (SELECT round(extract(epoch FROM $1 - block_time), 1) FROM orderflow_blocks WHERE NOT orphaned
                    ORDER BY block_number DESC LIMIT 1),
    -- The planner's count, which is fast and a little behind.
    'fills_about', (SELECT coalesce(sum(s.n_live_tup), 0) FROM pg_inherits i
                    JOIN pg_stat_user_tables s ON s.relid = i.inhrelid
                    WHERE i.inhparent = 'orderflow_fills'::regclass),
    'partitions', (SELECT count(*) FROM pg_inherits WHERE inhparent = 'orderflow_fills'::regclass),
    'folded_block', (SELECT folded_block FROM orderflow_cursors WHERE name = 'orderflow-reputation'),
    'reorganisations', (SELECT count(*) FROM orderflow_outbox WHERE kind = 'reverted'),
    'orphaned_fills', (SELECT count(*) FROM orderflow_orphaned_trades),
    'audit', (SELECT jsonb_build_object(
                  'through', (SELECT block_number FROM orderflow_cursors WHERE name = 'orderflow-audit'),
                  'blocks', coalesce(sum(last_block - first_block + 1), 0),
                  'missing_healed', coalesce(sum(missing), 0), 'surplus', coalesce(sum(surplus), 0),
                  'replaced', coalesce(sum(replaced), 0))
              FROM orderflow_audits),
    'compute_units', jsonb_build_object(
        'last_24_h', (SELECT coalesce(units, 0) FROM spent),
        'month_forecast', (SELECT round(coalesce(units, 0) / hours * 720) FROM spent),
        'this_month', (SELECT coalesce(sum(compute_units), 0) FROM orderflow_rpc_usage
                       WHERE hour >= date_trunc('month', $1, 'UTC')),
        'by_method', coalesce((SELECT jsonb_agg(to_jsonb(m) ORDER BY compute_units DESC, purpose, method)
                               FROM (SELECT purpose, method, sum(calls) AS calls, sum(failures) AS failures,
                                            sum(bytes) AS bytes, sum(compute_units) AS compute_units
                                     FROM orderflow_rpc_usage WHERE hour > $1 - interval '24 hours'
                                     GROUP BY purpose, method) AS m), '[]')),
    'sources', coalesce((SELECT jsonb_agg(to_jsonb(s) ORDER BY endpoint) FROM orderflow_sources s), '[]'),
    'unknown_tokens', (SELECT count(*) FROM orderflow_unknown_tokens),
    'quarantine', jsonb_build_object(
        'logs', (SELECT count(*) FROM orderflow_quarantine),
        'by_source', coalesce((SELECT jsonb_agg(to_jsonb(q) ORDER BY logs DESC, reason)
                               FROM (SELECT source, reason, count(*) AS logs FROM orderflow_quarantine
                                     GROUP BY source, reason ORDER BY logs DESC LIMIT 20) AS q), '[]')),
    'bad_answers', jsonb_build_object(
        'count', (SELECT coalesce(sum(answers), 0) FROM orderflow_bad_answer_counts),
        'by_source', coalesce((SELECT jsonb_agg(to_jsonb(c) ORDER BY answers DESC)
                               FROM orderflow_bad_answer_counts c), '[]'),
        'newest', coalesce((SELECT jsonb_agg(to_jsonb(a) - 'id' ORDER BY id DESC)
                            FROM (SELECT * FROM orderflow_bad_answers ORDER BY id DESC LIMIT 5) AS a), '[]'))
)::text
