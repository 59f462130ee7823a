"""Where a batch's objects lie (CONTRACT section 3)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from engine.errors import FileError
from engine.names import KEY_BYTES

__all__ = ["MANIFEST", "OutputKeys", "crowded_keys", "numbered", "output_keys"]

MANIFEST = "manifest.json"

_UNSAYABLE = re.compile("[\x00-\x1f\x7f\ufffe\uffff]")  # a bucket that holds one such key answers no question about it
_NUMBERED = re.compile(r"\.[0-9]{5,}(?:_[0-9]+)?(\.[^./]*)$")
_NUMBER_BYTES = 16  # that numbered() may add
_COMPRESSION = (".gz", ".gzip", ".zst", ".zstd")


class OutputKeys(NamedTuple):
    data: str
    rejects: str


def output_keys(root: str, names: Sequence[str], suffix: str) -> list[OutputKeys]:
    """The keys that source files become.

    Args:
        root: the batch's key prefix: empty, or ending in ``/``.
        names: source keys, each once.
        suffix: of the data objects, as ``.jsonl``.

    Raises:
        FileError: a name that cannot be part of a key here (empty, with ``.`` or ``..`` as a segment, or with a
            character that XML cannot say, in which S3 answers); a ``root`` with such a segment or character; or a key
            that S3 would not take for its length.
    """
    if any(segment in (".", "..") for segment in root.split("/")):
        raise FileError(f"a batch cannot lie below {root!r}: it has a '.' or '..' segment", file=root)
    _sayable(root)
    bases = [_stem(_safe(name)) for name in names]
    while taken := {base for base, times in Counter(bases).items() if times > 1}:
        # Again, because a full name may meet another file's stem; it ends, because full names are unique.
        bases = [name if base in taken else base for base, name in zip(bases, names, strict=True)]
    made = [OutputKeys(f"{root}data/{base}{suffix}", f"{root}rejects/{base}.jsonl") for base in bases]
    for name, keys in zip(names, made, strict=True):
        _short(keys, name)
    return made


def numbered(key: str, number: int, again: int = 0) -> str:
    """The key of one of several data objects of a file, in the order of their rows; ``key`` is that of the only one.

    Args:
        number: of the range that it is from, counted from 0.
        again: how many objects of that range come before it.
    """
    base, dot, ending = key.rpartition(".")
    return f"{base}.{number:05d}{f'_{again}' if again else ''}{dot}{ending}"


def crowded_keys(keys: Sequence[str]) -> set[str]:
    """Those data keys whose numbered objects another one could be: such files must stay one object."""
    owners = {_NUMBERED.sub(r"\1", key) for key in keys if _NUMBERED.search(key)}
    return owners.intersection(keys)


def _short(keys: OutputKeys, name: str) -> None:
    """Raises FileError: S3 has no room for such a key, or not for those of several objects."""
    room = KEY_BYTES - (_NUMBER_BYTES if keys.data.endswith(".parquet") else 0)
    for key, most in ((keys.data, room), (keys.rejects, KEY_BYTES)):
        size = len(key.encode("utf-8", "surrogatepass"))
        if size > most:
            what = f"the key of its output would have {size:,} bytes, and {most:,} is the most: shorten the prefix"
            raise FileError(what, file=name)


def _stem(name: str) -> str:
    for ending in _COMPRESSION:
        name = _without(name, ending)
    return _without(name, ".csv")


def _without(name: str, ending: str) -> str:
    """``name`` less ``ending``, in any case, if something is left of its last segment."""
    cut = len(name) - len(ending)
    return name[:cut] if name.lower().endswith(ending) and name[:cut].rpartition("/")[2] else name


def _safe(name: str) -> str:
    if not name or any(segment in ("", ".", "..") for segment in name.split("/")):
        raise FileError("this key cannot name an output: it is empty or has an empty, '.' or '..' segment", file=name)
    return _sayable(name)


def _sayable(name: str) -> str:
    if _UNSAYABLE.search(name):
        what = "cannot be part of an output's key: it has a control character, U+FFFE or U+FFFF"
        raise FileError(f"{name!a} {what}", file=ascii(name))
    return name
