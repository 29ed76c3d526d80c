from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from crowdfall.data.symbols import SPELLINGS, Kind, Spelling, Symbol, parse
from crowdfall.errors import SymbolError

_BODIES: dict[tuple[str, Kind], list[str]] = {
    ("SH", "stock"): ["600", "601", "603", "605", "688", "689"],
    ("SH", "fund"): ["510", "512", "563", "588"],
    ("SH", "index"): ["000"],
    ("SZ", "stock"): ["000", "001", "002", "003", "300", "301"],
    ("SZ", "fund"): ["159", "160"],
    ("SZ", "index"): ["399", "980"],
    ("BJ", "stock"): ["430", "830", "870", "920"],
    ("BJ", "index"): ["899"],
    ("CSI", "index"): ["931", "932"],
}


@st.composite
def listed(draw: st.DrawFn) -> Symbol:
    (exchange, kind), heads = draw(st.sampled_from(sorted(_BODIES.items())))
    return Symbol(f"{draw(st.sampled_from(heads))}{draw(st.integers(0, 999)):03d}", exchange, kind)


@st.composite
def futures(draw: st.DrawFn) -> Symbol:
    product = draw(st.sampled_from(["IF", "IH", "IC", "IM"]))
    code = f"{product}{draw(st.integers(10, 40))}{draw(st.integers(1, 12)):02d}"
    return Symbol(code, "CFE", "future")


@given(listed() | futures(), st.sampled_from(SPELLINGS), st.booleans())
def test_every_spelling_reads_back_as_the_same_symbol(
    symbol: Symbol, spelling: Spelling, lower: bool
) -> None:
    text = symbol.spell(spelling)
    assert parse(text.lower() if lower else text) == symbol
    assert parse(text, symbol.kind) == symbol


@given(listed() | futures())
def test_a_bare_code_with_its_kind_has_one_reading(symbol: Symbol) -> None:
    assert parse(symbol.code, symbol.kind) == symbol


@given(listed() | futures())
def test_a_bare_code_is_read_rightly_or_refused(symbol: Symbol) -> None:
    read = read_or_refuse(symbol.code)
    if isinstance(read, Symbol):
        assert read == symbol
    else:
        assert read.code == "symbol_ambiguous"
        assert str(symbol) in str(read)


near_codes = st.from_regex(r"[a-zA-Z]{0,4}[.]?[0-9]{0,7}[.]?[a-zA-Z0-9]{0,5}", fullmatch=True)


@given(st.text() | near_codes, st.sampled_from([None, "stock", "fund", "index", "future"]))
def test_garbage_gives_a_symbol_or_a_symbol_error_with_a_sentence(
    text: str, kind: Kind | None
) -> None:
    read = read_or_refuse(text, kind)
    if isinstance(read, Symbol):
        assert parse(str(read)) == read
    else:
        assert not str(read).startswith("error.")


def read_or_refuse(text: str, kind: Kind | None = None) -> Symbol | SymbolError:
    """Return what ``parse`` gives or raises; any other exception fails the test."""
    try:
        return parse(text, kind)
    except SymbolError as error:
        return error
