"""What if there had been no leveraged neutral books? The same factors, one participant less."""

import crowdfall as cf

PATHS = 2
base = cf.run("feb2024", paths=PATHS)
calm = cf.run(cf.load_scenario("feb2024", "agents.dma.enabled=false"), paths=PATHS)

for name in ("drawdown_csi1000", "drawdown_microcap", "limit_downs"):
    with_dma, without = (run.summary["headline"][name]["median"] for run in (base, calm))
    print(f"{name:20} {with_dma:10.3f} with DMA {without:10.3f} without")
