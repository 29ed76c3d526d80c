"""The pages of answers are what the command writes.

After a change, write them anew::

    crowdfall experiment theory --data DATA --lang en --out docs/en/theory.md
    crowdfall experiment theory --data DATA --lang zh --out docs/zh/theory.md
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from crowdfall.cli.main import main

DOCS = Path(__file__).resolve().parents[3] / "docs"


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_page_is_what_the_command_writes(lang: str, tmp_path: Path, real_data: Path) -> None:
    page = tmp_path / "theory.md"
    words = ["experiment", "theory", "--data", str(real_data), "--lang", lang, "--quiet"]
    assert main([*words, "--out", str(page)]) == 0
    kept = (DOCS / lang / "theory.md").read_text(encoding="utf-8")
    assert page.read_text(encoding="utf-8") == kept


def test_command_prints_numbers_as_json_and_a_table(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["experiment", "theory", "--data", str(tmp_path), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {row["verdict"] for row in rows} == {"holds", "not_run"}
    assert all(len(row["computed"]) in (0, len(row["expected"])) for row in rows)
    assert main(["experiment", "theory", "--data", str(tmp_path)]) == 0
    assert "V17" in capsys.readouterr().out


def test_page_is_written_over_no_other_file(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    mine = tmp_path / "mine.md"
    mine.write_text("my notes\n", encoding="utf-8")
    words = ["experiment", "theory", "--data", str(tmp_path), "--out"]
    assert main([*words, str(mine)]) == 2
    assert mine.read_text(encoding="utf-8") == "my notes\n"
    assert main([*words, str(tmp_path / "nowhere" / "page.md")]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 2


def test_user_gets_both_equilibria_of_his_banks(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "banks.csv"
    file.write_text(
        "bank,equity,other,leverage,bond\na,28,1170,44,145\nb,80,1245,44,435\nc,65,1190,44,300\n",
        encoding="utf-8",
    )
    words = ["experiment", "contagion", str(file), "--depth", "bond=45454.545454545"]
    assert main([*words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["least"]["price_fall"]["bond"] == pytest.approx(0.056480085, abs=5e-10)
    assert found["greatest"]["price_fall"]["bond"] == pytest.approx(0.139140217, abs=5e-10)
    assert found["least"]["sold_share"] == {"a": 1.0, "b": 0.0, "c": 0.0}
    assert main(words) == 0
    assert "Two equilibria" in capsys.readouterr().out
    assert main([*words, "--shock", "bond=0.5"]) == 0
    assert "One equilibrium" in capsys.readouterr().out
