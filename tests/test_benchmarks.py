import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY


@pytest.mark.slow
def test_every_benchmark_runs(tmp_path: Path) -> None:
    """On tiny sizes: that the tables are filled, not what they say."""
    command = [sys.executable, "-m", "tests.benchmarks", "--quick", "--out", str(tmp_path)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    page = next(tmp_path.glob("*.md")).read_text()
    for heading in ("## Training", "## Dumping", "## Reading", "## Memory", "## Not measured"):
        assert heading in page
