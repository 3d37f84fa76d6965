"""`unrolled run` and each stage by itself."""

import argparse
import sys
from pathlib import Path

import torch

from jobs.commands.answer import print_answer
from jobs.commands.output import print_table
from jobs.main_path import STAGES, run_stages
from jobs.plan.cost import cost_table
from jobs.process.memory import keep_freed_memory
from jobs.run.context import Run
from jobs.run.defined import check_hypotheses, check_language
from jobs.run.experiment_file import code_folder, load_experiment, network_experiment
from jobs.run.opening import open_run
from jobs.run.placement import HERE, Placement, parse_gpus, parse_together
from jobs.runners.base import Runner
from jobs.runners.local import LocalRunner
from schemas.command import Typed
from schemas.errors import UsageError
from schemas.experiment import Experiment
from schemas.redact import redact

NETWORK_FLAGS = (
    "model",
    "weights",
    "vocabulary",
    "corpus",
    "window",
    "sequences",
    "name",
    "tokenizer",
    "recurrent",
)
_WITH_PATHS = ("task", "network", "score")  # settings that may hold paths, from the folder they are typed in
NAMES = [stage.name for stage in STAGES]


def run(options: argparse.Namespace) -> None:
    """Every stage up to --until, then the answer."""
    only = NAMES[: NAMES.index(options.until) + 1] if options.until else NAMES
    done = _do(options, only)
    if not options.plan and only == NAMES:
        print_answer(done)


def one_stage(options: argparse.Namespace) -> None:
    """One stage, on what the ones before it have left; the dump of a network needs nothing but the network."""
    _do(options, [options.command])


def _experiment(options: argparse.Namespace) -> Experiment:
    """The experiment of a file or name, or of the flags that describe a network."""
    flags = {name: getattr(options, name, None) for name in NETWORK_FLAGS}
    given = [f"--{name}" for name, value in flags.items() if value is not None]
    if options.experiment and given:
        raise UsageError(
            f"{options.experiment} says what to dump: leave {', '.join(given)} out, or {options.experiment}"
        )
    if options.experiment:
        return load_experiment(options.experiment, options.overrides)
    if not given:
        raise UsageError(
            "what to dump? unrolled dump EXPERIMENT, or --model, --weights, --vocabulary and --corpus"
        )
    return network_experiment(flags, options.overrides)


def _do(options: argparse.Namespace, only: list[str]) -> Run:
    experiment = _experiment(options)
    if experiment.network and only == ["dump"]:
        only = NAMES[: NAMES.index("dump") + 1]

    if options.root.startswith("memory://"):
        raise UsageError("a lake in memory ends with the command: give a folder or a URI, such as --root ./lake")

    check_hypotheses(experiment)  # before anything is written
    keep_freed_memory()
    code = code_folder(options.experiment)
    run = open_run(experiment, options.root, code, _placement(options), _typed(options))

    for line in (*check_language(run), *(run.network.told if run.network else ())):
        _tell(line)

    if options.plan:
        _tell(f"{run.id} in {options.root}, of which --plan writes nothing")
        print_table(cost_table(run, only, 1 if options.runner == "local" else options.workers))
        return run

    _tell(f"{run.id} in {options.root}")
    if {"generate", "train"} & set(only):
        _tell_corpus(run)

    with _runner(options) as runner:
        published = run_stages(run, runner, only, options.replace, _tell, wait=options.wait)

    if not published:
        _tell(f"nothing to do: {run.id} has all of {', '.join(only)} already")
    return run


def _typed(options: argparse.Namespace) -> Typed:
    """What would name the experiment again, from any folder."""
    changes = [word for override in options.overrides for word in ("--set", override)]
    if options.experiment:
        is_file = options.experiment.endswith(".toml")
        words = [str(Path(options.experiment).absolute()) if is_file else options.experiment, *changes]
        has_paths = any(override.startswith(_WITH_PATHS) for override in options.overrides)
        return Typed(words=tuple(words), folder=str(Path.cwd()) if has_paths else "")

    words = []
    for name in NETWORK_FLAGS:
        value = getattr(options, name)
        if value is not None:
            words += [f"--{name}", *map(str, value if isinstance(value, list) else [value])]
    return Typed(command="dump", words=(*words, *changes), folder=str(Path.cwd()))


def _tell_corpus(run: Run) -> None:
    """What there is to learn from, before anything is learnt."""
    lines = run.source.description()
    for line in lines:
        _tell(line)
    if lines and not run.network:  # a network brings its own vocabulary
        characters = "".join(run.vocabulary().characters)
        _tell(f"vocabulary: {len(characters)} characters {characters!r}")

    train, training = run.experiment.corpus.train, run.experiment.training
    if not training.truncate and 0 < train < training.batch_size:
        meaning = f"fewer than training.batch_size = {training.batch_size}: each batch is all of them"
        _tell(f"train has {train} sequences, {meaning}")


def _placement(options: argparse.Namespace) -> Placement:
    """Where models are trained; stages that train none have no such flags."""
    if "data_parallel" not in options:
        return HERE
    together = parse_together(options.data_parallel) if options.data_parallel else None
    if together and options.runner == "local":
        raise UsageError("--data-parallel starts workers on Ray: leave --runner local out")

    gpus = parse_gpus(options.gpus_per_worker)
    if gpus and options.runner == "local" and not torch.cuda.is_available():
        raise UsageError("--gpus-per-worker asks for a GPU, and torch finds none here: leave it out")

    if options.tensorboard:
        try:
            Path(options.tensorboard).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"--tensorboard {options.tensorboard} cannot be written: {error.strerror}") from None

    return Placement(together, gpus, options.save_every, options.tensorboard)


def _tell(line: str) -> None:
    """A line for the person who waits."""
    print(redact(line), file=sys.stderr)


def _runner(options: argparse.Namespace) -> Runner:
    if options.runner == "local":
        return LocalRunner()
    from jobs.runners.ray import RayRunner  # its import takes a second

    return RayRunner(options.workers)
