"""Bad banks: one sentence about what is wrong, in both languages, and nothing solved."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crowdfall.cli.main import main
from crowdfall.desk.execution import Terms, cost, schedule
from crowdfall.errors import CrowdfallError, DataError, TermsError
from crowdfall.experiments.theory.answers_elsewhere import SALE
from crowdfall.experiments.theory.balance_sheets import read_eba
from crowdfall.experiments.theory.contagion import Banks, Impact, solve
from crowdfall.experiments.theory.covariance import realised_covariance
from crowdfall.experiments.theory.drift import drift
from crowdfall.experiments.theory.overlap import cascade
from crowdfall.experiments.theory.spiral import Speculators, leverage_targeting
from crowdfall.experiments.theory.threshold import Depth, deleverage
from crowdfall.experiments.theory.vulnerable import System
from crowdfall.i18n import set_language
from crowdfall.market.propagator import power_law
from crowdfall.monitor.indices import contrarian, endogenous_risk

NAN, INF = float("nan"), float("inf")
GOOD: dict[str, Any] = {
    "holdings": [[1.0, 2.0]], "equity": [1.0], "other": [3.0], "leverage": 8.0
}  # fmt: skip
numbers = st.one_of(st.floats(), st.sampled_from([NAN, INF, -INF, -1.0, 0.0, 1.0, 1e308]))
shapes = st.lists(st.lists(numbers, max_size=3), max_size=3)


def told(error: CrowdfallError) -> None:
    for lang in ("en", "zh"):
        set_language(lang)  # type: ignore[arg-type]
        sentence = str(error)
        assert sentence != f"error.{error.code}"
        assert "{" not in sentence
        assert "\n" not in sentence


@pytest.mark.parametrize(
    ("changed", "code"),
    [({"holdings": [[1.0, -2.0]]}, "theory_least"), ({"holdings": [[1.0, NAN]]}, "theory_number"),
     ({"holdings": [1.0, 2.0]}, "theory_shape"), ({"holdings": [[]]}, "theory_shape"),
     ({"holdings": [["a", "b"]]}, "theory_number"), ({"holdings": [[1.0], [2.0, 3.0]]},
     "theory_number"), ({"equity": [1.0, 2.0]}, "theory_shape"), ({"equity": [INF]},
     "theory_number"), ({"other": [-1.0]}, "theory_least"), ({"leverage": 1.0}, "theory_above"),
     ({"leverage": [0.5]}, "theory_above"), ({"leverage": NAN}, "theory_number")],
)  # fmt: skip
def test_bad_banks_are_refused(changed: dict[str, Any], code: str) -> None:
    with pytest.raises(TermsError) as caught:
        Banks(**{**GOOD, **changed})
    assert caught.value.code == code
    told(caught.value)


BAD: dict[str, Callable[[], object]] = {
    "shock above one": lambda: solve(Banks(**GOOD), Impact(depth=1.0), 1.5),
    "shock for three assets": lambda: solve(Banks(**GOOD), Impact(depth=1.0), [0, 0, 0]),
    "no depth": lambda: solve(Banks(**GOOD), Impact(depth=0.0)),
    "exponent": lambda: solve(Banks(**GOOD), Impact(depth=1.0, exponent=-1.0)),
    "target above cap": lambda: deleverage(
        [[1.0]], [0.0], [1.0], Depth(adv=[1.0], volatility=[1.0]), cap=2.0, target=3.0
    ),
    "adv": lambda: deleverage(
        [[9.0]], [0.0], [1.0], Depth(adv=[0.0], volatility=[1.0]), cap=2.0, target=2.0
    ),
    "weights": lambda: System(assets=[1.0], weights=[[0.5, 0.4]], debt=[1.0], illiquidity=[1, 1]),
    "unstable": lambda: System(
        assets=[1.0], weights=[[1.0]], debt=[3.0], illiquidity=[1.0]
    ).all_rounds([-0.1]),
    "gain": lambda: leverage_targeting(100.0, 4.0, 0.01, -0.01),
    "leverage of one": lambda: leverage_targeting(100.0, 1.0, 0.001, -0.01),
    "no room": lambda: Speculators(carried=0.9).multiplier(),
    "no equilibrium": lambda: Speculators(margin_slope=-0.5).price(1.0),
    "covariance": lambda: realised_covariance([[1.0]], [0.5, 0.5], [1.0, 1.0]),
    "failure": lambda: cascade([[1.0]], [1.0], [2.0]),
    "drift": lambda: drift(4.0, -1.5),
    "cost": lambda: cost(1.0, 0.0, adv=1.0, outstanding=1.0, volatility=1.0),
    "short sale": lambda: cost(-1.0, 1.0, adv=1.0, outstanding=1.0, volatility=1.0),
    "aversion": lambda: schedule(SALE, -1.0),
    "slope": lambda: Terms(shares=1, days=1, trades=1, volatility=1, half_spread=0, permanent=9,
                           temporary=1),
    "decay": lambda: power_law(1.5),
    "decay times": lambda: power_law(0.5, shortest=2.0, longest=1.0),
    "risk shape": lambda: endogenous_risk([[1.0, 2.0]], [1.0]),
    "risk depth": lambda: endogenous_risk([[1.0]], [0.0]),
    "risk holdings": lambda: endogenous_risk([[-1.0]], [1.0]),
    "risk nan": lambda: endogenous_risk([[NAN]], [1.0]),
    "alike": lambda: contrarian([0.1, 0.1], [0.0, 0.0]),
    "other day": lambda: contrarian([0.1, 0.2], [0.0]),
    "no leverage": lambda: contrarian([0.1, 0.2], [0.0, 0.1], 0.0),
}  # fmt: skip


@pytest.mark.parametrize("call", BAD.values(), ids=BAD.keys())
def test_bad_terms_are_refused_in_one_sentence(call: Callable[[], object]) -> None:
    with pytest.raises(TermsError) as caught:
        call()
    told(caught.value)


@given(shapes, st.lists(numbers, max_size=3), st.lists(numbers, max_size=3), numbers, numbers)
@settings(max_examples=150)
def test_any_numbers_are_solved_or_refused(
    holdings: list[list[float]],
    equity: list[float],
    other: list[float],
    leverage: float,
    depth: float,
) -> None:
    try:
        banks = Banks(holdings=holdings, equity=equity, other=other, leverage=leverage)
        found = solve(banks, Impact(depth=depth), 0.1)
    except TermsError as error:
        told(error)
        return
    for end in (found.least, found.greatest):
        assert np.isfinite(end.drop).all()


CELLS = st.one_of(
    st.sampled_from(["", "x", "nan", "inf", "-3", "1", "44", "1e400", '"', "bank", "bond", "１"]),
    st.text(st.characters(exclude_categories=("Cs",)), max_size=4),
)


@given(st.lists(st.lists(CELLS, min_size=1, max_size=6), max_size=4))
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_file_is_solved_or_told_in_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], rows: list[list[str]]
) -> None:
    file = tmp_path / "banks.csv"
    lines = [["bank", "equity", "other", "leverage", "bond"], *rows]
    file.write_text("\n".join(",".join(row) for row in lines), encoding="utf-8")
    code = main(["experiment", "contagion", str(file), "--depth", "1e4", "--lang", "en"])
    told_ = capsys.readouterr()
    assert code in (0, 2)
    assert code == 0 or len(told_.err.strip().splitlines()) == 1
    assert "Traceback" not in told_.err


@pytest.mark.parametrize(
    "words",
    [["--depth", "bnd=1"], ["--depth", "x"], ["--depth", "=1"], ["--depth", "1", "--shock", "2"],
     ["--depth", "1", "--shock", "bond=2"], ["--depth", "1", "--exponent", "nan"],
     ["--depth", "0"], ["--depth", "other=1"], []],
)  # fmt: skip
def test_bad_options_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    file = tmp_path / "banks.csv"
    file.write_text("bank,equity,other,leverage,bond\na,28,1170,44,145\n", encoding="utf-8")
    assert main(["experiment", "contagion", str(file), *words]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


@pytest.mark.parametrize(
    "text",
    ["", "a,b\n1,2\n", "bank_id,CET1E,leverage,debt_sec,govbonds\n",
     "bank_id,CET1E,leverage,debt_sec,govbonds\nA 1 x 3 4\n",
     "bank_id,CET1E,leverage,debt_sec,govbonds\nA 1 5 3\n",
     "bank_id,CET1E,leverage,debt_sec,govbonds\nA 1 5 3 4\n",
     "bank_id,CET1E,leverage,debt_sec,govbonds\nA 1 0 3 1\n"],
)  # fmt: skip
def test_bad_file_of_eba_banks_is_told(tmp_path: Path, text: str) -> None:
    file = tmp_path / "EBA_2018.csv"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(DataError) as caught:
        read_eba(file)
    told(caught.value)
    with pytest.raises(DataError):
        read_eba(tmp_path / "nowhere.csv")
