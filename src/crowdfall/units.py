"""Units. Money is in yuan, quantities in shares, ratios are fractions, rates are per year.

Chinese figures (万, 亿, 手) exist only in source adapters and in display.
"""

from __future__ import annotations

from typing import Final

WAN: Final = 1e4
YI: Final = 1e8
BN: Final = 1e9
PERCENT: Final = 0.01
TRADING_DAYS_A_YEAR: Final = 242
CALENDAR_DAYS_A_YEAR: Final = 365
SHARES_A_LOT: Final = 100
