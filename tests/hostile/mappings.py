"""Mapping documents that somebody means harm with, and what is said of each.

Run as a module, it loads them all, as the service does, in a process that may take 2 GiB and no more, and prints what
came of each. An empty ``what`` says that the mapping is let pass, and compiled.
"""

from __future__ import annotations

import asyncio
import json
import resource
import time
from typing import Any, NamedTuple

from engine.core.limits import Limits
from engine.core.plan import Plan
from engine.errors import EngineError
from engine.patterntrial import load_foreign

__all__ = ["CASES", "GIB", "Outcome", "held_to"]

GIB = 1 << 30


class Outcome(NamedTuple):
    """What came of a document: the error's code and text, empty where there was none; and the processor time."""

    code: str
    text: str
    seconds: float


def document(**changes: Any) -> bytes:
    return json.dumps({"version": 1, "id": "m", "fields": [{"name": "a", "type": "string"}], **changes}).encode()


def field(**settings: Any) -> bytes:
    return document(fields=[{"name": "a", "type": "string", **settings}])


def step(name: str, settings: Any) -> bytes:
    return field(steps=[{name: settings}])


def pattern(text: str, **settings: Any) -> bytes:
    return step("regex", {"pattern": text, **settings})


def raw(fields: str = '[{"name": "a", "type": "string"}]', more: str = "") -> bytes:
    return f'{{"version": 1, "id": "m", "fields": {fields}{more}}}'.encode()


def _in_zone(name: str) -> bytes:
    return document(fields=[{"name": "a", "type": "timestamp", "timezone": name}])


def nested(depth: int) -> str:
    return "[" * depth + "]" * depth


_PATTERN = r"fields\[0\]\.steps\[0\]\.regex\.pattern: "
_DEEP = "nests deeper than 64 levels|nested too deeply"
_MULTIPLY = "counted repeats multiply to more than 50,000"
_TOO_MUCH = r"compiling the pattern takes (more than 256 MiB|longer than 2 s)"

PATTERNS: dict[str, tuple[bytes, str]] = {
    "alternatives-of-one-text": (pattern("(a|aa)+$"), ""),
    "repeated-group": (pattern(r"(\w)*"), ""),
    "repeated-nothing": (pattern("(?:(?:)*)*"), ""),
    "30,000-alternatives": (pattern("|".join(f"w{number}" for number in range(30_000))), _PATTERN + ".*10,000 bytes"),
    "2,400-alternatives": (pattern("|".join(chr(0x4E00 + number) for number in range(2_400))), ""),
    "counted-repeats": (pattern("(?:(?:(?:a{1000}){1000}){1000}){1000}"), _PATTERN + ".*" + _MULTIPLY),
    "counted-empty-groups": (pattern("((((){1000}){1000}){1000}){1000}"), _PATTERN + ".*" + _MULTIPLY),
    "counted-look-arounds": (pattern("(?:(?:(?=a){900}){900}){900}"), _PATTERN + ".*" + _MULTIPLY),
    "count-of-5,000-digits": (pattern(f"a{{{'9' * 5_000}}}"), _PATTERN + ".*1,000 is the most"),
    "class-of-all-in-any-case": (pattern(r"(?if)(?:[\x00-\U0010ffff]{200}){240}"), _PATTERN + _TOO_MUCH),
    "as-a-constraint": (field(pattern=r"(?if)(?:[\x00-\U0010ffff]{200}){240}"), r"fields\[0\]\.pattern: " + _TOO_MUCH),
    "as-what-is-replaced": (
        step("replace", {"pattern": r"(?if)(?:[\x00-\U0010ffff]{200}){240}", "with": ""}),
        r"fields\[0\]\.steps\[0\]\.replace\.pattern: " + _TOO_MUCH,
    ),
    "huge-class": (pattern("[" + "".join(chr(0x1E00 + number) for number in range(3_000)) + "]"), ""),
    "classes-within-classes": (pattern("(?V1)" + "[" * 900 + "a" + "]" * 900), _PATTERN + "not a pattern"),
    "5,000-groups-deep": (pattern("(" * 5_000 + ")" * 5_000), _PATTERN + "not a pattern"),
    "2,400-groups-deep": (pattern("(?:" * 2_400 + ")" * 2_400), _PATTERN + "not a pattern"),
    "190-groups-deep": (pattern("(?:" * 190 + "a" + ")?" * 190), ""),
    "groups-beside-groups": (pattern("()" * 2_000), ""),
    "recursion": (pattern("(?R)"), ""),
    "recursion-in-a-loop": (pattern("(?:(?R)|a)*"), ""),
    "calls-that-double": (
        pattern("".join(f"(?P<a{n}>(?&a{n + 1})(?&a{n + 1}))" for n in range(60)) + "(?P<a60>x)"), "",
    ),
    "back-references": (pattern(r"(a*)*\1"), ""),
    "4,900-back-references": (pattern("(a)" + r"\1" * 4_900), ""),
    "properties": (pattern(r"\p{L}" * 1_900), ""),
    "differences-of-properties": (pattern("(?V1)[" + r"\p{L}--\p{Lu}&&" * 500 + "a]"), ""),
    "fuzzy": (pattern("(?:abcdefgh){e<=50}" * 100), ""),
    "look-behinds": (pattern("(?<=a*b*)" * 500), ""),
    "named-list": (pattern(r"\L<words>"), _PATTERN + "not a pattern"),
    "empty": (pattern(""), _PATTERN),
    "nul": (pattern("\0"), ""),
    "lone-surrogate": (raw('[{"name": "a", "type": "string", "pattern": "\\ud800"}]'), "is not JSON: "),
    "group-of-30-digits": (pattern("a", group=10**30), "the pattern has 0 groups"),
    "group-below-zero": (pattern("a", group=-1), r"fields\[0\]\.steps\[0\]\.regex\.group: "),
    "group-of-a-long-name": (pattern("a", group="x" * 1_000_000), "no group 'xxx"),
    "template-of-a-long-name": (step("replace", {"pattern": "a", "with": rf"\g<{'a' * 9_000}>"}), "with: "),
    "template-too-long": (step("replace", {"pattern": "a", "with": "x" * 10_001}), r"\.replace\.with: .*10000"),
    "re2-of-all-there-is": (pattern(r"(?:\pL{0,100}){9}", engine="re2"), _PATTERN + "not a pattern for RE2"),
    "re2-4,000-groups-deep": (pattern("(" * 4_000 + ")" * 4_000, engine="re2"), ""),
    "re2-back-reference": (pattern(r"(a)\1", engine="re2"), _PATTERN + "not a pattern for RE2"),
    "thousands-of-re2": (
        document(
            fields=[
                {"name": f"f{n}", "type": "string", "steps": [{"regex": {"pattern": r"\pL{700}", "engine": "re2"}}]}
                for n in range(2_000)
            ]
        ),
        "its patterns have more than 100,000 characters",
    ),
    "thousands-of-patterns": (
        document(fields=[{"name": f"f{n}", "type": "string", "pattern": "(a{99}){9}"} for n in range(2_000)]),
        "its patterns have more than 100,000 characters",
    ),
}  # fmt: skip

