"""Patterns, and texts that they match or nearly match, for tests that hold a matcher to the ``regex`` package."""

from __future__ import annotations

from random import Random

from hypothesis import strategies as st

from engine.core.stepping.grammar import Char, Edge, Group, Item, Sequence

__all__ = ["PATTERNS", "near_misses"]

_ATOMS = [
    *"aabbck1/", r"\.", "é", "😀", "[ab]", "[^a]", "[^b/]", "[^kK]", "[i-s]", "[a-c_]", "[b-]", ".", r"[^\n]", r"\n",
    r"\t", r"\d", r"\w", r"\s", r"\W", r"[\d.]", r"[^\w]",
]  # fmt: skip
_WORDS = ["key=", "/item/", "é=", "ab"]
_EDGES = ["^", "$", r"\b", r"\A", r"\Z"]
_QUANTIFIERS = ["*", "+", "?", "*", "+", "?", "{2}", "{1,2}", "{0,3}", "{2,}", "*?", "+?", "??", "{1,3}?"]
_BEHIND = ["(?<=a)", "(?<=[ab]b)", "(?<=a|b)", "(?<=ab|c[^a])", "(?<=é)", r"(?<=\w)", "(?<=[?/]ab=)"]
_AHEAD = ["(?=b)", "(?=[bc]|$)", "(?=a+b)", r"(?=\b)", "(?=[^a]|)", r"(?=/|\Z)"]
_ODD = [*"abc1/._- \n\té٣ßAK\x00\x1c\u017f\u212a", "😀", "aa", "ab", "b=", "\r\n", "\u2028", *_WORDS, "key", "item/"]


def _quantified(atoms: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(atoms, st.builds(str.__add__, atoms, st.sampled_from(_QUANTIFIERS)))


def _joined(items: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    sequence = st.lists(items, min_size=1, max_size=4).map("".join)
    return st.one_of(sequence, st.lists(sequence, min_size=2, max_size=3).map("|".join))


def _within(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    brackets = st.builds("{}{})".format, st.sampled_from(["(", "(?:", "("]), _joined(inner))
    return _quantified(st.one_of(brackets, st.sampled_from(_ATOMS)))


_ITEMS = st.recursive(
    st.one_of(_quantified(st.sampled_from(_ATOMS)), st.sampled_from([*"abc/", *_WORDS, *_EDGES])), _within, max_leaves=6
)
PATTERNS = st.one_of(
    _joined(_ITEMS),
    _joined(_ITEMS).map("(?i){}".format),
    st.builds(
        "{}{}{}".format, st.sampled_from(["", *_BEHIND]), st.lists(_ITEMS, min_size=1, max_size=4).map("".join),
        st.sampled_from(["", *_AHEAD]),
    ),
)  # fmt: skip


def near_misses(tree: Group, random: Random, count: int) -> list[str]:
    """Texts that the tree matches, some of them spoilt, cut off or among others."""
    texts = ["", "\n"]
    while len(texts) < count:
        text = "".join(random.choices(_ODD, k=random.choice((0, 0, 1, 3)))) + _match(tree, random)
        text += "".join(random.choices(_ODD, k=random.choice((0, 0, 1, 3))))
        if random.random() < 0.3:
            text += _match(tree, random)
        for _ in range(random.choice((0, 0, 1, 2))):
            at = random.randrange(len(text) + 1)
            text = text[:at] + random.choice([*_ODD, ""]) + text[at + random.randrange(2) :]
        texts.append(text[: random.choice((60, 60, random.randrange(9)))])
    return texts


def _match(group: Group, random: Random) -> str:
    """Something that the group matches, as far as edges, and what must not be looked for, allow."""
    branch: Sequence = random.choice(group.branches)
    return "".join(_once(item, random) for item in branch for _ in range(_times(item, random)))


def _times(item: Item, random: Random) -> int:
    return random.randint(item.least, min(item.least + 3, item.least + 3 if item.most is None else item.most))


def _once(item: Item, random: Random) -> str:
    node = item.node
    if isinstance(node, Edge):
        return random.choice(["", "", "\n", " "])
    if isinstance(node, Group):
        return "" if node.negated else _match(node, random)
    return _character(node, random)


def _character(node: Char, random: Random) -> str:
    usual = [chr(byte) for byte in sorted(node.ascii) if chr(byte) in "abckABK1/._- \n\t"]
    beyond = list("é٣ß\u212a😀") if node.other else []
    return node.literal or random.choice(usual * 3 + beyond or [chr(min(node.ascii, default=63))])
