"""A Python of its own, as a person starts one."""

import os
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parent.parent


def run_python(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a script in its folder; `unrolled` is found where it lies, whether or not it is installed."""
    (folder / "script.py").write_text(script)
    path = os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "jobs")])
    return subprocess.run(
        [sys.executable, "script.py"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
