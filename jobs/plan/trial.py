"""A trial: the first piece of a dump, done for real into a folder that is thrown away, to tell what all cost."""

import resource
import sys
import tempfile
import time
from dataclasses import dataclass, replace

from torch import nn

from jobs.driver.stage import Piece
from jobs.run.context import Run
from jobs.run.reading import read_model
from jobs.stages.dump import DumpPiece, dump_sequences
from pipeline.corpus.rows import sequences_of
from pipeline.models.recurrent_lm import make_model
from pipeline.storage.manifests import LAKE, prepare_lake, read_manifest
from pipeline.tasks.vocabulary import Vocabulary
from schemas.experiment import ModelSpec
from schemas.stages import WHOLE


@dataclass(frozen=True)
class Trial:
    """What one piece took."""

    steps: int
    rows: int
    bytes: int
    cpu_seconds: float  # of all threads: what a core of a busy machine takes
    seconds: float  # by the clock, with packing on another core


def try_dump(run: Run, spec: ModelSpec, checkpoint: int, sequences: int) -> Trial:
    """Dump the first probe sequences of a run, with the weights it has, or first weights if it has none yet."""
    model, vocabulary = _model(run, spec, checkpoint)
    probe = sequences_of(run.source.first_rows("probe", sequences, vocabulary))
    with tempfile.TemporaryDirectory() as root:
        there = replace(run, root=root)
        prepare_lake(there.folder)
        arguments = DumpPiece(model=spec.name, checkpoint=checkpoint, start=0, stop=sequences)
        piece = Piece(there, "dump", "trial", 0, "trial", arguments, 0.0)

        started, worked = time.monotonic(), time.process_time()
        objects = dump_sequences(piece, model, vocabulary, probe)

        return Trial(
            steps=len(probe.tokens),
            rows=sum(stored.rows for stored in objects),
            bytes=sum(stored.bytes for stored in objects),
            cpu_seconds=time.process_time() - worked,
            seconds=time.monotonic() - started,
        )


def peak_memory() -> int:
    """The most bytes that this process has had in memory."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _model(run: Run, spec: ModelSpec, checkpoint: int) -> tuple[nn.Module, Vocabulary]:
    if run.folder.exists(LAKE) and read_manifest(run.folder, run.id, "train", WHOLE):
        return read_model(run, spec.name, checkpoint)
    if run.network:
        network = run.network.open()
        return network.module, network.vocabulary
    assert spec.seed is not None
    vocabulary = run.vocabulary()
    return make_model(spec.architecture(len(vocabulary)), spec.seed, run.experiment.start).eval(), vocabulary
