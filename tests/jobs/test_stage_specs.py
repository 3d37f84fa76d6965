"""What schemas/stages.py declares and what jobs/ does are the same stages."""

import pytest

from jobs import main_path
from jobs.plan.cost import _COSTS
from schemas.stages import SPECS, STAGES, stage_and_readers, stage_of
from schemas.tables import TABLES


def test_the_main_path_does_what_is_declared_and_each_cost_is_told() -> None:
    assert tuple(stage.name for stage in main_path.STAGES) == STAGES
    assert tuple(_COSTS) == STAGES


def test_every_table_is_written_by_one_stage() -> None:
    written = [table for spec in SPECS for table in spec.tables]
    assert sorted(written) == sorted([*TABLES, "checkpoints"])
    assert stage_of("activations/run=tiny/model=m/part-00000.parquet") == "dump"


def test_a_stage_reads_what_came_before_it() -> None:
    for spec in SPECS:
        assert set(spec.reads) <= set(STAGES[: STAGES.index(spec.name)]), spec.name


@pytest.mark.parametrize(
    ("stage", "again"),
    [
        ("generate", STAGES),
        ("train", ("train", "dump", "score", "extrapolate", "sample")),
        ("dump", ("dump", "score")),
        ("annotate", ("annotate", "score")),
        ("sample", ("sample",)),
    ],
)
def test_what_is_made_again_with_a_stage(stage: str, again: tuple[str, ...]) -> None:
    assert stage_and_readers(stage) == again
