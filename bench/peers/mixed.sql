-- bench/mappings/mixed.json as SQL. Every cell of {csv} is text or null; compact() is a macro.
-- A limit that is never reached keeps the conditions below from being moved above it, where each would convert again:
-- that makes the query up to three times faster.
WITH typed AS (
  SELECT
    TRY_CAST(event_id AS BIGINT) AS event_id,
    TRY_CAST(user_id AS UUID)::VARCHAR AS user_id,
    TRY_CAST(ts AS TIMESTAMPTZ) AS "at",
    CASE WHEN isfinite(TRY_CAST(amount AS DOUBLE)) THEN TRY_CAST(amount AS DOUBLE) END AS amount,
    TRY_CAST(is_bot AS BOOLEAN) AS is_bot,
    compact(payload) AS payload,
    TRY(from_base64(token)) AS token,
    NULLIF(regexp_extract(user_agent, 'Chrome/(\d+)', 1), '') AS chrome_text,
    comment,
    country,
    amount AS amount_cell, is_bot AS is_bot_cell, payload AS payload_cell, token AS token_cell
  FROM {csv}
  LIMIT 1_000_000_000_000
)
SELECT
  event_id, user_id, "at", amount, is_bot, payload, token, TRY_CAST(chrome_text AS BIGINT) AS chrome, comment, country
FROM typed
WHERE event_id IS NOT NULL
  AND user_id IS NOT NULL
  AND "at" IS NOT NULL
  AND (amount IS NULL) = (amount_cell IS NULL)
  AND (is_bot IS NULL) = (is_bot_cell IS NULL)
  AND (payload IS NULL) = (payload_cell IS NULL)
  AND (token IS NULL) = (token_cell IS NULL)
  AND (chrome IS NULL) = (chrome_text IS NULL)
