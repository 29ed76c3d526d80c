"""The compiled loops. Arrays and scalars in, arrays filled; no names, dates or units.

P paths, R books, S books that may buy, N stocks in order of size group, G groups; ``edges``
(G + 1,) are the first stocks of the groups. Strict floating point: near the tipping point the last
digit decides, so sums over stocks are taken in LANES partial sums of a fixed order, which vectors
can keep and no block or machine changes. Loops run over slices without branches: that is what the
compiler turns into vectors. Numba is used here and in ``engine.random`` alone.
"""

from crowdfall.engine.kernels.books import (
    book_purchases,
    book_sales,
    collect_sales,
    filled_by_book,
    group_values,
    spread_purchases,
)
from crowdfall.engine.kernels.prices import (
    add_noise,
    add_volume,
    fill_orders,
    index_levels,
    limit_state,
    net_flow,
    own_impact,
    set_prices,
    solve_factors,
)
from crowdfall.engine.kernels.queue import join_queue, serve_queue, share_fills

__all__ = [
    "add_noise",
    "add_volume",
    "book_purchases",
    "book_sales",
    "collect_sales",
    "fill_orders",
    "filled_by_book",
    "group_values",
    "index_levels",
    "join_queue",
    "limit_state",
    "net_flow",
    "own_impact",
    "serve_queue",
    "set_prices",
    "share_fills",
    "solve_factors",
    "spread_purchases",
]
