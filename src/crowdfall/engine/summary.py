"""The headline of a run, written last into its folder."""

from __future__ import annotations

from typing import Any

from crowdfall.results.metrics import background_share, crash_share, headline, typical_path
from crowdfall.results.store import RunFolder

_FROM_MANIFEST = ("scenario_name", "scenario_hash", "seed", "paths", "version", "sources", "market")


def summary_of(folder: RunFolder) -> dict[str, Any]:
    """Return what a reader asks first, with all that names the run.

    ``residual_holder``: the background market takes the other side of what participants' stock
    trades leave after meeting each other by bar and size group; its share is of the yuan traded.
    """
    daily, agents = folder.block_table("daily"), folder.block_table("agents")
    numbers = {
        row["name"]: {key: row[key] for key in ("unit", "low", "median", "high")}
        for row in headline(daily, agents).to_dicts()
    }
    return {name: folder.manifest[name] for name in _FROM_MANIFEST} | {
        "headline": numbers,
        "crash_share": crash_share(daily),
        "typical_path": typical_path(daily),
        "residual_holder": {
            "name": "background",
            "share_of_trades": background_share(folder.block_table("exchanges")),
        },
    }
