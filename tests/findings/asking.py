"""What one experiment's networks say: trained in a lake of their own, then asked every claim about their task."""

import time
from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any, NamedTuple

import torch

import pipeline
from jobs.main_path import run_stages
from jobs.run.experiment_file import load_experiment
from jobs.run.opening import open_run
from jobs.runners.local import LocalRunner
from pipeline.queries.lake import Lake
from pipeline.queries.question import find_question

STAGES = ["generate", "train", "dump", "annotate", "score"]

Row = dict[str, Any]


class Job(NamedTuple):
    """One experiment to run."""

    experiment: str
    root: str
    changes: tuple[str, ...]  # to its settings


class Finding(NamedTuple):
    """A claim, asked of an experiment's networks: a row for each."""

    claim: str
    trained: list[Row]
    untrained: list[Row]
    elsewhere: list[int]  # of how many it holds with other thresholds; empty if it has none

    @property
    def held(self) -> int:
        """Of how many trained networks it holds."""
        return sum(row["held"] for row in self.trained)

    @property
    def held_untrained(self) -> int:
        """The same before any training."""
        return sum(row["held"] for row in self.untrained)


class Score(NamedTuple):
    """A hypothesis, and each network's best neuron by the half of the texts that chooses, over all signals."""

    hypothesis: str
    measure: str
    trained: list[float]  # over all texts
    held_out: list[float | None]  # over the half that had no part in the choice
    chance: list[float]  # what it reaches by chance one time in twenty, position kept
    finds: int  # networks whose q is below 0.05
    untrained: list[float]


class Found(NamedTuple):
    """What one experiment gave."""

    experiment: str
    changes: tuple[str, ...]
    texts: int  # distinct ones of the probe split
    findings: list[Finding]
    scores: list[Score]
    seconds: float  # of a core


def run_one(job: Job) -> Found:
    """Train an experiment's networks and ask them; what a process of the pool does."""
    torch.set_num_threads(1)
    started = time.process_time()
    run = open_run(load_experiment(job.experiment, job.changes), job.root)
    run_stages(run, LocalRunner(), STAGES)
    lake = pipeline.open(job.root)
    texts = lake.fetch(_TEXTS, {"run": run.id})["texts"][0].as_py()
    found = list(findings(lake, run.id)), list(scores(lake, run.id))
    return Found(job.experiment, job.changes, texts, *found, time.process_time() - started)


_TEXTS = """
select count(distinct text) as texts
from (
  select string_agg(char, '' order by step) as text
  from steps
  where run = $run and split = 'probe'
  group by sequence
)
"""


def findings(lake: Lake, run: str) -> Iterator[Finding]:
    """Every claim about a run's task; checkpoint 0 was dumped too."""
    untrained = lake.claims(run, 0)
    for name, trained in lake.claims(run).items():
        asked = other_thresholds(find_question(name).thresholds)
        elsewhere = [sum(lake.ask(name, run=run, **given)["held"].to_pylist()) for given in asked]
        yield Finding(name, trained.to_pylist(), untrained[name].to_pylist(), elsewhere)


def other_thresholds(thresholds: Mapping[str, float]) -> list[dict[str, float]]:
    """Every combination of thresholds as they are and with their odds halved and doubled, but for the first.

    Thresholds are shares of 1: 0.1 becomes 0.053 and 0.18, 0.99 becomes 0.980 and 0.995.
    """
    choices = [[p, *(times * p / (1 - p + times * p) for times in (0.5, 2))] for p in thresholds.values()]
    return [dict(zip(thresholds, values, strict=True)) for values in product(*choices)][1:]


# The area under the ROC curve of a yes/no hypothesis and of categories, either way round; else the size of r.
_BEST = """
with usual as (
  select *, if(measure = 'auc', 2, 1) * abs(coalesce(chosen, value) - if(measure = 'auc', 0.5, 0)) as strength
  from scores
  where run = $run and value is not null and measure in ('pearson', 'auc')
  qualify measure = if(bool_or(measure = 'auc') over (partition by hypothesis), 'auc', 'pearson')
), best as (
  select
    *,
    checkpoint = max(checkpoint) over (partition by model) as is_last,
    if(measure = 'auc', 0.5, 0) as middle,
    if(value < middle, -1, 1) as sign  -- the other way round is as good
  from usual
  qualify row_number() over (
    partition by hypothesis, model, checkpoint order by strength desc, layer, neuron, signal, category
  ) = 1
)
select
  hypothesis,
  any_value(measure) as measure,
  list(middle + sign * (value - middle) order by model) filter (is_last) as trained,
  list(middle + sign * (held_out - middle) order by model) filter (is_last) as held_out,
  list(middle + sign * (null_value - middle) order by model) filter (is_last) as chance,
  count(*) filter (is_last and q_value < 0.05) as finds,
  list(middle + sign * (value - middle) order by model) filter (checkpoint = 0) as untrained
from best
group by hypothesis
order by hypothesis
"""


def scores(lake: Lake, run: str) -> Iterator[Score]:
    """The best neuron of each network for each hypothesis of the experiment."""
    for row in lake.fetch(_BEST, {"run": run}).to_pylist():
        yield Score(**row)
