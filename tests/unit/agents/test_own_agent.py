"""A user's own agent runs from a file outside the package, and its mistakes are named."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from crowdfall.engine import ensemble
from crowdfall.errors import CrowdfallError
from crowdfall.results.store import open_run
from crowdfall.scenarios import describe, load
from crowdfall.scenarios.schema import Scenario
from invented_market import CRASH, invented_scenario
from random_scenarios import market
from told import told

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "own_agent" / "stop_loss_fund.py"
LINES = 40


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROWDFALL_CACHE", str(tmp_path / "cache"))


def scenario(folder: Path, code: str, *words: str) -> Scenario:
    (folder / "mine.py").write_text(code, encoding="utf-8")
    return invented_scenario(
        folder, '[agents.custom.mine]\nfile = "mine.py"',
        "numbers = { size = 5e9, stop = 0.02 }", *words, moves=CRASH, days=4,
    )  # fmt: skip


def test_example_is_short_and_sells_after_its_stop(tmp_path: Path) -> None:
    code = EXAMPLE.read_text(encoding="utf-8")
    assert len(code.splitlines()) <= LINES
    asked = scenario(tmp_path, code)
    run = ensemble.run(market(), asked, paths=2, seed=1, workers=1, out=tmp_path / "run")
    books = run.table("agents").filter(pl.col("kind") == "mine").sort("path", "date")
    stopped = books.filter(pl.col("nav") < 0.97)
    assert stopped.height
    assert books["stock_sold"].sum() > 0.0
    patient = replace(asked.agents.custom["mine"], numbers={"size": 5e9, "stop": 0.99})
    other = replace(asked, agents=replace(asked.agents, custom={"mine": patient}))
    run = ensemble.run(market(), other, paths=2, seed=1, workers=1, out=tmp_path / "patient")
    mine = run.table("agents").filter(pl.col("kind") == "mine")
    assert mine["stock_value"].min() > 0.0
    assert mine["stock_sold"].sum() == 0.0


STOCK_BOOK = """
import numpy as np
from crowdfall.agents.protocol import Orders, Positions

def open(opening):
    wide, stocks = (opening.paths, 1), len(opening.market.stocks)
    return Positions(
        cells=("book",), shares=np.zeros((*wide, stocks)), cash=np.full(wide, 1e9),
        futures=np.zeros((*wide, 2)), capital=np.full(wide, 1e9), hedge_mix=np.zeros((1, 2)),
        stocks=np.zeros((*wide, stocks)),
    ), None

def decide(view, state):
    order = np.zeros_like(view.own.stocks)
    order[:, :, 0], order[:, :, 1] = 1e5, -1e5
    return Orders(stocks=order, usual=USUAL)
