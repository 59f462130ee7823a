"""The encoding of a file is what its mark says, UTF-8 where it is valid, and else what its letters make likely."""

# ruff: noqa: RUF001 - characters that look like others are meant

from __future__ import annotations

import random
import sys
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.encodings import codec_name
from engine.core.inference.encoding import find_encoding
from tests.examples import examples

WORDS = {
    "French": "été, hôpital, François, crêpe, forêt, cœur, façade, Noël, Hélène, Nîmes, Évreux, déjà, Benoît",
    "German": "Müller, Köln, Straße, größer, Österreich, Äpfel, Übung, Fußball, München, Gießen, schön",
    "Spanish": "España, niño, mañana, corazón, José, María, Málaga, León, ¿qué?, año, Íñigo, señor",
    "Swedish": "Göteborg, Malmö, Västerås, Örebro, Åsa, Björn, är, på, för, måste, människor, Jönköping",
    "prices": "5 €, “quoted” – dash, it’s, company™, 12,50 €, he’s, café, 3 × 4, ½ price",
    "Polish": "Łódź, Gdańsk, Wrocław, Poznań, Żółw, Małgorzata, źródło, książka, mężczyzna, cześć, jaźń",
    "Czech": "Plzeň, České Budějovice, Hradec Králové, Děčín, Jiří, Tomáš, Šárka, řeka, když, kůň, žluťoučký",
    "Hungarian": "Győr, Székesfehérvár, Szűcs, Gergő, könyv, között, először, nő, hűség, Erzsébet, László",
    "Turkish": "İzmir, Şişli, Eskişehir, Muğla, Çağlar, Işık, değil, için, Türkiye, güneş, çocuk, ağaç",
    "Russian": "Москва, Екатеринбург, Иван Петров, Мария Сидорова, улица Ленина, заказ оформлен, доставка",
    "Greek": "Αθήνα, Θεσσαλονίκη, Ηράκλειο, Γιώργος Παπαδόπουλος, παραγγελία, πληρωμή, οδός, καλημέρα, ευχαριστώ",
    "Hebrew": "ירושלים, תל אביב, חיפה, באר שבע, יוסף כהן, שרה לוי, הזמנה, תשלום, רחוב הרצל, תודה רבה",
    "Japanese": "東京都, 札幌市, 山田太郎, 鈴木花子, 注文番号, 配送済み, ありがとうございます, カテゴリー",
    "Chinese": "北京市, 上海市, 广州, 王小明, 订单编号, 已发货, 信用卡支付, 谢谢光临, 有限公司, 产品名称, 客户",
    "Taiwanese": "臺北市, 高雄市, 王小明, 陳美玲, 訂單編號, 已出貨, 信用卡付款, 謝謝光臨, 有限公司, 產品名稱, 客戶",
    "Korean": "서울특별시, 부산광역시, 김철수, 이영희, 주문번호, 배송완료, 신용카드 결제, 감사합니다, 상품명",
}


def file_of(language: str, rows: int) -> str:
    """A file with a language's words in two columns of four."""
    draw = random.Random(language)
    words = [word.strip() for word in WORDS[language].split(", ")]
    lines = [
        f"{row},{draw.choice(words)},{draw.randint(1, 9999) / 100},{draw.choice(words)} etc" for row in range(rows)
    ]
    return "\r\n".join(["id,name,amount,note", *lines]) + "\r\n"


