"""The same task, larger than it ever was in training: up to which size is the model right?"""

import numpy as np
import pyarrow as pa
import torch
from torch import nn

from pipeline.models.network import logits_of
from pipeline.tasks.task import Sequence, Task
from pipeline.tasks.vocabulary import Vocabulary
from schemas.experiment import ExtrapolateSettings
from schemas.scores import EXTRAPOLATION

BEYOND = 1 << 40  # sequence numbers that no corpus reaches


def extrapolate(
    model: nn.Module, vocabulary: Vocabulary, task: Task, seed: int, settings: ExtrapolateSettings
) -> pa.Table:
    """A row for each size from the smallest trained on to the largest asked."""
    assert task.sizes is not None
    rows = []
    for size in range(task.sizes[0], settings.maximum + 1):
        numbers = (BEYOND + size * settings.samples + sample for sample in range(settings.samples))
        tried = {task.sequence(seed, number, size) for number in numbers}
        right = sum(is_right(model, vocabulary, sequence) for sequence in tried)
        rows.append({"size": size, "correct": right, "total": len(tried)})
    return pa.Table.from_pylist(rows, EXTRAPOLATION.schema)


def is_right(model: nn.Module, vocabulary: Vocabulary, sequence: Sequence) -> bool:
    """Whether the most probable character is the true one at every determined place."""
    tokens = vocabulary.encode(sequence.text, "an extrapolated sequence").astype(np.int64)
    with torch.inference_mode():
        predicted = logits_of(model, torch.from_numpy(tokens[None, :-1]))[0].argmax(-1).numpy()
    answer = slice(sequence.determined_from - 1, None)
    return bool((predicted[answer] == tokens[1:][answer]).all())
