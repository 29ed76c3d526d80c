"""Array aliases.

Letters in shapes: P paths, N stocks, R rows of the ledger (participants' books), U underlyings,
G size groups, T sessions, K bars of a session.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Float64: TypeAlias = NDArray[np.float64]
Float32: TypeAlias = NDArray[np.float32]
Int64: TypeAlias = NDArray[np.int64]
Int8: TypeAlias = NDArray[np.int8]
UInt32: TypeAlias = NDArray[np.uint32]
Bool: TypeAlias = NDArray[np.bool_]
Text: TypeAlias = NDArray[np.str_]
