"""The public collections of CSV files, written anew from what each of their files is there to show.

- **csv-spectrum**: all of it, with the files that it has had at some time (``latin1``, ``newlines_cr``, ``null``);
  ``location_coordinates`` with the cells as the file has them.
- **RFC 4180**, section 2: the examples of its seven rules.
- **CSVW tests** (W3C, CSV on the Web): those that concern parsing, by their numbers. There is nothing here for
  ``commentPrefix`` (051, 052), ``skipColumns`` (054: a mapping names the columns that it wants), several header rows,
  ``lineTerminators`` (a line ends at LF, CRLF or CR), annotations, metadata, types and URLs. ``trim`` is true or false
  for us, not ``start`` or ``end`` (020, 021, 056), and goes for quoted cells as well; a blank row is a line that has
  nothing on it, not one of empty cells (055). Bad settings (059 to 072) are errors of the mapping, not warnings.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.core.reading import read

type Cells = list[list[str | None] | str]


def check(data: bytes, labels: list[str], rows: Cells, **section: Any) -> None:
    """Whole, and byte for byte, the file has these labels, and rows of these cells, or bad with this code."""
    whole = read(data, chunk_bytes=1 << 20, **section)
    assert (whole.labels, whole.outcomes) == (labels, rows)
    assert read(data, range(1, len(data)), chunk_bytes=1, **section) == whole


ABC = ["a", "b", "c"]
NAME = ["first", "last", "address", "city", "zip"]
SPECTRUM: dict[str, tuple[bytes, list[str], Cells]] = {
    "comma_in_quotes": (
        b'first,last,address,city,zip\nAnn,Lee,7 Mill Rd.,"Oxford, OH",45056\n',
        NAME,
        [["Ann", "Lee", "7 Mill Rd.", "Oxford, OH", "45056"]],
    ),
    "empty": (b'a,b,c\n7,"",""\n8,9,10\n', ABC, [["7", "", ""], ["8", "9", "10"]]),
    "empty_crlf": (b'a,b,c\r\n7,"",""\r\n8,9,10\r\n', ABC, [["7", "", ""], ["8", "9", "10"]]),
    "escaped_quotes": (b'a,b\n5,"so ""it"" goes"\n6,7\n', ["a", "b"], [["5", 'so "it" goes'], ["6", "7"]]),
    "json": (
        b'key,val\n4,"{""kind"": ""Line"", ""at"": [1.5, -2.0]}"\n',
        ["key", "val"],
        [["4", '{"kind": "Line", "at": [1.5, -2.0]}']],
    ),
    "latin1, read as what it is not": (
        b"Phone,Coordinates,City\n0301234567,37\xb036'37.8\"N 121\xb02'17.9\"W,Bonn\n0307654321,x,Ulm\n",
        ["Phone", "Coordinates", "City"],
        ["encoding-error", ["0307654321", "x", "Ulm"]],
    ),
    "location_coordinates": (
        "Phone,Coordinates,City\n0301234567,37\ufffd36'37.8\"N 121\ufffd2'17.9\"W,Bonn\n".encode(),
        ["Phone", "Coordinates", "City"],
        [["0301234567", "37\ufffd36'37.8\"N 121\ufffd2'17.9\"W", "Bonn"]],
    ),
    "newlines": (
        b'a,b,c\n1,2,3\n"In the\nbeginning",5,6\n7,8,9\n',
        ABC,
        [["1", "2", "3"], ["In the\nbeginning", "5", "6"], ["7", "8", "9"]],
    ),
    "newlines_cr": (
        b'a,b,c\r1,2,3\r"In the\rbeginning",5,6\r7,8,9\r',
        ABC,
        [["1", "2", "3"], ["In the\rbeginning", "5", "6"], ["7", "8", "9"]],
    ),
    "newlines_crlf": (
        b'a,b,c\r\n1,2,3\r\n"In the\r\nbeginning",5,6\r\n7,8,9\r\n',
        ABC,
        [["1", "2", "3"], ["In the\r\nbeginning", "5", "6"], ["7", "8", "9"]],
    ),
    "null": (b'a,b,c\n1,,2\n3,"NULL",4\n5,NULL,6\n', ABC, [["1", "", "2"], ["3", "NULL", "4"], ["5", "NULL", "6"]]),
    "quotes_and_newlines": (
        b'a,b\n1,"so \n""it"" \ngoes"\n3,4\n',
        ["a", "b"],
        [["1", 'so \n"it" \ngoes'], ["3", "4"]],
    ),
    "simple": (b"a,b,c\n1,2,3\n", ABC, [["1", "2", "3"]]),
    "simple_crlf": (b"a,b,c\r\n1,2,3\r\n", ABC, [["1", "2", "3"]]),
    "utf8": ("a,b,c\n1,2,3\n4,5,ʤ\n".encode(), ABC, [["1", "2", "3"], ["4", "5", "ʤ"]]),
}


@pytest.mark.parametrize("name", SPECTRUM)
def test_csv_spectrum(name: str) -> None:
    """Each file gives the cells that the collection's JSON of it has."""
    check(*SPECTRUM[name])