DOCUMENTS: dict[str, tuple[bytes, str]] = {
    "arrays-100,000-deep": (b"[" * 100_000, _DEEP),
    "objects-100,000-deep": (b'{"a":' * 100_000, _DEEP),
    "steps-100,000-deep": (raw(f'[{{"name": "a", "type": "string", "steps": {nested(100_000)}}}]'), _DEEP),
    "steps-500-deep": (raw(f'[{{"name": "a", "type": "string", "steps": {nested(500)}}}]'), _DEEP),
    "argument-900-deep": (
        raw(f'[{{"name": "a", "type": "string", "steps": [{{"call": {{"name": "x", "y": {nested(900)}}}}}]}}]'),
        _DEEP,
    ),
    "a-number-of-10-MB": (b'{"version": ' + b"9" * 10_000_000 + b"}", "is not JSON: number out of range"),
    "a-fraction-of-10-MB": (b'{"version": 1.' + b"9" * 10_000_000 + b"}", "version"),
    "an-exponent-of-10-MB": (b'{"version": 1e' + b"9" * 10_000_000 + b"}", "version"),
    "infinite-bound": (raw('[{"name": "a", "type": "float", "min": 1e999}]'), r"fields\[0\]\.min: NaN, Infinity"),
    "bound-that-is-no-number": (raw('[{"name": "a", "type": "float", "max": NaN}]'), "is not JSON: "),
    "ratio-that-is-no-number": (raw(more=', "budget": {"ratio": NaN}'), "is not JSON: "),
    "bound-of-900-digits": (document(fields=[{"name": "a", "type": "int", "min": 10**900}]), r"fields\[0\]\.min: "),
    "length-of-900-digits": (field(max_length=10**900), ""),
    "index-of-900-digits": (step("split", {"sep": "x", "index": 10**900}), ""),
    "lines-to-skip-of-900-digits": (document(csv={"skip_lines": 10**900}), ""),
    "key-twice": (b'{"version": 1, "version": 1}', "key 'version' is given twice"),
    "key-twice-deep-inside": (
        raw('[{"name": "a", "type": "string", "steps": [{"lookup": {"table": {"x": "1", "x": "2"}}}]}]'),
        "key 'x' is given twice",
    ),
    "key-of-1-MB": (document(**{"k" * 1_000_000: 1}), "unknown key 'kkk"),
    "100,000-unknown-keys": (document(**{f"k{number}": 1 for number in range(100_000)}), "and 99,900 more problems"),
    "30,000-fields": (
        document(fields=[{"name": f"f{number}", "type": "int"} for number in range(30_000)]), "fields: .*10000",
    ),
    "5,000-fields-all-wrong": (document(fields=[{"nam": "x"}] * 5_000), r"fields\[0\]\.name: .* more problems"),
    "fields-of-one-name": (document(fields=[{"name": "f", "type": "int"}] * 5_000), "fields named twice: f"),
    "100,000-steps": (field(steps=["trim"] * 100_000), r"fields\[0\]\.steps: .*100"),
    "20,000-formats": (
        document(fields=[{"name": "a", "type": "date", "formats": ["%Y-%m-%d"] * 20_000}]), r"fields\[0\]\.formats: ",
    ),
    "a-format-of-200-kB": (
        document(fields=[{"name": "a", "type": "date", "formats": ["%Y" * 100_000]}]), "%Y stands twice",
    ),
    "a-column-100,000-times": (field(**{"from": ["a"] * 100_000, "steps": [{"join": ""}]}), r"fields\[0\]\.from: "),
    "a-column-5-times": (field(**{"from": ["a"] * 5, "steps": [{"join": ""}]}), "4 is the most"),
    "a-long-separator": (field(**{"from": ["a", "b"], "steps": [{"join": "x" * 10_001}]}), r"\.join: .*10000"),
    "a-constant-of-1-MB": (field(const="x" * 1_000_000), r"fields\[0\]\.const: .*10000"),
    "a-table-of-100,000": (step("lookup", {"table": {str(number): "x" for number in range(100_000)}}), ""),
    "a-path-of-200-kB": (step("json", {"path": "$" + ".a" * 100_000}), ""),
    "a-path's-index-of-5,000-digits": (step("json", {"path": f"$[{'9' * 5_000}]"}), "out of range"),
    "a-name-of-1-MB": (document(fields=[{"name": "x" * 1_000_000, "type": "int"}]), r"fields\[0\]\.name: .*1000"),
    "a-name-that-is-no-text": (raw('[{"name": "\\udfff", "type": "int"}]'), "is not JSON: "),
    "a-name-of-python's": (document(fields=[{"name": "__class__", "type": "int"}]), ""),
    "names-with-control-characters": (document(fields=[{"name": "a\n\0\x1b[31m", "type": "int"}]), ""),
    "a-type-of-1-MB": (document(fields=[{"name": "a", "type": "x" * 1_000_000}]), "no such type: 'xxx"),
    "digits-of-a-decimal": (document(fields=[{"name": "a", "type": f"decimal({'9' * 5_000},1)"}]), "no such type"),
    "a-zone-outside": (_in_zone("../../etc/passwd"), "no such time zone"),
    "a-zone-with-nul": (_in_zone("UTC\0"), "no such time zone"),
    "a-codec-outside": (document(csv={"encoding": "../x"}), r"csv\.encoding: no codec"),
    "a-codec-of-100-kB": (document(csv={"encoding": "x" * 100_000}), r"csv\.encoding: no codec"),
    "a-codec-that-is-none": (document(csv={"encoding": "rot13"}), "not a text encoding"),
    "a-codec-of-python": (document(csv={"encoding": "unicode_escape"}), r"csv\.encoding: "),
    "a-module's-function": (step("call", {"name": "os.system"}), "no transform 'os.system' is registered"),
    "a-file-to-call": (step("call", {"name": "../x"}), r"call\.name: "),
    "an-id-with-a-path": (document(id="../x"), "id: "),
    "an-id-of-10-kB": (document(id="x" * 10_000), "id: "),
    "any-bytes": (bytes(range(256)), "not JSON"),
    "nothing": (b"", "not JSON"),
    "null": (b"null", "must be an object"),
}  # fmt: skip

CASES = PATTERNS | DOCUMENTS


def held_to(more: int) -> None:
    """From here on this process gets no more address space than so many bytes; a core it never leaves."""
    with open("/proc/self/statm", encoding="ascii") as statm:  # noqa: PTH123 # nothing else is read
        pages = int(statm.read().split()[0])
    most = pages * resource.getpagesize() + more
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _outcome(text: bytes) -> Outcome:
    started = time.process_time()
    code = said = ""
    try:
        Plan.compile(asyncio.run(load_foreign(text, "m.json")), Limits())
    except EngineError as error:
        code, said = error.code, str(error)
    return Outcome(code, said, time.process_time() - started)


def main() -> None:
    held_to(2 * GIB)
    for name, (text, _) in CASES.items():
        print(json.dumps([name, *_outcome(text)]), flush=True)


if __name__ == "__main__":
    main()
