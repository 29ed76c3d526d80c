"""A fixture for files that compare sentences: English, whatever the machine or other tests speak.

Importing the name is enough: ``from in_english import english``.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from crowdfall.i18n import set_language


@pytest.fixture(autouse=True, scope="module")
def english() -> Iterator[None]:
    set_language("en")
    yield
    set_language(None)
