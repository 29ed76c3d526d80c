from __future__ import annotations

import pytest

from crowdfall.data.symbols import Kind, parse
from crowdfall.errors import SymbolError
from crowdfall.i18n import set_language


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("000852.SH", "000852.SH"),
        ("sh000852", "000852.SH"),
        ("SH000852", "000852.SH"),
        ("sh.000852", "000852.SH"),
        ("000852.XSHG", "000852.SH"),
        ("000852.SSE", "000852.SH"),
        ("1.000852", "000852.SH"),
        (" 000852.sh ", "000852.SH"),
        ("000001.XSHE", "000001.SZ"),
        ("000001.SZSE", "000001.SZ"),
        ("0.000001", "000001.SZ"),
        ("0.399006", "399006.SZ"),
        ("0.430047", "430047.BJ"),
        ("830799.BJ", "830799.BJ"),
        ("830799.BSE", "830799.BJ"),
        ("bj920002", "920002.BJ"),
        ("600519", "600519.SH"),
        ("688981", "688981.SH"),
        ("300750", "300750.SZ"),
        ("002594", "002594.SZ"),
        ("430047", "430047.BJ"),
        ("510300", "510300.SH"),
        ("159845", "159845.SZ"),
        ("932000", "932000.CSI"),
        ("2.932000", "932000.CSI"),
        ("8841431.WI", "8841431.WI"),
        ("IM2402", "IM2402.CFE"),
        ("im2402.cfe", "IM2402.CFE"),
        ("IC2403.CFX", "IC2403.CFE"),
        ("CFFEX.IF2406", "IF2406.CFE"),
        ("IH2409.CCFX", "IH2409.CFE"),
    ],
)
def test_every_spelling_in_use_is_read(text: str, canonical: str) -> None:
    assert str(parse(text)) == canonical


@pytest.mark.parametrize("code", ["000001", "000300", "000852", "000905", "000016", "000002"])
def test_a_bare_code_with_two_readings_lists_both(code: str) -> None:
    with pytest.raises(SymbolError) as caught:
        parse(code)
    assert caught.value.code == "symbol_ambiguous"
    assert f"{code}.SH (index)" in str(caught.value)
    assert f"{code}.SZ (stock)" in str(caught.value)


@pytest.mark.parametrize(("kind", "canonical"), [("stock", "000001.SZ"), ("index", "000001.SH")])
def test_the_kind_settles_an_ambiguous_code(kind: Kind, canonical: str) -> None:
    assert str(parse("000001", kind)) == canonical


@pytest.mark.parametrize(
    ("text", "suggestion"),
    [
        ("600519.SZ", "600519.SH"),
        ("sz600519", "600519.SH"),
        ("600519.SX", "600519.SH"),
        ("IM2402.SH", "IM2402.CFE"),
        ("IN2402", "2402.CFE"),
        ("csi1000", "000852.SH"),
        ("CSI 300", "000300.SH"),
    ],
)
def test_an_unknown_code_says_what_may_be_meant(text: str, suggestion: str) -> None:
    with pytest.raises(SymbolError) as caught:
        parse(text)
    assert caught.value.code == "symbol_unknown_similar"
    assert suggestion in str(caught.value)
    assert text in str(caught.value)


@pytest.mark.parametrize(
    "text", ["", "AAPL", "999999.SH", "IM2413", "IM2400", "60051", "０00852.SH"]
)
def test_what_is_no_code_is_an_error_that_shows_how_to_write_one(text: str) -> None:
    with pytest.raises(SymbolError) as caught:
        parse(text)
    assert "600519.SH" in str(caught.value) or "did you mean" in str(caught.value)


def test_a_code_of_the_wrong_kind_is_told_apart_from_an_unknown_one() -> None:
    with pytest.raises(SymbolError) as caught:
        parse("000852.SH", "stock")
    assert caught.value.code == "symbol_kind"


def test_the_sentence_follows_the_language() -> None:
    with pytest.raises(SymbolError) as caught:
        parse("000001")
    set_language("zh")
    try:
        assert "多种读法" in str(caught.value)
    finally:
        set_language(None)