def test_csv_spectrum_latin1() -> None:
    """The Latin-1 file in the encoding that it is in."""
    data, labels, _ = SPECTRUM["latin1, read as what it is not"]
    there = "37°36'37.8\"N 121°2'17.9\"W"
    check(data, labels, [["0301234567", there, "Bonn"], ["0307654321", "x", "Ulm"]], encoding="latin-1")


GIVEN = {"header": ["1", "2", "3"]}
RFC_4180: dict[str, tuple[bytes, list[str], Cells, dict[str, Any]]] = {
    "1 records end in CRLF": (b"aa,bb,cc\r\nxx,yy,zz\r\n", ["1", "2", "3"],
                              [["aa", "bb", "cc"], ["xx", "yy", "zz"]], GIVEN),
    "2 the last one need not": (b"aa,bb,cc\r\nxx,yy,zz", ["1", "2", "3"],
                                [["aa", "bb", "cc"], ["xx", "yy", "zz"]], GIVEN),
    "3 a header may come first": (b"n1,n2,n3\r\naa,bb,cc\r\nxx,yy,zz\r\n", ["n1", "n2", "n3"],
                                  [["aa", "bb", "cc"], ["xx", "yy", "zz"]], {}),
    "4 as many fields in all": (b"aa,bb,cc\r\nxx,yy\r\nxx,yy,zz,\r\n", ["1", "2", "3"],
                                [["aa", "bb", "cc"], "missing-cell", "extra-cell"], GIVEN),
    "4 spaces are part of a field": (b"aa , bb,cc \r\n", ["1", "2", "3"], [["aa ", " bb", "cc "]], GIVEN),
    "5 fields may be quoted": (b'"aa","bb","cc"\r\nxx,yy,zz\r\n', ["1", "2", "3"],
                               [["aa", "bb", "cc"], ["xx", "yy", "zz"]], GIVEN),
    "6 line breaks, quotes and commas must": (b'"aa","b\r\nbb","c,c"\r\nxx,yy,zz\r\n', ["1", "2", "3"],
                                              [["aa", "b\r\nbb", "c,c"], ["xx", "yy", "zz"]], GIVEN),
    "7 quotes are doubled": (b'"aa","b""bb","cc"\r\n', ["1", "2", "3"], [["aa", 'b"bb', "cc"]], GIVEN),
}  # fmt: skip


@pytest.mark.parametrize("rule", RFC_4180)
def test_rfc_4180(rule: str) -> None:
    """Each rule of section 2 holds, and what breaks it is told."""
    data, labels, rows, section = RFC_4180[rule]
    check(data, labels, rows, **section)


