from crowdfall.errors import CalibrationError as CalibrationError
from crowdfall.errors import CrowdfallError as CrowdfallError
from crowdfall.errors import DataError as DataError
from crowdfall.errors import MarketError as MarketError
from crowdfall.errors import RuleError as RuleError
from crowdfall.errors import RunError as RunError
from crowdfall.errors import ScenarioError as ScenarioError
from crowdfall.errors import SymbolError as SymbolError
from crowdfall.errors import TermsError as TermsError
from crowdfall.experiments.validate import Scoreboard as Scoreboard
from crowdfall.i18n import set_language as set_language
from crowdfall.market.snapshot import Market as Market
from crowdfall.results.store import RunFolder as RunFolder
from crowdfall.results.store import open_run as open_run
from crowdfall.scenarios.load import describe as describe
from crowdfall.scenarios.load import library as library
from crowdfall.scenarios.schema import Scenario as Scenario
from crowdfall.verbs import build_market as build_market
from crowdfall.verbs import bundled_market as bundled_market
from crowdfall.verbs import load_market as load_market
from crowdfall.verbs import load_scenario as load_scenario
from crowdfall.verbs import report as report
from crowdfall.verbs import resume as resume
from crowdfall.verbs import run as run
from crowdfall.verbs import story as story
from crowdfall.verbs import validate as validate

__version__: str
