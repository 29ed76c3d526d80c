"""Build the wheel and compare it with the source: every file of the package must be in it."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "crowdfall"
LEFT_OUT = {"__pycache__"}


def main() -> int:
    """Return 0 where nothing is missing; tell what is otherwise."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["uv", "build", "--quiet", "--wheel", "-o", folder], cwd=ROOT, check=True)
        wheel = next(Path(folder).glob("*.whl"))
        held = set(zipfile.ZipFile(wheel).namelist())
        size = wheel.stat().st_size
    wanted = {
        path.relative_to(PACKAGE.parent).as_posix()
        for path in PACKAGE.rglob("*")
        if path.is_file() and not LEFT_OUT & set(path.parts)
    }
    missing = sorted(wanted - held)
    kinds = sorted({Path(name).suffix for name in held if name.startswith("crowdfall/")})
    print(f"{wheel.name}: {len(held)} files, {size / 1e6:.1f} MB, {' '.join(kinds)}")
    for name in missing:
        print(f"missing in the wheel: {name}", file=sys.stderr)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