"""


def test_a_stock_book_may_name_its_usual_orders_by_stock(tmp_path: Path) -> None:
    code = STOCK_BOOK.replace("USUAL", "order.sum(axis=1)")
    run = ensemble.run(
        market(), scenario(tmp_path, code), paths=1, seed=1, workers=1, out=tmp_path / "run"
    )
    books = run.table("agents").filter(pl.col("kind") == "mine")
    assert books["stock_bought"].sum() > 0.0
    wrong = scenario(tmp_path, STOCK_BOOK.replace("USUAL", "order"))
    with pytest.raises(CrowdfallError, match="usual"):
        ensemble.run(market(), wrong, paths=1, seed=1, workers=1, out=tmp_path / "wrong")


def test_digest_knows_the_file_and_a_run_keeps_it(tmp_path: Path) -> None:
    code = EXAMPLE.read_text(encoding="utf-8")
    first = scenario(tmp_path, code)
    digest = first.digest
    ensemble.run(market(), first, paths=1, seed=1, workers=1, out=tmp_path / "run")
    assert (tmp_path / "run" / "inputs" / "scenario" / "mine.py").read_text() == code
    assert scenario(tmp_path, code + "\n# other").digest != digest
    again = tmp_path / "again.toml"
    again.write_text(describe(first), encoding="utf-8")
    assert load(str(again)).agents.custom == first.agents.custom


def test_example_scenario_names_the_example(tmp_path: Path) -> None:
    for name in ("stop_loss.toml", "stop_loss_fund.py"):
        shutil.copy(EXAMPLE.parent / name, tmp_path / name)
    loaded = load(str(tmp_path / "stop_loss.toml"))
    assert loaded.input_file(loaded.agents.custom["stop_loss_fund"].file) == tmp_path / EXAMPLE.name


def test_a_word_changes_one_number_of_it(tmp_path: Path) -> None:
    scenario(tmp_path, EXAMPLE.read_text(encoding="utf-8"))
    path = str(tmp_path / "invented.toml")
    asked = load(path, ["agents.custom.mine.numbers.stop=0.03"]).agents.custom["mine"]
    assert asked.numbers == {"size": 5e9, "stop": 0.03}
    out = load(path, ["agents.custom.mine.enabled=false"]).agents
    assert "mine" in load(path).agents.enabled
    assert "mine" not in out.enabled


def test_the_old_place_of_own_agents_is_told_the_new_one(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("")
    with pytest.raises(CrowdfallError) as caught:
        invented_scenario(tmp_path, '[custom.mine]\nfile = "mine.py"')
    assert caught.value.code == "custom_place"
    assert "[agents.custom.mine]" in told(caught.value)


def test_one_that_sits_out_the_first_day_cannot_join_later(tmp_path: Path) -> None:
    code = EXAMPLE.read_text(encoding="utf-8")
    later = '[[changes]]\nstart = 2024-01-03\nset = ["agents.custom.mine.enabled=true"]'
    with pytest.raises(CrowdfallError) as caught:
        scenario(tmp_path, code, "enabled = false", later)
    assert caught.value.code == "joins_late"


SELL = "    return Orders(sell=stopped[:, :, None] * share * view.own.group_value)\n"


@pytest.mark.parametrize(
    ("old", "new", "code", "words"),
    [
        (SELL, "    return Orders(sell=view.own.group_value * np.nan)\n", "custom_not_finite",
         ("sell", "2024-01-02 bar")),
        (SELL, "    return Orders(sell=view.own.group_value[:, 0])\n", "custom_shape", ("sell",)),
        (SELL, "    return Orders(sell=1.01 * view.own.group_value)\n", "custom_oversold",
         ("but holds", "bar")),
        (SELL, "    return Orders(sell_share=1.5 + 0 * view.own.group_value)\n",
         "custom_oversold", ("150.0%",)),
        (SELL, "    return Orders(buy=-view.own.group_value)\n", "custom_negative", ("buy",)),
        (SELL, "    return 1 / 0\n", "custom_failed", ("ZeroDivisionError", "decide")),
        (SELL, "    return 3\n", "custom_answer", ("Orders",)),
        ("    return positions, {}\n", "    return positions\n", "custom_answer", ("open",)),
        ("cash=np.zeros(wide)", "cash=np.zeros(3)", "custom_shape", ("cash", "(3,)")),
        ("def decide(", "def decides(", "custom_function", ("decide",)),
        ("import numpy as np\n", "import numpy as\n", "custom_file", ("SyntaxError", "mine.py")),
    ],
)  # fmt: skip
def test_mistake_of_an_agent_is_told_with_its_name(
    tmp_path: Path, old: str, new: str, code: str, words: tuple[str, ...]
) -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    assert old in text
    asked = scenario(tmp_path, text.replace(old, new))
    with pytest.raises(CrowdfallError) as caught:
        ensemble.run(market(), asked, paths=1, seed=1, workers=1, out=tmp_path / "run")
    assert caught.value.code == code
    for word in ("mine", *words):
        assert word in told(caught.value)
    assert not (tmp_path / "run").exists()


def test_blocks_before_the_mistake_are_kept(tmp_path: Path) -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    late = "    if opening.draw('x')[0, 0] != first: raise ValueError('second block')\n"
    asked = scenario(tmp_path, text)
    from crowdfall.engine.crowd import opening_of
    from crowdfall.engine.setting import setting

    first = opening_of(setting(market(), asked, 1), 0, 1).draw("x")[0, 0]
    asked = scenario(tmp_path, text.replace(
        "    wide = (opening.paths, 1)\n", late.replace("first", repr(float(first)))
        + "    wide = (opening.paths, 1)\n"))  # fmt: skip
    with pytest.raises(CrowdfallError, match="second block"):
        ensemble.run(market(), asked, paths=2, seed=1, workers=1, block=1, out=tmp_path / "run")
    assert open_run(tmp_path / "run", incomplete=True).finished_blocks() == [0]


@pytest.mark.parametrize("name", ["dma", "background", "custom"])
def test_name_that_is_taken_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "mine.py").write_text("")
    with pytest.raises(CrowdfallError) as caught:
        invented_scenario(tmp_path, f'[agents.custom.{name}]\nfile = "mine.py"')
    assert caught.value.code == "custom_name"
