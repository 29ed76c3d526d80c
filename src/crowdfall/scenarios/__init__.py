"""What happens: schema, overrides and the library of scenario files."""

from crowdfall.scenarios.load import describe as describe
from crowdfall.scenarios.load import library as library
from crowdfall.scenarios.load import load as load
from crowdfall.scenarios.schema import Scenario as Scenario
