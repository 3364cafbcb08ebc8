-- Old rows of the executor's recording can go, with the fills of their time (`TRADE_RETENTION_DAYS`), and only so: what
-- they told cannot be told again without those fills. What was decided stays, as everything else of the books does.

CREATE OR REPLACE FUNCTION orderflow_keep_steps() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('orderflow.letting_go', true) IS DISTINCT FROM 'on' THEN
        RAISE EXCEPTION 'rows of % are kept: only retention lets them go', TG_TABLE_NAME;
    END IF;
    RETURN NULL;
END
$$;
CREATE OR REPLACE TRIGGER orderflow_steps_keep BEFORE DELETE ON orderflow_steps
    FOR EACH STATEMENT EXECUTE FUNCTION orderflow_keep_steps();
