"""Which of the codecs for Latin letters some bytes are in: the one whose letters are those of one language.

Every byte is some character in nearly all of these codecs, so only what the characters are tells them apart.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["LATIN_CODECS", "latin_codec"]

# The letters beyond a to z of languages that are written alike. Portuguese has French neighbours in its coordinates, as
# Spanish has English ones: what counts is that letters of all over the place do not come together.
_WESTERN = ("àâæçèéêëîïôœùûüÿñ", "äöüßéà", "áéíñóúüçàèïòªº", "áâãàçéêíóôõúüªº", "àèéìíîòóùú", "åäöéüæøáà", "áðéíóúýþæö")
_CENTRAL = ("ąćęłńóśźż", "áčďéěíňóřšťúůýž", "áäčďéíĺľňóôŕšťúýž", "áéíóöőúüű", "ăâîşţ", "čćđšž", "äöüß")
_TURKISH = ("çğıöşüâîûİ",)
_BALTIC = ("ąčęėįšųūž", "āčēģīķļņšūž", "äõöüšž")

# The likeliest first.
_LETTERS: Mapping[str, tuple[str, ...]] = {
    "cp1252": _WESTERN,
    "cp1250": _CENTRAL,
    "iso8859_2": _CENTRAL,
    "cp1254": _TURKISH,
    "cp1257": _BALTIC,
    "cp850": _WESTERN,
    "mac_roman": _WESTERN,
}
LATIN_CODECS = tuple(_LETTERS)

_SIGNS = frozenset("€£¥§°©®™«»‹›‘’“”„–—…•·¿¡½¼¾²³±×µ\xa0")  # noqa: RUF001 # they are meant
_APOSTROPHE = "\N{RIGHT SINGLE QUOTATION MARK}"
_CLEAR = 0.05  # shares of characters that differ by less decide nothing
_PURE = 0.9  # the share of characters that text of one language has from it


def latin_codec(text: bytes) -> str:
    """The codec, cp1252 unless another explains the bytes better that the two read differently."""
    read = {codec: text.decode(codec, "replace") for codec in _LETTERS}
    best, *others = read
    for codec in others:
        if _is_better(read[codec], _LETTERS[codec], read[best], _LETTERS[best]):
            best = codec
    return best


def _is_better(text: str, letters: tuple[str, ...], other: str, other_letters: tuple[str, ...]) -> bool:
    """Whether a reading is more like text than another one of the same bytes.

    It is where the letters of all its languages explain more of what the two read differently; or as much, and those
    of one of its languages nearly everything, as no language of the other does.
    """
    differing = [place for place, pair in enumerate(zip(text, other, strict=True)) if pair[0] != pair[1]]
    if not differing:
        return False
    here, there = _share(text, differing, "".join(letters)), _share(other, differing, "".join(other_letters))
    if abs(here - there) > _CLEAR:
        return here > there
    places = [place for place, character in enumerate(text) if character > "\x7f"]
    here = max(_share(text, places, language) for language in letters)
    there = max(_share(other, places, language) for language in other_letters)
    return here >= _PURE and here > there + _CLEAR


def _share(text: str, places: list[int], letters: str) -> float:
    """The share of some characters that are usual: these letters as words have them, and signs outside of words."""
    known = frozenset(letters + letters.upper())
    return sum(_is_usual(text, place, known) for place in places) / len(places)


def _is_usual(text: str, place: int, known: frozenset[str]) -> bool:
    character, before, after = text[place], text[place - 1 : place], text[place + 1 : place + 2]
    if character in known:
        return not (character.isupper() and before.islower())
    return character in _SIGNS and (character == _APOSTROPHE or not (before.isalpha() and after.isalpha()))
