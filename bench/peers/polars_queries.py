"""The mappings as Polars expressions over text columns, written as somebody would who wants them fast.

What Polars has no word for:

- JSON inside JSON Lines: ``sink_ndjson`` writes a JSON column as a string of JSON text, not as the value.
- Rows that lack cells: the last column is null, as for an empty cell. The query of ``mixed`` refuses null countries,
  which the files have in no other row.
- Rows whose bytes are not UTF-8: they are read with replacement characters, and refused for having one.
- Rows with more cells: one more column is asked for, which must be null.
- Bytes that may be UTF-8: casting them stops at the first that are not, so their hexadecimal form is matched first.

Its casts accept more than the engine's types (days of one digit): where the files have no such cell, the queries pay
for no guard.
"""

from __future__ import annotations

import polars as pl

__all__ = ["QUERIES", "SPARE"]

SPARE = "spare"
"""The column where a surplus cell would be."""

_UUID = r"^(?i)(?:[0-9a-f]{32}|[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})$"
_UTF8_IN_HEX = (
    "^(?:[0-7].|(?:c[2-9a-f]|d.)[89ab].|e0[ab].[89ab].|e[1-9a-cef][89ab].[89ab].|ed[89].[89ab]."
    "|f0[9ab].[89ab].[89ab].|f[1-3][89ab].[89ab].[89ab].|f48.[89ab].[89ab].)*$"
)
_TRUE = ["true", "t", "yes", "y", "1"]
_FALSE = ["false", "f", "no", "n", "0"]
_TEXT_TIME = "%Y-%m-%dT%H:%M:%S%.6fZ"


def _int(cell: pl.Expr) -> pl.Expr:
    return cell.cast(pl.Int64, strict=False)


def _float(cell: pl.Expr) -> pl.Expr:
    number = cell.cast(pl.Float64, strict=False)
    return pl.when(number.is_finite()).then(number)


def _date(cell: pl.Expr) -> pl.Expr:
    return cell.str.to_date("%Y-%m-%d", strict=False)


def _timestamp(cell: pl.Expr) -> pl.Expr:
    zoned = cell.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%#z", strict=False, time_unit="us")
    naive = cell.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", strict=False, time_unit="us")
    return pl.coalesce(zoned, naive.dt.replace_time_zone("UTC"))


def _bool(cell: pl.Expr) -> pl.Expr:
    word = cell.str.to_lowercase()
    return pl.when(word.is_in(_TRUE)).then(statement=True).when(word.is_in(_FALSE)).then(statement=False)


def _uuid(cell: pl.Expr) -> pl.Expr:
    lower = cell.str.to_lowercase()
    cuts = [(0, 8), (8, 4), (12, 4), (16, 4), (20, 12)]
    hyphened = pl.concat_str([lower.str.slice(start, length) for start, length in cuts], separator="-")
    whole = pl.when(cell.str.len_bytes() == 36).then(lower).otherwise(hyphened)
    return pl.when(cell.str.contains(_UUID)).then(whole)


def _json(cell: pl.Expr) -> pl.Expr:
    return cell.str.json_path_match("$")


def _bytes(cell: pl.Expr) -> pl.Expr:
    return cell.str.decode("base64", strict=False)


def _text(octets: pl.Expr) -> pl.Expr:
    """Bytes as text; null where they are not UTF-8, which a cast would stop at."""
    valid = octets.bin.encode("hex").str.contains(_UTF8_IN_HEX)
    return pl.when(valid).then(pl.when(valid).then(octets).otherwise(pl.lit(b"")).cast(pl.String))


def _kept(*pairs: tuple[str, str]) -> pl.Expr:
    """Rows where each typed column is null only where its cell is."""
    return pl.all_horizontal([pl.col(typed).is_null() == pl.col(cell).is_null() for typed, cell in pairs])


