"""``crowdfall snowball`` as third parties call it, and its tables and pages."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from crowdfall.cli.main import main

PLACES = [
    "--date", "2024-01-19", "--level", "csi500=5200", "--level", "csi1000=5400",
    "--open-interest", "csi500=313000",
]  # fmt: skip


@pytest.fixture(autouse=True)
def _english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROWDFALL_LANG", "en")


def ask(capsys: pytest.CaptureFixture[str], *words: str) -> object:
    """Return the JSON that a command prints."""
    assert main(["snowball", *words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def refusal(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """Return the sentence with which a command refuses."""
    assert main(["snowball", *words]) == 2
    return capsys.readouterr().err


def test_price_keeps_its_contract(capsys: pytest.CaptureFixture[str]) -> None:
    value = ask(
        capsys, "price", "--knock-in", "0.75", "--knock-out", "1.03", "--coupon", "0.20",
        "--vol", "0.20", "--rate", "0.02", "--q", "0.06", "--months", "24", "--lockup", "3",
        "--spot", "100", "--initial", "100", "--age", "0",
    )  # fmt: skip
    assert isinstance(value, dict)
    assert value["pv"] == pytest.approx(98.20344, abs=1e-3)
    assert set(value) >= {
        "pv", "delta", "gamma", "vega", "dv_dq", "p_knock_in", "p_knock_out", "p_loss", "life",
    }  # fmt: skip


def test_price_knows_variants_terms_stages_and_states(capsys: pytest.CaptureFixture[str]) -> None:
    def pv(*words: str) -> float:
        value = ask(capsys, "price", *words)
        assert isinstance(value, dict)
        return float(value["pv"])

    assert pv("--knocked-in") == pytest.approx(96.04819, abs=1e-3)
    assert pv("--term", "strike=0.9") == pytest.approx(100.80758, abs=1e-3)
    assert pv("--variant", "step-down") == pytest.approx(99.19571, abs=1e-3)
    assert pv("--coupon", "0.24", "--stage", "12::0.06") == pytest.approx(96.44844, abs=1e-3)
    assert pv("--spot", "5100", "--initial", "6000", "--age", "300") == pytest.approx(
        100.72666, abs=1e-3
    )
    assert pv("--skew", "-0.3") < 98.2
    assert pv("--variant", "early-profit", "--term", "months=36") > 0


def test_price_follows_the_session_calendar_from_a_start(
    capsys: pytest.CaptureFixture[str],
) -> None:
    value = ask(capsys, "price", "--start", "2023-06-15")
    assert isinstance(value, dict)
    assert value["pv"] == pytest.approx(98.2, abs=0.5)
    assert value["pv"] != pytest.approx(98.20344, abs=1e-3)
    assert "no trading session" in refusal(capsys, "price", "--start", "2024-02-12")
    assert "after today" in refusal(capsys, "price", "--start", "2999-01-04")


def test_coupon_and_implied_discount(capsys: pytest.CaptureFixture[str]) -> None:
    answer = ask(capsys, "coupon", "--vol", "0.18", "--quoted", "0.20305")
    assert isinstance(answer, dict)
    assert answer["fair_coupon"] == pytest.approx(0.20305, abs=1e-5)
    assert answer["implied_discount"] == pytest.approx(0.06, abs=1e-4)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("price", "--coupon", "20"), "0.20 for 20%"),
        (("price", "--vol", "0"), "volatility"),
        (("price", "--vol", "-0.2"), "volatility"),
        (("price", "--knock-in", "1.1"), "knock-in"),
        (("price", "--variant", "standrd"), "did you mean standard"),
        (("price", "--term", "nonsense"), "NAME=VALUE"),
        (("price", "--term", "barrier=1"), "no term barrier"),
        (("price", "--term", "floor=abc"), "floor"),
        (("price", "--stage", "x:1:1"), "AFTER:KNOCK_OUT:COUPON"),
        (("price", "--age", "504000"), "matures after 504"),
        (("price", "--spot", "-1"), "must be positive"),
        (("price", "--spot", "104", "--age", "63"), "has ended"),
        (("price", "--start", "yesterday"), "date"),
        (("coupon", "--variant", "airbag"), "no coupon"),
        (("coupon", "--quoted", "9"), "0.20 for 20%"),
        (("coupon", "--quoted", "-0.9"), "No q between"),
        (("book", "nowhere.csv", *PLACES), "snowball template"),
        (("map", "--level", "csi500=abc"), "csi500=5200"),
        (("ladder", *PLACES, "--cap", "-1"), "cap"),
        (("hedge", "--path", "nowhere.csv"), "nowhere.csv"),
    ],
)
def test_what_can_not_be_right_is_refused_in_a_sentence(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...], sentence: str
) -> None:
    said = refusal(capsys, *words)
    assert sentence in said
    assert "Traceback" not in said


def test_bundled_book_is_shown(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    page = tmp_path / "map.html"
    rows = ask(capsys, "map", *PLACES, "--page", str(page))
    assert isinstance(rows, list)
    assert {row["underlying"] for row in rows} == {"csi500", "csi1000"}
    text = page.read_text(encoding="utf-8")
    assert "敲入分布图" in text
    assert "Knock-in map" in text
    ladder = ask(capsys, "ladder", *PLACES, "--days", "0", "--days", "5")
    assert isinstance(ladder, list)
    at = {(row["underlying"], row["level"]): row["+0d"] for row in ladder}
    assert at["csi500", 5200.0] == pytest.approx(147e3, rel=0.02)
    book = ask(capsys, "book", *PLACES, "--cap", "1.45", "--mix", "ic=0.7", "--mix", "im=0.3")
    assert isinstance(book, dict)
    assert set(book) == {"totals", "shocks", "pins"}


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_template_can_be_read_back(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, suffix: str
) -> None:
    file = tmp_path / f"book.{suffix}"
    assert main(["snowball", "template", "--out", str(file)]) == 0
    assert main(["snowball", "template", "--out", str(file)]) == 2
    capsys.readouterr()
    rows = ask(capsys, "map", str(file), *PLACES)
    assert isinstance(rows, list)
    assert sum(row["notional"] for row in rows) == pytest.approx(1.5e8)
    columns = ask(capsys, "template")
    assert isinstance(columns, list)
    assert columns[3]["column"] == "initial"


def test_hedge_along_a_path_of_ones_own(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    spot = 5000 * np.exp(np.cumsum(np.random.default_rng(3).normal(0, 0.01, 60)))
    rows = [f"{s:.2f},{s * 0.99:.2f},{s * 0.98:.2f}" for s in spot]
    file = tmp_path / "path.csv"
    file.write_text("spot,futures,futures_next\n" + "\n".join(rows), encoding="utf-8")
    answer = ask(capsys, "hedge", "--path", str(file), "--coupon", "0.12", "--vol", "0.18")
    assert isinstance(answer, dict)
    assert answer["residual_share"] < 0.01
    assert answer["sums"]["roll_yield"] > 0
    assert main(["snowball", "hedge", "--coupon", "0.12", "--months", "6"]) == 0
    assert "Unexplained" in capsys.readouterr().out
