"""Dump a live module over batches of tokens, in this process: the Python twin of `unrolled dump --model …`."""

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn

from jobs.main_path import STAGES, run_stages
from jobs.run.context import Run
from jobs.run.identity import Identity
from jobs.run.network import LiveNetwork, checked_network
from jobs.run.opening import checked_run, whole_root
from jobs.run.tasks import TaskSource
from jobs.runners.local import LocalRunner
from pipeline.annotation.hypotheses import find_hypothesis
from pipeline.capturing.modules import uncompiled
from pipeline.models.network import copied
from pipeline.models.state_dict import load_weights, weights_of
from pipeline.tasks.tokens import Tokens
from pipeline.tasks.vocabulary import Vocabulary, vocabulary_of_document
from schemas.errors import UsageError
from schemas.fingerprint import fingerprint
from schemas.parse import parse_experiment


def dump_module(
    module: nn.Module,
    batches: Iterable[Tensor | Sequence[Sequence[int]]],
    *,
    vocabulary: Sequence[str] | Mapping[str, int],
    root: str = "./lake",
    name: str = "network",
    recurrent: str = "",
    checkpoint: int = 0,
    hypotheses: Sequence[str] = (),
) -> str:
    """Write every signal of every neuron of a module at every step of some sequences; score it if asked to.

    A second call with the same weights and sequences does nothing; the module is left as it is.

    Args:
        module: gives logits (batch, steps, vocabulary) for tokens (batch, steps) int64, or a tuple that begins so.
        batches: tensors (batch, steps), or lists of lists of tokens, which may differ in length. A sequence's
            number in the tables is its place among all of them.
        vocabulary: the texts in the order of their tokens, or the token of each text.
        root: the lake.
        name: of the run: small letters, digits and _.
        recurrent: path of the recurrent module within it, when there are several.
        checkpoint: updates that made the weights.
        hypotheses: names of hypotheses to score the neurons against, on the sequences' text.

    Returns:
        The run's id.

    Raises:
        UsageError: the module, the vocabulary or a batch is none that can be dumped; nothing is written.
    """
    for hypothesis in hypotheses:
        find_hypothesis(hypothesis)
    document = {"name": name, "score": {"hypotheses": list(hypotheses)}}
    return dump_live(module, batches, vocabulary, root, document, recurrent=recurrent, checkpoint=checkpoint)


def dump_live(
    module: nn.Module,
    batches: Iterable[Tensor | Sequence[Sequence[int]]],
    vocabulary: Sequence[str] | Mapping[str, int],
    root: str,
    document: Mapping[str, object],
    *,
    recurrent: str = "",
    checkpoint: int = 0,
) -> str:
    """As `dump_module`, of whole sections: the run's name, and its [score] and [sample] as an experiment has them.

    Raises UsageError as that does.
    """
    texts = Vocabulary(vocabulary_of_document(vocabulary, "vocabulary"))
    sequences = tuple(sequence for batch in batches for sequence in _sequences(batch, texts))
    if not sequences:
        raise UsageError("the batches hold no sequence: give at least one tensor (batch, steps) of tokens")

    own = copied(uncompiled(module))
    load_weights(own, weights_of(own), type(module).__name__)
    network = checked_network(own, texts, recurrent)

    settings = {
        "model": f"{type(module).__module__}:{type(module).__qualname__}",
        "weights": "live",
        "vocabulary": "live",
        "recurrent": recurrent,
        "checkpoint": checkpoint,
    }
    whole = {**document, "task": {"name": "tokens"}, "network": settings}
    experiment = parse_experiment(whole, "dump_module")

    inputs = fingerprint([[list(sequence) for sequence in sequences], document.get("sample")])

    identity = Identity(experiment, inputs, network.imported)
    given = Tokens(sequences, network.vocabulary)
    source = TaskSource(experiment.task, experiment.corpus, takes_all=True, given=given)
    complete = checked_run(Run(whole_root(root), identity, source, LiveNetwork(network)), network)
    _run(complete)
    return complete.id


def _run(run: Run) -> None:
    threads = torch.get_num_threads()
    try:
        run_stages(run, LocalRunner(), [stage.name for stage in STAGES])
    finally:
        torch.set_num_threads(threads)  # the stages take one, for equal bytes everywhere


def _sequences(batch: Tensor | Sequence[Sequence[int]], vocabulary: Vocabulary) -> list[tuple[int, ...]]:
    if isinstance(batch, Tensor) and batch.dim() != 2:
        raise UsageError(f"a batch is {tuple(batch.shape)}: tokens (batch, steps) are needed")
    rows = batch.tolist() if isinstance(batch, Tensor) else batch
    return [tuple(vocabulary.checked(row, "a batch").tolist()) for row in rows]
