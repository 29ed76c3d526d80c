"""Fire sales in steps by banks with cash, loans and defaults.

The model of the Oxford stress test of the EBA banks (Cont and Schaanning's threshold, Cifuentes et
al.'s exponential price). One step: what was put up for sale is sold, prices fall; then every bank
that lives defaults under the minimum leverage ratio and puts up everything, or, under its buffer,
pays debt down with cash and puts up what is still missing to the target.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from crowdfall.errors import DataError
from crowdfall.experiments.theory.arrays import number, within
from crowdfall.types import Bool, Float64

CASH: Final = 0.05
"""Cash over assets of every bank, and the share of a market whose sale makes the impact."""
EBA_COLUMNS: Final = ("bank_id", "CET1E", "leverage", "debt_sec", "govbonds")


@dataclass(frozen=True, kw_only=True)
class Sheets:
    """Balance sheets of B banks: cash, holdings (B, A) at first prices, other assets; two debts.

    Only ``loans`` can be paid down. One unit of money.
    """

    cash: Float64
    holdings: Float64
    other: Float64
    loans: Float64
    other_debt: Float64

    def __len__(self) -> int:
        return len(self.cash)

    def assets(self, price: Float64) -> Float64:
        """Return assets at prices (A,), shape (B,)."""
        return np.asarray(self.cash + self.holdings @ price + self.other)


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Leverage ratios (equity over assets): default below, act below, return to."""

    minimum: float = 0.03
    buffer: float = 0.04
    target: float = 0.05


@dataclass(frozen=True, kw_only=True)
class Sale:
    """Defaults by step (T,) and what had been sold by then, as a share of all holdings (T,)."""

    defaults: tuple[int, ...]
    sold: Float64
    price: Float64
    banks: int

    @property
    def default_share(self) -> float:
        """Return the share of banks that defaulted."""
        return sum(self.defaults) / self.banks


def fire_sale(
    sheets: Sheets, shock: ArrayLike, impact: float, rule: Rule | None = None, steps: int = 6
) -> Sale:
    """Play ``steps`` steps after prices fall by ``shock`` (A,).

    ``impact``: fall of a price when 5% of all holdings are sold, below 1. A buffer of 1 or more is
    leverage targeting: every bank acts in every step. TermsError: bad input.
    """
    said = rule or Rule()
    assets = sheets.holdings.shape[1]
    price = 1.0 - within("shock", shock, (assets,), high=1.0)
    rate = -np.log1p(-number("impact", impact, high=1.0 - 1e-12)) / CASH
    total = sheets.holdings.sum(axis=0)
    supply, everything = np.where(total > 0.0, total, 1.0), max(float(total.sum()), 1e-300)
    alive, queue = np.ones(len(sheets), bool), np.zeros_like(sheets.holdings)
    defaults: list[int] = []
    sold: list[float] = []
    for _ in range(steps):
        before = price
        price = price * np.exp(-rate * queue.sum(axis=0) / supply)
        sheets = replace(
            sheets, holdings=sheets.holdings - queue,
            cash=sheets.cash + queue @ (0.5 * (price + before)),
        )  # fmt: skip
        sold.append((sold[-1] if sold else 0.0) + float(queue.sum()) / everything)
        sheets, queue, fell = _decide(sheets, price, alive, said)
        alive &= ~fell
        defaults.append(int(fell.sum()))
    return Sale(defaults=tuple(defaults), sold=np.array(sold), price=price, banks=len(sheets))


def _decide(
    sheets: Sheets, price: Float64, alive: Bool, rule: Rule
) -> tuple[Sheets, Float64, Bool]:
    """Return sheets after repayments, what is put up for sale (B, A), and who defaults (B,)."""
    assets = sheets.assets(price)
    equity = assets - sheets.loans - sheets.other_debt
    ratio = equity / np.where(assets > 0.0, assets, 1.0)
    fell = alive & (ratio < rule.minimum)
    acts = alive & ~fell & (ratio < rule.buffer)
    need = np.where(acts, np.maximum(assets - equity / rule.target, 0.0), 0.0)
    paid = np.minimum(np.minimum(need, sheets.cash), sheets.loans)
    missing = np.maximum(need - paid - (sheets.cash - paid), 0.0)
    value = sheets.holdings @ price
    share = np.minimum(missing / np.where(value > 0.0, value, np.inf), 1.0)
    share = np.where(fell, 1.0, share)
    paying = replace(sheets, cash=sheets.cash - paid, loans=sheets.loans - paid)
    return paying, sheets.holdings * share[:, None], fell


def read_eba(path: Path) -> Sheets:
    """Return the EBA banks of 2018 from the file of the Oxford stress test.

    Columns ``bank_id CET1E leverage debt_sec govbonds``, the leverage ratio in percent, government
    bonds as a sum like ``13+27682``. Assets = CET1 / ratio, cash 5% of them; debt half in loans.
    Holdings: corporate bonds, government bonds. DataError: what can't be read, and where.
    """
    try:
        text = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        raise DataError("theory_file", path=path) from None
    rows = [line.replace(",", " ").split() for line in text[1:] if line.strip()]
    if not text or tuple(next(csv.reader(text[:1]))) != EBA_COLUMNS or not rows:
        raise DataError("theory_columns", path=path, columns=", ".join(EBA_COLUMNS))
    table = np.array([_numbers(path, row) for row in rows])
    cet1, ratio, debt_securities, government = table.T
    total = cet1 / (ratio / 100.0)
    return Sheets(
        cash=CASH * total,
        holdings=np.stack([debt_securities - government, government], axis=1),
        other=total - debt_securities - CASH * total,
        loans=(total - cet1) / 2.0,
        other_debt=(total - cet1) / 2.0,
    )


def _numbers(path: Path, row: list[str]) -> list[float]:
    try:
        first, ratio, debt, government = row[1:]
        held = sum(float(part) for part in government.split("+"))
        out = [float(first), float(ratio), float(debt), held]
    except ValueError:
        raise DataError("theory_row", path=path, row=" ".join(row)) from None
    if not (np.isfinite(out).all() and min(out) >= 0.0 and out[1] > 0.0 and out[3] <= out[2]):
        raise DataError("theory_row", path=path, row=" ".join(row))
    return out
