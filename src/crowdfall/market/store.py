"""Keep a market as a folder, and get one back: saved, or the synthetic one of the package.

A folder holds ``stocks.parquet`` (the columns of ``snapshot.Stocks``, ``weight_<index>``, and where
they are known ``style_<name>`` and ``last_return``), ``futures.parquet``, ``history.parquet`` and
``market.json``. It appears whole or not at all.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from dataclasses import fields
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from crowdfall.data.sources.synthetic import SyntheticSource
from crowdfall.errors import MarketError
from crowdfall.market.build import build
from crowdfall.market.snapshot import GROUPS, INDICES, FuturesQuote, History, Market, Stocks
from crowdfall.market.us import invented
from crowdfall.types import Float64

VERSION: Final = 1
"""Version of the folder's tables; a change needs an entry in the changelog."""
_WEIGHT: Final = "weight_"
_STYLE: Final = "style_"
_LAST_RETURN: Final = "last_return"
_KINDS: Final = {"symbol": np.str_, "board": np.int8, "is_st": np.bool_, "group": np.int8}
_STOCK_COLUMNS: Final = tuple(field.name for field in fields(Stocks))
_QUOTE_COLUMNS: Final = tuple(field.name for field in fields(FuturesQuote))
_TABLES: Final = ("stocks", "futures", "history")
_KEYS: Final = ("version", "date", "source", "sources", "digest", "levels", "history", "files")


@cache
def bundled() -> Market:
    """Return the synthetic market that comes with the package; always the same.

    >>> len(bundled().stocks) > 1000
    True
    """
    source = SyntheticSource()
    return build(source, source.date)


@cache
def bundled_us() -> Market:
    """Return the invented US market of 6 August 2007; always the same.

    >>> bundled_us().date.isoformat(), bundled_us().currency
    ('2007-08-06', 'USD')
    """
    return invented()


def named(name: str | Path) -> Market:
    """Return a bundled market by its name (``bundled``, ``us2007``), or the one at a path."""
    shipped = {"": bundled, "bundled": bundled, "us2007": bundled_us}
    return shipped[str(name)]() if str(name) in shipped else load(Path(name))


