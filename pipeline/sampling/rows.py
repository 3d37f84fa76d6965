"""Rows of `samples`."""

import math

import numpy as np
import pyarrow as pa
from torch import nn

from pipeline.sampling.write import Written, marks_of, write
from pipeline.tasks.vocabulary import Vocabulary
from schemas.experiment import Drawing
from schemas.samples import SAMPLES


def sample_rows(model: nn.Module, vocabulary: Vocabulary, drawing: Drawing) -> tuple[pa.Table, list[Written]]:
    """A row for each sample of each temperature, and what was written at each temperature.

    Raises UsageError for what the vocabulary lacks.
    """
    prompt, stop = marks_of(drawing, vocabulary)
    written = [write(model, prompt, drawing, temperature, stop) for temperature in drawing.temperature]

    rows = [
        {
            "sample": sample,
            "temperature": temperature,
            "top_k": drawing.top_k or None,
            "seed": drawing.seed,
            "prompt": vocabulary.decode(prompt),
            "text": vocabulary.decode(tokens[len(prompt) :]),
            "bits_per_char": -float(np.mean(log_p[: len(tokens) - len(prompt)])) / math.log(2),
        }
        for temperature, group in zip(drawing.temperature, written, strict=True)
        for sample, (tokens, log_p) in enumerate(zip(group.texts(), group.log_p, strict=True))
    ]

    return pa.Table.from_pylist(rows, SAMPLES.schema), written
