"""``crowdfall``: the entry point. Commands are imported when they are called, not before.

Whatever goes wrong is told in one sentence on stderr. Exit codes: 0 done, 1 a defect of ours,
2 something the user can put right, 130 stopped by the user.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from typing import Any, Final

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from crowdfall.cli.said import language_named, said, start_afresh
from crowdfall.errors import CrowdfallError
from crowdfall.i18n import set_language, translate

STOPPED: Final = 130
COMMANDS: Final = {
    "demo": "crowdfall.cli.demo:app",
    "run": "crowdfall.cli.run:app",
    "resume": "crowdfall.cli.resume:app",
    "fork": "crowdfall.cli.fork:app",
    "compare": "crowdfall.cli.compare:app",
    "report": "crowdfall.cli.report:app",
    "story": "crowdfall.cli.story:app",
    "validate": "crowdfall.cli.validate:app",
    "experiment": "crowdfall.cli.experiment:app",
    "market": "crowdfall.cli.market:app",
    "scenario": "crowdfall.cli.scenario:app",
    "snowball": "crowdfall.cli.snowball:app",
}
"""Name of a command and the Typer object that holds it."""


class LazyCommand(TyperCommand):
    """A command known by name and help until it is called."""

    def __init__(self, name: str) -> None:
        text = translate(f"cli.{name}.help")
        super().__init__(name=name, help=text, short_help=text)

    def make_context(self, *words: Any, **more: Any) -> Any:  # noqa: ANN401 - Typer's own types
        """Import the command and let it parse its arguments."""
        return command_named(str(self.name)).make_context(*words, **more)


def command_named(name: str) -> Any:  # noqa: ANN401 - Typer's own types
    """Import the command of a name."""
    module, _, app = COMMANDS[name].partition(":")
    command = get_command(getattr(import_module(module), app))
    for each in getattr(command, "commands", {}).values():
        each.short_help = each.help  # Typer would cut it after a few words
    return command


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    start_afresh(debug="--debug" in words)
    try:
        set_language(_language_asked(words))
        code = _answer(words)
        # Typer turns a keyboard interrupt into this code.
        return _told(translate("cli.stopped"), code) if code == STOPPED else code
    except CrowdfallError as error:
        return _told(str(error), 2)
    except OSError as error:
        place = error.filename or "-"
        return _told(translate("error.system", path=place, reason=error.strerror or error), 2)
    except KeyboardInterrupt:
        return _told(translate("cli.stopped"), STOPPED)
    except Exception as error:
        if hasattr(error, "format_message"):
            return _told(_usage(error), 2)
        hint = translate("cli.defect", kind=type(error).__name__, reason=str(error) or "-")
        return _told(hint, 1)
    finally:
        set_language(None)


def _answer(words: Sequence[str]) -> int:
    first = words[0]
    if first in COMMANDS:  # straight to the command: the group's own options cost their parsing
        code = command_named(first)(
            args=words[1:], prog_name=f"crowdfall {first}", standalone_mode=False
        )
    else:
        code = group()(args=words, prog_name="crowdfall", standalone_mode=False)
    return int(code or 0)


def group() -> TyperGroup:
    """Return ``crowdfall`` with a row for each command and none of them imported."""
    from crowdfall.cli.root import app  # help texts are made now, in the language asked

    made = get_command(app)
    assert isinstance(made, TyperGroup)  # a Typer object with a callback makes a group
    for name in COMMANDS:
        made.add_command(LazyCommand(name))
    return made


def _language_asked(words: Sequence[str]) -> Any:  # noqa: ANN401 - a Language or None
    """Return the language that the words ask for: help texts are made before they are parsed."""
    for place, word in enumerate(words):
        if word == "--lang" and place + 1 < len(words):
            return language_named(words[place + 1])
        if word.startswith("--lang="):
            return language_named(word.removeprefix("--lang="))
    return None


def _usage(error: Any) -> str:  # noqa: ANN401 - Typer's usage errors differ by version
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "crowdfall"
    reason = " ".join(str(error.format_message()).split()).rstrip(".")
    return translate("cli.usage", reason=reason, command=path)


def _told(sentence: str, code: int) -> int:
    if said.debug:
        traceback.print_exc()
    typer.echo(sentence, err=True)
    return code
