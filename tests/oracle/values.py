"""The types: a text to its value, and a value to what the outputs show of it."""

from __future__ import annotations

import re
from base64 import b64encode
from binascii import a2b_base64
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from tests.oracle.documents import parse, plain, written
from tests.oracle.faults import Bad
from tests.oracle.times import to_date, to_timestamp

__all__ = ["Json", "convert", "decoded", "matched", "octets", "shown", "text_of"]


_FLAGS = re.ASCII | re.IGNORECASE


@dataclass(frozen=True, slots=True)
class Json:
    """A JSON value, apart from Python's own values: null is a value here."""

    tree: Any


def convert(cell: str | bytes, rule: dict[str, Any]) -> Any:
    """A cell that is not null, after the steps, as its field's Python value.

    Raises:
        Bad: the type does not accept it.
    """
    kind = rule["type"].partition("(")[0]
    if kind == "bytes":
        return cell if isinstance(cell, bytes) else octets(cell, "type-error")
    return _CONVERTERS[kind](decoded(cell), rule)


def decoded(cell: str | bytes) -> str:
    """Bytes that reach a text step or type, as UTF-8."""
    try:
        return cell if isinstance(cell, str) else cell.decode()
    except UnicodeDecodeError:
        raise Bad("step-error") from None


def matched(pattern: str, text: str, code: str = "type-error") -> re.Match[str]:
    found = re.fullmatch(pattern, text, _FLAGS)
    if found is None or not text.isascii():  # IGNORECASE knows letters beyond ASCII that fold into it
        raise Bad(code)
    return found


def octets(text: str, code: str, *, urlsafe: bool = False) -> bytes:
    """Strict base64: one alphabet, nothing outside it, all padding there."""
    if urlsafe:
        matched("[a-z0-9_=-]*", text, code)
        text = text.replace("-", "+").replace("_", "/")
    matched("([a-z0-9+/]{4})*([a-z0-9+/]{2}==|[a-z0-9+/]{3}=)?", text, code)
    return a2b_base64(text)


def _int(text: str, _: dict[str, Any]) -> int:
    sign, digits = matched(r"([+-]?)0*([0-9]{1,19})", text).groups()
    value = int(sign + digits)
    if not -(2**63) <= value < 2**63:
        raise Bad("type-error")
    return value


def _float(text: str, _: dict[str, Any]) -> float:
    value = float(matched(r"[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)(e[+-]?[0-9]+)?", text).group())
    if value in (float("inf"), float("-inf")):
        raise Bad("type-error")
    return value


def _decimal(text: str, rule: dict[str, Any]) -> Decimal:
    precision, scale = map(int, matched(r"decimal\(([0-9]+),([0-9]+)\)", rule["type"]).groups())
    sign, whole, fraction = matched(r"([+-]?)0*([0-9]*)[.]?([0-9]*)", text).groups()
    if not re.search("[0-9]", text):
        raise Bad("type-error")
    if len(whole) > precision - scale or len(fraction) > scale:
        raise Bad("constraint-error")
    number = int(whole + fraction.ljust(scale, "0") or "0")
    return Decimal((int(sign == "-" and number != 0), tuple(map(int, str(number))), -scale))


def _bool(text: str, rule: dict[str, Any]) -> bool:
    for value, words in ((True, "true t yes y 1"), (False, "false f no n 0")):
        if text.lower() in [word.lower() for word in rule.get(str(value).lower(), words.split())]:
            return value
    raise Bad("type-error")


def _uuid(text: str, _: dict[str, Any]) -> str:
    digits = "".join(
        matched("([0-9a-f]{8})(-?)" + r"([0-9a-f]{4})\2" * 3 + "([0-9a-f]{12})", text).group(1, 3, 4, 5, 6)
    )
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:])).lower()


_CONVERTERS: dict[str, Callable[[str, dict[str, Any]], Any]] = {
    "string": lambda text, _: text,
    "int": _int,
    "float": _float,
    "decimal": _decimal,
    "bool": _bool,
    "date": to_date,
    "timestamp": to_timestamp,
    "uuid": _uuid,
    "json": lambda text, _: Json(parse(text, "type-error")),
}


def text_of(value: Any) -> str | None:
    """The text that CSV output holds of a value, None for a null. Of several texts of a float it is Python's."""
    match value:
        case None | str():
            return value
        case bool():
            return str(value).lower()
        case datetime():
            return value.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
        case date():
            return value.isoformat()
        case bytes():
            return b64encode(value).decode()
        case Json():
            return written(value.tree)
        case Decimal():
            return f"{value:f}"
    return repr(value)


def shown(value: Any) -> Any:
    """A value as :func:`tests.oracle.read_jsonl` gives it back: numbers that are not integers as decimals."""
    match value:
        case None | bool() | int() | Decimal():
            return value
        case float():
            return Decimal(repr(value))
        case Json():
            return plain(value.tree)
    return text_of(value)
