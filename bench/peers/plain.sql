-- bench/mappings/plain.json as SQL. Every cell of {csv} is text or null; compact() is a macro.
-- A limit that is never reached keeps the conditions below from being moved above it, where each would convert again:
-- that makes the query up to three times faster.
WITH typed AS (
  SELECT
    TRY_CAST(order_id AS BIGINT) AS order_id,
    TRY_CAST(customer_id AS BIGINT) AS customer_id,
    TRY_CAST(quantity AS BIGINT) AS quantity,
    CASE WHEN isfinite(TRY_CAST(price AS DOUBLE)) THEN TRY_CAST(price AS DOUBLE) END AS price,
    CASE WHEN isfinite(TRY_CAST(weight AS DOUBLE)) THEN TRY_CAST(weight AS DOUBLE) END AS weight,
    TRY_CAST(ordered AS DATE) AS ordered,
    TRY_CAST(shipped AS DATE) AS shipped,
    sku,
    city,
    note,
    customer_id AS customer_id_cell, quantity AS quantity_cell, price AS price_cell, weight AS weight_cell,
    shipped AS shipped_cell
  FROM {csv}
  LIMIT 1_000_000_000_000
)
SELECT order_id, customer_id, quantity, price, weight, ordered, shipped, sku, city, note
FROM typed
WHERE order_id IS NOT NULL
  AND (customer_id IS NULL) = (customer_id_cell IS NULL)
  AND (quantity IS NULL) = (quantity_cell IS NULL)
  AND (price IS NULL) = (price_cell IS NULL)
  AND (weight IS NULL) = (weight_cell IS NULL)
  AND ordered IS NOT NULL
  AND (shipped IS NULL) = (shipped_cell IS NULL)
  AND sku IS NOT NULL
