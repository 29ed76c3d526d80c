"""The state of a long study: written whole after each part, so that a kill loses one part only."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import TypeVar

from crowdfall.errors import CalibrationError

T = TypeVar("T")


def keep(state: Path, key: object, value: object) -> None:
    """Write a value under the key of its study: beside the file first, then renamed."""
    draft = state.with_name(f".{state.name}.draft")
    draft.write_bytes(pickle.dumps((key, value)))
    draft.replace(state)


def resumed(state: Path, key: object, kind: type[T]) -> T | None:
    """Return the value kept under a key, None where there is no file.

    CalibrationError where the file is of another study or can't be read.
    """
    if not state.is_file():
        return None
    try:
        kept, value = pickle.loads(state.read_bytes())
    except (pickle.UnpicklingError, ValueError, EOFError, AttributeError, TypeError, ImportError):
        raise CalibrationError("state_unreadable", path=state) from None
    if kept != key:
        raise CalibrationError("state_of_another", path=state)
    if not isinstance(value, kind):
        raise CalibrationError("state_unreadable", path=state)
    return value