TREE = ["GID", "On Street", "Species"]
TREES: Cells = [["1", "ELM AV", "Celtis"], ["2", "OAK ST", "Acer"]]
CSVW: dict[str, tuple[bytes, list[str], Cells, dict[str, Any]]] = {
    "001 simple table": (b"Surname,Age\nSmith,10\n", ["Surname", "Age"], [["Smith", "10"]], {}),
    "002 quoted field": (b'Surname,Town\nSmith,"Hull"\n', ["Surname", "Town"], [["Smith", "Hull"]], {}),
    "003 surrounding spaces": (b" Surname , Age \n Smith , 10 \n", [" Surname ", " Age "], [[" Smith ", " 10 "]], {}),
    "008 separators inside a field": (b'Book,Authors\nX,"A,B,C"\n', ["Book", "Authors"], [["X", "A,B,C"]], {}),
    "019 no header": (b"1,ELM AV,Celtis\n2,OAK ST,Acer\n", ["1", "2", "3"], TREES, {"header": False}),
    "022 trim": (b"GID , On Street,\tSpecies\n 1, ELM AV ,Celtis\n2,OAK ST\t, Acer \n", TREE, TREES, {"trim": True}),
    "023 header=false": (b"a,b\n1,2\n", ["1", "2"], [["a", "b"], ["1", "2"]], {"header": False}),
    "024 header=true": (b"a,b\n1,2\n", ["a", "b"], [["1", "2"]], {"header": True}),
    "025 header=false, skipRows=1": (
        b"no,header,this\n1,ELM AV,Celtis\n2,OAK ST,Acer\n", TREE, TREES, {"header": TREE, "skip_lines": 1},
    ),
    "050 tab as delimiter": (
        b"GID\tOn Street\tSpecies\n1\tELM AV\tCeltis\n2\tOAK ST\tAcer\n", TREE, TREES, {"delimiter": "\t"},
    ),
    "055 skipBlankRows": (b"\nGID,On Street,Species\n\n1,ELM AV,Celtis\n\r\n2,OAK ST,Acer\n\n", TREE, TREES, {}),
    "055 blank rows kept": (
        b"a,b\n\n1,2\n,\n", ["a", "b"], ["blank-row", ["1", "2"], ["", ""]], {"blank_rows": "error"},
    ),
    "dialect: quoteChar": (b"a,b\n'1,5','it''s \"so\"'\n", ["a", "b"], [["1,5", 'it\'s "so"']], {"quote": "'"}),
    "dialect: quoteChar null": (b'a,b\n5" pipe,"x"\n', ["a", "b"], [['5" pipe', '"x"']], {"quote": None}),
    "dialect: doubleQuote=false": (
        b'a,b\n"say \\"so\\"","\\\\"\nx\\,y,z\n', ["a", "b"], [['say "so"', "\\"], ["x,y", "z"]], {"escape": "\\"},
    ),
    "dialect: skipRows": (b'Report of "today\n,,\nGID,On Street,Species\n1,ELM AV,Celtis\n2,OAK ST,Acer\n', TREE, TREES,
                          {"skip_lines": 2}),
    "dialect: encoding": ("Straße;Größe\nIm Öd;5\n".encode("cp1252"), ["Straße", "Größe"], [["Im Öd", "5"]],
                          {"encoding": "windows-1252", "delimiter": ";"}),
    "a mark says UTF-16": ("\ufeffStraße\nÖd\n".encode("utf-16-le"), ["Straße"], [["Öd"]], {}),
    "a mark is no part of the header": (b'\xef\xbb\xbf"a",b\n1,2\n', ["a", "b"], [["1", "2"]], {}),
    "ragged rows are faults": (b"a,b\n1\n1,2,3\n1,2\n", ["a", "b"], ["missing-cell", "extra-cell", ["1", "2"]], {}),
    "ragged rows are let pass": (b"a,b\n1\n1,2,3\n", ["a", "b"], [["1", None], ["1", "2"]],
                                 {"missing_cells": "null", "extra_cells": "ignore"}),
    "text after a closing quote": (b'a,b\n"1"2,3\n4,5\n', ["a", "b"], ["quote-error", ["4", "5"]], {}),
    "a quote inside a bare cell": (b'a,b\n1"2,"3"\n', ["a", "b"], [['1"2', "3"]], {}),
}  # fmt: skip


@pytest.mark.parametrize("case", CSVW)
def test_csvw(case: str) -> None:
    """Each test's table has the cells that the test suite gives, under the dialect that it gives."""
    data, labels, rows, section = CSVW[case]
    check(data, labels, rows, **section)