def _mixed(cells: pl.LazyFrame, format_: str) -> pl.LazyFrame:
    typed = cells.with_columns(
        _int(pl.col("event_id")).alias("_event_id"),
        _uuid(pl.col("user_id")).alias("_user_id"),
        _timestamp(pl.col("ts")).alias("_at"),
        _float(pl.col("amount")).alias("_amount"),
        _bool(pl.col("is_bot")).alias("_is_bot"),
        _json(pl.col("payload")).alias("_payload"),
        _bytes(pl.col("token")).alias("_token"),
        pl.col("user_agent").str.extract(r"Chrome/(\d+)", 1).alias("chrome_text"),
    ).with_columns(_int(pl.col("chrome_text")).alias("_chrome"))
    whole = pl.col(SPARE).is_null() & ~pl.col("comment").fill_null("").str.contains("\ufffd", literal=True)
    pairs = [(f"_{name}", name) for name in ("amount", "is_bot", "payload", "token")]
    good = typed.filter(
        pl.all_horizontal([pl.col(name).is_not_null() for name in ("_event_id", "_user_id", "_at", "country")]),
        whole,
        _kept(*pairs, ("_chrome", "chrome_text")),
    )
    json_lines = format_ == "jsonl"
    at, token = pl.col("_at"), pl.col("_token")
    return good.select(
        event_id="_event_id",
        user_id="_user_id",
        at=at.dt.strftime(_TEXT_TIME) if json_lines else at,
        amount="_amount",
        is_bot="_is_bot",
        payload="_payload",
        token=token.bin.encode("base64") if json_lines else token,
        chrome="_chrome",
        comment="comment",
        country="country",
    )


def _plain(cells: pl.LazyFrame, _: str) -> pl.LazyFrame:
    makers = {
        "order_id": _int,
        "customer_id": _int,
        "quantity": _int,
        "price": _float,
        "weight": _float,
        "ordered": _date,
        "shipped": _date,
    }
    typed = cells.with_columns(*[make(pl.col(name)).alias(f"_{name}") for name, make in makers.items()])
    nullable = ("customer_id", "quantity", "price", "weight", "shipped")
    good = typed.filter(
        pl.all_horizontal([pl.col(name).is_not_null() for name in ("_order_id", "_ordered", "sku")]),
        pl.col(SPARE).is_null(),
        _kept(*[(f"_{name}", name) for name in nullable]),
    )
    return good.select(*[pl.col(f"_{name}").alias(name) for name in makers], "sku", "city", "note")


_DOCUMENT = pl.Struct(
    {
        "ev": pl.String,
        "ms": pl.String,
        "user": pl.Struct({"id": pl.String, "plan": pl.String}),
        "items": pl.List(pl.Struct({"price": pl.String})),
    }
)


def _hard(cells: pl.LazyFrame, format_: str) -> pl.LazyFrame:
    """JSON is checked first, since decoding stops at what is none; a struct is faster than a path at a time."""
    document = pl.col("document").str.json_decode(_DOCUMENT)
    parsed = (
        cells.with_columns(
            _json(pl.col("payload")).alias("document"), pl.col("payload").str.json_path_match("$.tags").alias("tags")
        )
        .filter(pl.col("document").str.starts_with("{"))
        .with_columns(document.alias("found"))
    )
    found = pl.col("found").struct
    typed = parsed.with_columns(
        found.field("ev").alias("event"),
        found.field("ms").alias("ms_text"),
        found.field("user").struct.field("id").alias("user_text"),
        found.field("user").struct.field("plan").alias("plan"),
        found.field("items").list.get(0, null_on_oob=True).struct.field("price").alias("price_text"),
        pl.col("log").str.extract(r"(INFO|WARN|ERROR) \[([a-z][a-z0-9.-]*)\]", 2).alias("service"),
        pl.col("log").str.extract(r"took (\d+\.\d+) ?ms", 1).alias("took_text"),
        pl.col("url").str.extract(r"[?&]utm_campaign=([^&#]+)", 1).alias("campaign"),
        pl.col("url").str.extract(r"/item/(\d+)[/?]", 1).alias("item_text"),
        _bytes(pl.col("token")).alias("octets"),
        _text(_bytes(pl.col("message"))).alias("text"),
    ).with_columns(
        _int(pl.col("ms_text")).alias("ms"),
        _uuid(pl.col("user_text")).alias("user"),
        _float(pl.col("price_text")).alias("price"),
        _float(pl.col("took_text")).alias("took_ms"),
        _int(pl.col("item_text")).alias("item"),
    )
    good = typed.filter(
        pl.all_horizontal([pl.col(name).is_not_null() for name in ("event", "service", "octets")]),
        pl.col(SPARE).is_null(),
        _kept(("ms", "ms_text"), ("user", "user_text"), ("price", "price_text"), ("took_ms", "took_text")),
        _kept(("item", "item_text"), ("text", "message")),
    )
    octets = pl.col("octets")
    names = ("event", "ms", "user", "plan", "price", "tags", "service", "took_ms", "campaign", "item")
    return good.select(
        *names, token=octets.bin.encode("base64") if format_ == "jsonl" else octets, message=pl.col("text")
    )


QUERIES = {"mixed": _mixed, "plain": _plain, "hard": _hard}
"""Each takes a file's cells, all text, and the format that is to be written."""
