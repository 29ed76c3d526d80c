"""Take the picture of the READMEs: the first screen of the report of a demo run.

``uv run python scripts/picture.py`` runs the demo into a temporary folder and writes
docs/images/run.png; it needs Chromium. ``--run FOLDER`` takes a run that is there already.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from playwright.sync_api import sync_playwright

ROOT: Final = Path(__file__).resolve().parents[1]
TARGET: Final = ROOT / "docs" / "images" / "run.png"
WIDTH, HEIGHT = 1280, 900  # pixels


def main() -> None:
    """Run the demo unless a run is named, then take its picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, help="a run folder with its report")
    named = parser.parse_args().run
    with tempfile.TemporaryDirectory() as folder:
        run = named or demo(Path(folder) / "run")
        take(run / "report.html", TARGET)
    print(f"{TARGET.relative_to(ROOT)}: {TARGET.stat().st_size // 1000} kB")


def demo(out: Path) -> Path:
    """Run the demo in English and return its folder."""
    line = ["crowdfall", "demo", "--lang", "en", "--no-open", "--out", str(out)]
    subprocess.run([Path(sys.executable).with_name(line[0]), *line[1:]], check=True)
    return out


def take(page: Path, target: Path) -> None:
    """Write the first screen of a page as PNG, charts drawn."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=shutil.which("chromium"))
        view = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        view.goto(page.resolve().as_uri())
        view.wait_for_selector("canvas, svg")
        view.wait_for_timeout(1500)  # ECharts moves its lines in
        view.screenshot(path=target)
        browser.close()


if __name__ == "__main__":
    main()
