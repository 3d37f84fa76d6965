"""The text that the themes share: windows of 128 characters of Python's own standard library."""

from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

import torch

from jobs.run.context import Run
from jobs.run.opening import open_run
from pipeline.corpus.rows import sequences_of
from pipeline.models.recurrent_lm import RecurrentLM, make_model
from pipeline.tasks.sequences import Sequences
from pipeline.tasks.vocabulary import Vocabulary
from pipeline.training.trainer import Trainer
from schemas.experiment import Experiment
from schemas.parse import parse_experiment

WINDOW = 128


class Network(NamedTuple):
    """The shape of an LSTM."""

    layers: int
    neurons: int

    def __str__(self) -> str:
        return f"{self.layers} x {self.neurons}"

    @property
    def values_per_step(self) -> int:
        """Neuron-signals: an LSTM has six signals."""
        return self.layers * self.neurons * 6


def python_source(
    network: Network, corpus: Mapping[str, int], training: Mapping[str, object], **sections: object
) -> Experiment:
    """An experiment on that text."""
    document = {
        "name": "benchmark",
        "task": {"name": "text", "files": ["{stdlib}/*.py"], "not_ascii": "replace", "window": WINDOW},
        "corpus": dict(corpus),
        "model": {"cell": ["lstm"], "layers": [network.layers], "hidden_size": [network.neurons]},
        "training": {"batch_size": 32, "learning_rate": 0.01, "warmup": 20, "checkpoints": 1, **training},
        **sections,
    }
    return parse_experiment(document, "benchmark")


@cache
def _found(experiment: str) -> Run:
    return open_run(Experiment.model_validate_json(experiment), "memory")


def vocabulary_of(experiment: Experiment) -> Vocabulary:
    """The text's characters."""
    return _found(experiment.model_dump_json()).vocabulary()


def read_split(experiment: Experiment, split: str) -> Sequences:
    """A split's sequences as a stage would read them, made in memory."""
    run = _found(experiment.model_dump_json())
    return sequences_of(run.source.first_rows(split, getattr(experiment.corpus, split), run.vocabulary()))


def first_model(experiment: Experiment) -> RecurrentLM:
    """The experiment's first model, untrained."""
    spec = next(experiment.model.grid())
    assert spec.seed is not None
    return make_model(spec.architecture(len(vocabulary_of(experiment))), spec.seed, experiment.start)


def trained(experiment: Experiment, updates: int) -> RecurrentLM:
    """The experiment's first model after some updates: an untrained one's gates hardly move, and pack too well."""
    torch.set_num_threads(1)
    model = first_model(experiment)
    Trainer(model, read_split(experiment, "train"), experiment.training, seed=0).advance(updates)
    return model
