"""Run January and February 2024 on the bundled market and tell what happened."""

import crowdfall as cf

run = cf.run("feb2024", paths=2)
print(cf.story(run))
print(cf.report(run))
