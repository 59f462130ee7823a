"""What the Python peers write to Parquet: the columns of each workload, and which of them hold JSON text."""

from __future__ import annotations

import pyarrow as pa

__all__ = ["JSON_COLUMNS", "SCHEMAS"]

JSON_COLUMNS = {"mixed": ("payload",), "plain": (), "hard": ("tags",)}

_INT, _FLOAT, _TEXT, _DATE = pa.int64(), pa.float64(), pa.string(), pa.date32()

SCHEMAS = {
    "mixed": pa.schema(
        {
            "event_id": _INT,
            "user_id": _TEXT,
            "at": pa.timestamp("us", "UTC"),
            "amount": _FLOAT,
            "is_bot": pa.bool_(),
            "payload": _TEXT,
            "token": pa.binary(),
            "chrome": _INT,
            "comment": _TEXT,
            "country": _TEXT,
        }
    ),
    "plain": pa.schema(
        {
            "order_id": _INT,
            "customer_id": _INT,
            "quantity": _INT,
            "price": _FLOAT,
            "weight": _FLOAT,
            "ordered": _DATE,
            "shipped": _DATE,
            "sku": _TEXT,
            "city": _TEXT,
            "note": _TEXT,
        }
    ),
    "hard": pa.schema(
        {
            "event": _TEXT,
            "ms": _INT,
            "user": _TEXT,
            "plan": _TEXT,
            "price": _FLOAT,
            "tags": _TEXT,
            "service": _TEXT,
            "took_ms": _FLOAT,
            "campaign": _TEXT,
            "item": _INT,
            "token": pa.binary(),
            "message": _TEXT,
        }
    ),
}
