"""The main path: generate, train, dump, annotate, score, extrapolate. Each reads what the ones before wrote."""

from jobs import annotate, dump, extrapolate, generate, score, train
from jobs.context import Run, begin_run
from jobs.publish import Stage, publish, replace_stage
from jobs.runners.base import Runner

STAGES: tuple[Stage, ...] = (
    generate.STAGE,
    train.STAGE,
    dump.STAGE,
    annotate.STAGE,
    score.STAGE,
    extrapolate.STAGE,
)


def run_stages(run: Run, runner: Runner, only: list[str], replace: str | None = None) -> int:
    """Bring the named stages of a run to their manifests, in order; give the number of units that lacked it.

    A piece that is done is never done again, and a second call finds every manifest there.
    """
    begin_run(run)
    if replace:
        replace_stage(run, replace)
    return sum(publish(run, stage, runner) for stage in STAGES if stage.name in only)
