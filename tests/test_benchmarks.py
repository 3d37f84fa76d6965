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
    pages = {path.name.split("_")[0]: path.read_text() for path in tmp_path.glob("*.md")}
    headings = {
        "capture": ("## Capture", "lstm 1 x 8", "## Not measured"),
        "faults": ("## Faults", "| all |", "## Not measured"),
        "layouts": ("## Layouts", "ours, 12,800 x 8", "## Not measured"),
        "main-path": ("## Dumping", "## Reading", "## Memory", "## Not measured"),
        "peers": ("## Peers", "ours, exact", "## Not measured"),
        "sql-on-s3": ("## SQL on S3", "one neuron, all steps, 20 ms", "## Not measured"),
        "precision": ("## Precision", "bfloat16", "## Not measured"),
        "training": ("## Training", "## Training together", "## Not measured"),
        "storage": ("## Committing", "## Resuming", "## Workers", "## Not measured"),
    }
    assert pages.keys() == headings.keys()
    for name, page in pages.items():
        for heading in headings[name]:
            assert heading in page
        assert next(tmp_path.glob(f"{name}_*.json"))
