"""Pieces are gathered until a look is worth it, and looks at what does not end become rarer."""

from __future__ import annotations

from engine.core.held import Held


def test_a_look_is_due_with_each_doubling() -> None:
    """Below a chunk there is none; what is kept after one is due again at twice its size, and nothing is lost."""
    held = Held(4, most=100)
    assert [held.add(b"ab"), held.add(b"c"), held.add(b"de")] == [False, False, True]
    assert held.take() == b"abcde"
    held.keep(b"abcde")
    assert [held.add(b"1234"), held.add(b"5")] == [False, True]
    assert held.take() == b"abcde12345"
    held.keep(b"")
    assert held.take() == b""
    assert [held.add(b"xyz"), held.add(b"w")] == [False, True]


def test_a_look_is_due_when_all_is_too_long() -> None:
    """What is kept is looked at again no later than one byte over the most, and then with each chunk."""
    held = Held(4, most=12)
    held.keep(b"0123456789")
    assert [held.add(b"ab"), held.add(b"c")] == [False, True]
    held.keep(held.take())
    assert [held.add(b"abc"), held.add(b"d")] == [False, True]


def test_in_a_hurry_every_piece_is_worth_a_look() -> None:
    """From then on, what is held too; looks at what does not end still become rarer."""
    held = Held(100, most=100)
    assert not held.add(b"a")
    held.hurry()
    assert held.add(b"")
    assert held.take() == b"a"
    held.keep(b"abcd")
    assert [held.add(b"123"), held.add(b"4")] == [False, True]


def test_lines_are_taken_and_the_rest_stays_held() -> None:
    """Up to the last LF of the last piece, in one copy; what is kept comes back in front of what stayed."""
    held = Held(4, most=100)
    held.add(b"a\nb")
    held.add(b"c\nd\nef")
    assert (held.take_lines(), held.size) == (b"a\nbc\nd\n", 2)
    held.keep(b"d\n")
    held.add(b"g")
    assert (held.take_lines(), held.size) == (b"d\nefg", 0)
    held.add(b"a\nb\rc")
    assert (held.take_lines(), held.size) == (b"a\nb\rc", 0)
    held.add(b"h\n")
    assert (held.take_lines(), held.size) == (b"h\n", 0)
