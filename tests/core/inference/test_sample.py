"""A sample is the file's first rows as the engine reads them, and no more of the file."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from engine.core.dialect import Dialect
from engine.core.inference import SAMPLE_BYTES, read_sample
from engine.core.limits import Limits
from engine.errors import FileError
from tests.core.inference.samples import sample


def test_rows_are_cut_where_records_end() -> None:
    """So many rows and a header are read, whatever newlines and blank lines lie between and whatever the pieces."""
    data = '\ufeffa,b\r\n1,"x\ny"\r\n\r\n2,z\r\n3,"w\n\n"\r\n4,v\r\n'
    for piece in (1, 3, 7, 1000):
        found = sample(data, rows=3, piece=piece)
        assert found.records == 4
        assert [column.to_pylist() for column in found.columns] == [["a", "1", "2", "3"], ["b", "x\ny", "z", "w\n\n"]]
        assert list(found.numbers) == [0, 1, 2, 3]
        assert not found.whole
    whole = sample(data, rows=4)
    assert whole.whole
    assert whole.records == 5


def test_broken_records_are_named_and_counted_as_rows() -> None:
    """Ragged and undecodable rows stand apart, with their line, and later rows keep their numbers."""
    found = sample(b'a,b\n1,2\n"x\ny",2,3\n\xff,2\n3,\xc3\xa9\n5,6\n7,8\n')
    assert [(each.record, each.line, each.code) for each in found.broken] == [
        (2, 3, "extra-cell"), (3, 5, "encoding-error"),
    ]  # fmt: skip
    assert "3 cells" in found.broken[0].message
    assert "0xff" in found.broken[1].message
    assert list(found.numbers) == [0, 1, 4, 5, 6]


def test_no_more_is_read_than_needed() -> None:
    """Of an endless file only what the rows need is taken, of one that is all ASCII at most so many bytes."""
    taken = 0

    def endless(text: str) -> Iterator[bytes]:
        nonlocal taken
        while True:
            taken += 1_000_000
            yield text.encode() * 100_000

    assert len(read_sample(endless("1,\xe9\xe9\xe9\n"), "a", rows=10, limits=Limits()).numbers) == 11
    assert taken <= 5_000_000
    taken = 0
    assert len(read_sample(endless("1,2345678\n"), "a", rows=10, limits=Limits()).numbers) == 11
    assert taken <= SAMPLE_BYTES + 2_000_000
    most = read_sample(endless("1,2345678\n"), "a", rows=10**9, limits=Limits())
    assert not most.whole
    assert SAMPLE_BYTES - 3_000_000 <= most.records * 10 <= SAMPLE_BYTES + 1_000_000


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252", "utf-8"])
def test_a_file_in_any_encoding(encoding: str) -> None:
    """Cells are the same texts in every encoding, whatever the pieces; titles above the header do not count."""
    text = "Données\r\n\r\nid;nom;été\r\n1;René;€ 5\r\n2;Chloé;€ 6\r\n"
    for piece in (1, 2, 1000):
        found = sample(text.encode(encoding), piece=piece)
        assert (found.dialect.delimiter, found.dialect.skip_lines) == (";", 2)
        assert [column.to_pylist() for column in found.columns] == [
            ["id", "1", "2"], ["nom", "René", "Chloé"], ["été", "€ 5", "€ 6"],
        ]  # fmt: skip


def test_a_dialect_that_is_given() -> None:
    """Nothing is judged, or said, of how a file is written where that is known."""
    found = read_sample([b"a;b\n1;2\n"], "a", rows=10, limits=Limits(), dialect=Dialect("|"))
    assert [column.to_pylist() for column in found.columns] == [["a;b", "1;2"]]
    assert not found.notes


def test_cells_that_are_not_there() -> None:
    """A cell that a row may lack is empty text."""
    found = sample("a,b,\n1,2\n3,4\n3,4\n5,6,7\n")
    assert [column.to_pylist() for column in found.columns] == [
        ["a", "1", "3", "3", "5"], ["b", "2", "4", "4", "6"], ["", "", "", "", "7"],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "no rows"),
        (b"\xef\xbb\xbf\n\r\n", "no rows"),
        (b"\x1f\x8b\x08\x00", "compressed"),
        (b"\x28\xb5\x2f\xfd\x00", "compressed"),
        (b"sep=;\n", "no rows"),
        (b'"a,b\n' + b"x\n" * 1_200_000, "limits.row_bytes"),
        (b"a," + b"b" * 100 + b"\n1,2\n", "limits.row_bytes"),
    ],
)
def test_files_that_say_nothing(data: bytes, what: str) -> None:
    """A file without rows, a compressed one and one whose first record is over the limit are refused by name."""
    with pytest.raises(FileError, match=what) as caught:
        read_sample(iter([data]), "a.csv", rows=10, limits=Limits(row_bytes=100))
    assert caught.value.file == "a.csv"
