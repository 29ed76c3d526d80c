"""The synthetic market agrees with the real one by size group; its tables can be derived again."""

from __future__ import annotations

import importlib.util
import json
from datetime import date
from importlib.resources import files
from pathlib import Path
from types import ModuleType

import numpy as np
import polars as pl
import pytest

from crowdfall.data.sources.files import FilesSource
from crowdfall.market import store
from crowdfall.market.build import build
from crowdfall.market.snapshot import Market
from crowdfall.market.table import by_size

ROOT = Path(__file__).resolve().parents[3]
WITHIN_TENTH = (
    "median_cap_bn", "median_float_bn", "median_adv_mn", "median_turnover", "median_volatility",
    "float_tn", "free_float_tn", "adv_bn",
)  # fmt: skip
WITHIN_005 = ("beta", "correlation", "wide_limit")


@pytest.fixture(scope="module")
def real(real_data: Path) -> Market:
    return build(FilesSource(real_data), date(2023, 12, 29))


def test_one_table_by_size_group_agrees(real: Market) -> None:
    mine, true = by_size(store.bundled()), by_size(real)
    with pl.Config(tbl_cols=-1, tbl_width_chars=250):
        print("\nreal", true, "\nsynthetic", mine)
    assert mine["count"].to_list() == true["count"].to_list()
    assert mine["st"].to_list() == true["st"].to_list()
    for name in WITHIN_TENTH:
        np.testing.assert_allclose(mine[name], true[name], rtol=0.10, err_msg=name)
    for name in WITHIN_005:
        np.testing.assert_allclose(mine[name], true[name], atol=0.05, err_msg=name)


def test_index_weights_are_as_concentrated(real: Market) -> None:
    for name in ("csi300", "csi500", "csi1000", "csi2000"):
        mine, true = (1.0 / (m.weights[name] ** 2).sum() for m in (store.bundled(), real))
        print(f"{name}: effective number of stocks {mine:.0f}, real {true:.0f}")
        assert mine == pytest.approx(true, rel=0.25)


def test_traits_go_together_as_they_do(real: Market) -> None:
    synthetic = store.bundled().stocks
    for g in range(6):
        for one, two in (("volatility", "turnover"), ("volatility", "beta"), ("adv", "float_cap")):
            pair = [
                np.corrcoef(
                    *(np.argsort(np.argsort(getattr(s, name)[s.group == g])) for name in (one, two))
                )[0, 1]
                for s in (synthetic, real.stocks)
            ]
            assert pair[0] == pytest.approx(pair[1], abs=0.12), (g, one, two)


def test_the_script_derives_the_committed_tables(real: Market) -> None:
    script = _script()
    for name, content in script.tables(real).items():
        committed = files("crowdfall.data").joinpath("bundled", f"{name}.json").read_text("utf-8")
        _agree(json.loads(script._text(content)), json.loads(committed), name)


def _script() -> ModuleType:
    path = ROOT / "scripts" / "derive_bundled.py"
    spec = importlib.util.spec_from_file_location("derive_bundled", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _agree(new: object, old: object, where: str) -> None:
    if isinstance(new, dict) and isinstance(old, dict):
        assert new.keys() == old.keys(), where
        for key, value in new.items():
            _agree(value, old[key], f"{where}.{key}")
    elif isinstance(new, list) and isinstance(old, list):
        assert len(new) == len(old), where
        for k, (one, other) in enumerate(zip(new, old, strict=True)):
            _agree(one, other, f"{where}[{k}]")
    elif isinstance(new, float) and isinstance(old, float):
        assert new == pytest.approx(old, rel=1e-6), where
    else:
        assert new == old, where