@pytest.mark.parametrize(
    ("language", "encoding"),
    [
        *((language, "cp1252") for language in ("French", "German", "Spanish", "Swedish", "prices")),
        *((language, "cp850") for language in ("Spanish", "Swedish")),
        ("German", "mac-roman"),
        *((language, "cp1250") for language in ("Polish", "Czech", "Hungarian")),
        ("Polish", "iso8859-2"),
        ("Turkish", "cp1254"),
        *(("Russian", codec) for codec in ("cp1251", "koi8-r", "iso8859-5", "cp866")),
        ("Greek", "cp1253"),
        ("Hebrew", "cp1255"),
        *(("Japanese", codec) for codec in ("shift_jis", "cp932", "euc_jp")),
        *(("Chinese", codec) for codec in ("gb18030", "gbk", "gb2312")),
        ("Taiwanese", "big5"),
        *(("Korean", codec) for codec in ("euc_kr", "cp949")),
        *((language, codec) for language in WORDS for codec in ("utf-8", "utf-8-sig", "utf-16")),
        *((language, codec) for language in ("French", "Russian", "Korean") for codec in ("utf-16-le", "utf-16-be")),
        ("French", "utf-32"),
    ],
)
def test_ordinary_files(language: str, encoding: str) -> None:
    """A few kilobytes of text in any usual encoding read as what was written, and a guess is called one."""
    text = file_of(language, 60)
    found = find_encoding(iter([text.encode(encoding)]))
    assert text.encode(encoding).decode(found.name).removeprefix("\ufeff") == text
    assert found.name == codec_name(found.name)
    assert (found.guess is None) == (encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-32"))


def test_western_before_others() -> None:
    """Where little tells, it is Windows' Western encoding: signs of it, a mixture of languages, a single letter."""
    words = [word for language in ("French", "German", "Spanish", "Swedish") for word in WORDS[language].split(", ")]
    random.Random(1).shuffle(words)
    for text in ("\n".join(words), "ö", "a,b\n5 €,x\n", "“a”,b™\n", "naïve\n", "ÿ"):
        assert find_encoding(iter([text.encode("cp1252")])).name == "cp1252"


def test_the_first_accent_may_come_late() -> None:
    """What is all ASCII is searched on; bytes beyond what proves the encoding are not asked for."""
    plain, late = b"1,2,3\n" * 50_000, "4,Zoë,5\n".encode("cp1252")

    def pieces() -> Iterator[bytes]:
        yield from [plain] * 20
        yield late * 100_000
        raise AssertionError("more was asked for")

    assert find_encoding(pieces()).name == "cp1252"
    assert find_encoding(iter([plain] * 3)) == ("utf-8", None)
    assert find_encoding(iter([])) == ("utf-8", None)


def test_damaged_utf8_is_utf8() -> None:
    """A few bad bytes in a file that else is UTF-8 are bad rows, not another encoding."""
    good = "1,Zoë\n".encode()
    assert find_encoding(iter([good * 9 + b"2,Zo\xeb\n" + good * 9])).name == "utf-8"
    assert find_encoding(iter([b"2,Zo\xeb\n3,caf\xe9\n4,Ren\xe9\n5,Andr\xe9\n" + good])).name == "cp1252"


def test_stray_nuls_are_not_utf16() -> None:
    """NULs among the characters of a file make it no UTF-16 one."""
    assert find_encoding(iter([b"a,b\n1,\0\n2,\0\0\n3,\0x\n"])) == ("utf-8", None)
    assert find_encoding(iter([b"a,b\n" + b"1,ordinary text\n" * 50 + b"2,\0\n"])) == ("utf-8", None)


@settings(max_examples=examples(300))
@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), st.integers(1, 9))
def test_utf8_is_always_found(text: str, piece: int) -> None:
    """Valid UTF-8, cut off anywhere in its last character and read in any pieces, is UTF-8."""
    data = text.encode()
    for end in range(len(data) - 3, len(data) + 1):
        head = data[: max(end, 0)]
        found = find_encoding(head[start : start + piece] for start in range(0, len(head), piece))
        cut = head.decode(errors="ignore").encode() != head
        assert found.name == "utf-8" or (cut and len(head) < 8) or head.startswith((b"\xff\xfe", b"\xfe\xff"))


@settings(max_examples=examples(300))
@given(st.binary(max_size=200))
def test_any_bytes_have_an_encoding(data: bytes) -> None:
    """Whatever a file holds, a codec is named that the engine can read it with."""
    assert codec_name(find_encoding(iter([data])).name)


def test_the_detector_leaves_the_gil_as_it_is() -> None:
    """Where the interpreter runs without a GIL it still does after the detector was needed."""
    before = getattr(sys, "_is_gil_enabled", lambda: True)()
    assert find_encoding(iter([file_of("Russian", 60).encode("cp1251")])).name == "cp1251"
    assert "charset_normalizer" in sys.modules
    assert getattr(sys, "_is_gil_enabled", lambda: True)() == before
