"""An experiment as a TOML file, for tests that start the command line."""

import json
from pathlib import Path

from schemas.experiment import Experiment


def write_toml(path: Path, experiment: Experiment) -> Path:
    """Write it; JSON's values are TOML's values here, and TOML has no null."""
    document = experiment.model_dump(exclude_none=True)
    lines = [f"{key} = {json.dumps(value)}" for key, value in document.items() if not isinstance(value, dict)]
    for section, values in document.items():
        if isinstance(values, dict):
            lines += [f"[{section}]", *(f"{key} = {json.dumps(value)}" for key, value in values.items())]
    path.write_text("\n".join(lines) + "\n")
    return path
