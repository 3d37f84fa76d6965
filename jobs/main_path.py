"""The main path: generate, train, dump, annotate, score, extrapolate, sample. Each reads what others wrote."""

from collections.abc import Callable
from typing import Any

from jobs.driver.lease import Lease
from jobs.driver.publish import changed_units, publish, replace_stage
from jobs.driver.stage import Stage
from jobs.run.context import Run
from jobs.run.opening import note_run
from jobs.runners.base import Runner
from jobs.stages import annotate, dump, extrapolate, generate, sample, score, train
from pipeline.storage.manifests import check_lake, prepare_lake
from schemas.errors import UsageError

STAGES: tuple[Stage[Any], ...] = (
    generate.STAGE,
    train.STAGE,
    dump.STAGE,
    annotate.STAGE,
    score.STAGE,
    extrapolate.STAGE,
    sample.STAGE,
)


def run_stages(
    run: Run,
    runner: Runner,
    only: list[str],
    replace: str | None = None,
    tell: Callable[[str], None] = lambda _: None,
    *,
    wait: bool = False,
) -> int:
    """Bring the named stages of a run to their manifests, in order; give the number of units that lacked it.

    A piece that is done is never done again, and a second call finds every manifest there. Raises LeaseError when
    another driver works on the run, unless it is to be waited for.
    """
    if replace and replace not in only:
        raise UsageError(
            f"--replace {replace} makes it again, so it must be among the stages to do: {', '.join(only)}"
        )

    begins = "generate" in only
    (prepare_lake if begins else check_lake)(run.folder)

    published = 0
    with Lease(run.folder, run.id, tell, wait=wait) as lease:
        if begins:
            note_run(run)  # no sooner: a removal that is waited for would take the note along
        for stage in STAGES:
            if stage.name == replace:
                # It raises when what the stage reads is not there: nothing is taken away before that.
                changed = changed_units(run, stage)
                replace_stage(run, replace, lease.confirm, changed)
            if stage.name in only:
                published += publish(run, stage, runner, lease.check)
    return published