def save(market: Market, path: Path) -> None:
    """Write a market to a new folder, whole or not at all.

    Raises MarketError where something stands at ``path`` already, or the folder can't be written.
    """
    if path.exists() or path.is_symlink():
        raise MarketError("market_exists", path=path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    except OSError as error:
        raise MarketError("market_unwritable", path=path, reason=error.strerror) from error
    try:
        _write(market, beside)
        beside.chmod(0o755)
        beside.rename(path)
    except OSError as error:
        code = "market_exists" if path.exists() else "market_unwritable"
        raise MarketError(code, path=path, reason=error.strerror) from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def load(path: Path) -> Market:
    """Return the market saved at ``path``.

    Raises MarketError where a file or column is missing, the version is another, or the numbers
    are not those that were saved.
    """
    if not path.is_dir():
        raise MarketError("market_missing", path=path)
    facts = _facts(path)
    _check_files(path, facts["files"])
    stocks = _table(path, "stocks", (*_STOCK_COLUMNS, *(_WEIGHT + name for name in INDICES)))
    weights, styles = (_named(stocks, prefix) for prefix in (_WEIGHT, _STYLE))
    history = _table(path, "history", GROUPS)
    try:
        market = Market(
            date=date.fromisoformat(facts["date"]),
            source=str(facts["source"]),
            stocks=_stocks(stocks),
            weights=weights,
            levels={name: float(level) for name, level in facts["levels"].items()},
            futures=_quotes(_table(path, "futures", _QUOTE_COLUMNS)),
            history=History(
                returns=np.ascontiguousarray(history.select(GROUPS).to_numpy()),
                first=date.fromisoformat(facts["history"]["first"]),
                last=date.fromisoformat(facts["history"]["last"]),
                note=str(facts["history"]["note"]),
            ),
            sources=tuple(str(line) for line in facts["sources"]),
            styles=styles,
            last_return=stocks[_LAST_RETURN].to_numpy() if _LAST_RETURN in stocks.columns else None,
            currency=str(facts.get("currency", "CNY")),
        )
    except (pl.exceptions.PolarsError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise _damaged(path, error) from error
    if market.digest != facts["digest"]:
        raise MarketError("market_changed", path=path, digest=market.digest, saved=facts["digest"])
    return market


def _write(market: Market, folder: Path) -> None:
    columns = {name: getattr(market.stocks, name) for name in _STOCK_COLUMNS}
    columns |= {_WEIGHT + name: values for name, values in market.weights.items()}
    columns |= {_STYLE + name: values for name, values in market.styles.items()}
    if market.last_return is not None:
        columns[_LAST_RETURN] = market.last_return
    pl.DataFrame(columns).write_parquet(folder / "stocks.parquet")
    quotes = {n: [getattr(quote, n) for quote in market.futures] for n in _QUOTE_COLUMNS}
    pl.DataFrame(quotes).write_parquet(folder / "futures.parquet")
    returns = market.history.returns
    pl.DataFrame({name: returns[:, g] for g, name in enumerate(GROUPS)}).write_parquet(
        folder / "history.parquet"
    )
    files = {f"{name}.parquet": _sha256(folder / f"{name}.parquet") for name in _TABLES}
    facts = {
        "version": VERSION,
        "date": market.date.isoformat(),
        "source": market.source,
        "sources": list(market.sources),
        "digest": market.digest,
        "levels": market.levels,
        **({} if market.currency == "CNY" else {"currency": market.currency}),
        "history": {
            "first": market.history.first.isoformat(),
            "last": market.history.last.isoformat(),
            "note": market.history.note,
        },
        "files": files,
    }
    text = json.dumps(facts, ensure_ascii=False, indent=2)
    (folder / "market.json").write_text(text + "\n", encoding="utf-8")


def _facts(path: Path) -> dict[str, Any]:
    file = path / "market.json"
    if not file.is_file():
        raise MarketError("market_no_file", path=path, file=file.name)
    try:
        facts = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise _damaged(file, error) from error
    if not isinstance(facts, dict) or facts.get("version") != VERSION:
        found = facts.get("version") if isinstance(facts, dict) else None
        raise MarketError("market_version", path=path, version=found, known=VERSION)
    for key in _KEYS:
        if key not in facts:
            raise MarketError("market_no_key", file=file, key=key)
    return facts


def _check_files(path: Path, saved: object) -> None:
    """Raise where a table is absent or not the one saved; a damaged one can crash its reader."""
    known = saved if isinstance(saved, dict) else {}
    for name in _TABLES:
        file = path / f"{name}.parquet"
        if not file.is_file():
            raise MarketError("market_no_file", path=path, file=file.name)
        if _sha256(file) != known.get(file.name):
            raise MarketError("market_changed_file", file=file)


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _table(path: Path, name: str, columns: tuple[str, ...]) -> pl.DataFrame:
    file = path / f"{name}.parquet"
    try:
        table = pl.read_parquet(file, glob=False)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise _damaged(file, error) from error
    for column in columns:
        if column not in table.columns:
            raise MarketError("market_no_column", table=str(file), column=column)
    return table


def _named(table: pl.DataFrame, prefix: str) -> dict[str, Float64]:
    """Return the columns whose names begin with ``prefix``, by the rest of the name."""
    return {
        name.removeprefix(prefix): table[name].to_numpy()
        for name in table.columns
        if name.startswith(prefix)
    }


def _stocks(table: pl.DataFrame) -> Stocks:
    def values(name: str) -> Any:  # noqa: ANN401 - one array type per column
        return table[name].to_numpy().astype(_KINDS.get(name, np.float64))

    return Stocks(**{name: values(name) for name in _STOCK_COLUMNS})


def _quotes(table: pl.DataFrame) -> tuple[FuturesQuote, ...]:
    return tuple(FuturesQuote(**row) for row in table.select(_QUOTE_COLUMNS).iter_rows(named=True))


def _damaged(path: Path, error: Exception) -> MarketError:
    reason = (str(error).splitlines() or [type(error).__name__])[0]
    return MarketError("market_unreadable", path=path, reason=reason)
