"""The entry point: quick help, one sentence for whatever goes wrong, exit codes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from crowdfall.cli import launch
from crowdfall.cli.main import COMMANDS, main
from crowdfall.i18n import LANGUAGES, words
from fake_cli import Asked, Cli, command_line, replace_engine


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    return command_line(tmp_path, monkeypatch, capsys)


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Asked:
    return replace_engine(monkeypatch)


HEAVY = (
    "numpy", "polars", "numba", "scipy", "pandas", "jinja2", "rich", "pydantic", "crowdfall.engine",
)  # fmt: skip
LIST_HEAVY = (
    "import sys; from crowdfall.cli.main import main; code = main({words!r}); "
    "print('HEAVY', [m for m in {heavy!r} if m in sys.modules], code)"
)


@pytest.mark.parametrize(
    "line", [[], ["--help"], ["run", "--help"], ["scenario", "--help"], ["--version"]]
)
def test_help_imports_nothing_heavy(line: list[str]) -> None:
    code = LIST_HEAVY.format(words=line, heavy=HEAVY)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert "HEAVY [] 0" in done.stdout


def test_help_is_in_the_language_asked() -> None:
    for lang, sentence in (("zh", "在一个市场上运行情景"), ("en", "Run a scenario on a market")):
        code = f"from crowdfall.cli.main import main; main(['run', '--help', '--lang', '{lang}'])"
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, timeout=60, check=True
        )
        assert sentence in done.stdout.decode("utf-8")


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_list_of_commands_says_what_each_says_of_itself(lang: str) -> None:
    """The list is made from names and sentences alone, without the commands."""
    code = (
        "from crowdfall.i18n import set_language; set_language({lang!r}); "
        "from crowdfall.cli.main import COMMANDS, command_named, group; rows = group().commands; "
        "assert list(rows) == list(COMMANDS); "
        "print([n for n, row in rows.items() if row.short_help != own(command_named(n).help)])"
    )
    own = "own = lambda text: ' '.join(text.split()); "
    done = subprocess.run(
        [sys.executable, "-c", own + code.format(lang=lang)], capture_output=True, text=True,
        timeout=60, check=True,
    )  # fmt: skip
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("lang", LANGUAGES)
def test_help_names_every_command_and_says_its_whole_sentence(cli: Cli, lang: str) -> None:
    done = cli("--lang", lang, "--help")
    told = " ".join(done.out.split())
    for name in COMMANDS:
        assert f" {name} {words(lang)[f'cli.{name}.help']}" in told


def test_help_keeps_what_looks_like_a_colour(cli: Cli) -> None:
    assert "crowdfall[ray]" in cli("run", "--help").out


def test_no_words_show_the_help(cli: Cli) -> None:
    done = cli()
    assert done.code == 0
    assert "demo" in done.out
    assert "scenario" in done.out


@pytest.mark.parametrize(
    ("line", "part"),
    [
        (["ru"], "'run'"),
        (["run"], "SCENARIO"),
        (["run", "feb2024", "--path", "3"], "--path"),
        (["run", "feb2024", "extra"], "extra"),
        (["market"], "market --help"),
        (["market", "build"], "--"),
        (["scenario", "shw"], "'show'"),
        (["run", "feb2024", "--paths"], "--paths"),
        (["--lang", "fr", "demo"], "fr"),
        (["demo", "--lang=fr"], "fr"),
    ],
)
def test_misuse_is_one_sentence_and_exit_code_2(cli: Cli, line: list[str], part: str) -> None:
    done = cli(*line)
    assert done.code == 2
    assert done.out == ""
    assert done.err.count("\n") == 1
    assert part in done.err


def test_error_is_told_in_the_language_asked(cli: Cli) -> None:
    assert "请给出" in cli("demo", "--paths", "0", "--lang", "zh").err
    assert "请给出" in cli("--lang", "zh", "demo", "--paths", "0").err
    assert "give a whole number" in cli("demo", "--paths", "0").err


@pytest.mark.parametrize("debug", [False, True])
def test_defect_is_one_sentence_and_a_traceback_with_debug_only(
    cli: Cli,
    engine: Asked,
    monkeypatch: pytest.MonkeyPatch,
    debug: bool,
) -> None:
    def broken(*asked: object) -> SimpleNamespace:
        raise ZeroDivisionError("of ours")

    monkeypatch.setattr(launch, "load_market", broken)
    done = cli("run", "feb2024", *(["--debug"] if debug else []))
    assert done.code == 1
    assert "ZeroDivisionError: of ours" in done.err
    assert "--debug" in done.err
    assert ("Traceback" in done.err) == debug
    assert (done.err.count("\n") == 1) != debug


def test_stopping_is_told_and_gives_130(
    cli: Cli,
    engine: Asked,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def stopped(*asked: object) -> SimpleNamespace:
        raise KeyboardInterrupt

    monkeypatch.setattr(launch, "load_market", stopped)
    done = cli("run", "feb2024")
    assert (done.code, done.err) == (130, "Stopped; nothing more was written.\n")


def test_what_the_system_refuses_is_told(
    cli: Cli, engine: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*asked: object) -> SimpleNamespace:
        raise OSError(28, "No space left on device", "daily.parquet")

    monkeypatch.setattr(launch, "load_market", full)
    done = cli("demo")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "daily.parquet: No space left on device" in done.err


def test_volume_is_forgotten_between_two_command_lines(cli: Cli, engine: Asked) -> None:
    assert cli("demo", "-q").err == ""
    assert cli("demo").err != ""


def test_main_uses_the_words_of_the_process(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["crowdfall", "--version"])
    assert main() == 0
    assert capsys.readouterr().out.startswith("crowdfall ")
