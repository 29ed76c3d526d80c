"""Fat tails of stocks in free mode: one variance draw a stock and day."""

from __future__ import annotations

import numpy as np

from crowdfall.engine.random import uniforms
from crowdfall.engine.setting import Setting
from crowdfall.types import Float64


def day_scales(setting: Setting, first_path: int, paths: int, day: int) -> Float64:
    """Return factors (P, N) on the day's noise that make its sum Student t of unit variance.

    A normal times sqrt((df - 2) / chi2) is Student t with df degrees of freedom over its standard
    deviation; one chi2 a day serves all its bars.
    """
    from scipy.special import chdtri

    degrees = setting.scenario.noise.student_df
    draw = uniforms(setting.seed, "student", first_path, day, (paths, len(setting.slope)))
    return np.asarray(np.sqrt((degrees - 2.0) / chdtri(degrees, draw)))
