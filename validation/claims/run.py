"""Run every claim: ``python validation/claims/run.py``.  The exit status is 0 if all hold."""
from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
NOT_CLAIMS = {"run.py", "check.py"}


def main() -> int:
    """Run the scripts one after the other, each in a process of its own."""
    scripts = sorted(p for p in HERE.glob("*.py") if p.name not in NOT_CLAIMS)
    failed = [s.stem for s in scripts if subprocess.run([sys.executable, str(s)], check=False).returncode]
    print(f"{len(scripts) - len(failed)} of {len(scripts)} claims hold" + (f"; not: {', '.join(failed)}" if failed else "") + ".")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
