"""The words that a person types. Nothing that takes a second is imported here, so that --help answers at once."""

import argparse
from collections.abc import Callable

from schemas.stages import SPECS, STAGES

DESCRIPTION = """\
Train recurrent networks, write every gate and state of every neuron at every step to Parquet,
and ask in SQL which neuron does what.

  unrolled run counting                        train, dump and score; ends with the answer
  unrolled top counting --hypothesis count_a   which neurons follow a hypothesis
  unrolled show counting lstm-1x10-seed0 L0/N4 its text, coloured by that neuron
  unrolled sql "select * from models"          anything else
"""

DUMP = """\
Write every signal of every neuron at every step: of an experiment's models, or of a network that was
trained elsewhere, which is called as model(tokens) and gives logits or (logits, state).

  unrolled dump counting
  unrolled dump --model char_rnn:make_model --weights char_rnn.safetensors \\
                --vocabulary vocabulary.json --corpus texts/ --window 200
"""

AUDIT = """\
Recheck what a run has stored, in SQL, one line an invariant: digests, a row for each neuron and step, ranges,
the states' equations on every row, and every gate from the checkpoint's weights on as many steps as a few seconds
allow. Tolerances follow the stored precision. Exit code 3 when something is violated.

  unrolled audit counting
  unrolled audit counting --model lstm-1x10-seed0 --json
"""

RUNS = """\
What the lake holds; one run; removing one; clearing up what no run needs.

  unrolled runs                      every run, and how far it is
  unrolled runs show counting        its models, dumps and settings
  unrolled runs rm counting          what would go; with --yes it goes, killed half-way the same command goes on
  unrolled runs gc --dry-run         as `unrolled gc`
"""

GC = """\
Remove what no run needs: what killed writers left a day ago (temporary files, unfinished uploads), what is left of
a run whose removal was cut short, shards of a complete run that no manifest lists, states to resume what is
complete, dead leases. What a manifest lists stays; so does all of a run that is incomplete or has a driver.

  unrolled gc --dry-run              what would go, by kind
  unrolled gc --older-than 2         leftovers of writers that were killed two hours ago
"""

DOCTOR = """\
Look at what a run needs, one line each: libraries, credentials (where they lie, never what they are), the root (a
small object is written, read, refused a second time and removed), room on the disks, DuckDB, Ray, torch. Nothing
is changed or left behind, and what does not answer is given up after some seconds. A line begins with ok, warn or
fail, and says what to type unless it is ok. Exit code 0, or 5 when a check failed.

  unrolled doctor
  unrolled doctor --root s3://my-bucket/lake
"""

WRITE = """\
Let a trained model write: it reads the prompt, then its own characters. The same command writes the same text.
Nothing is stored unless --dump is given.

  unrolled write python_source --prompt "def " --length 400 --temperature 0.6
  unrolled write python_source --greedy --samples 1
  unrolled write python_source --stored    what every checkpoint wrote ([sample] in the experiment)
"""

DESCRIPTIONS = {"dump": DUMP}  # of stages that have more to say than a line


def make_parser() -> argparse.ArgumentParser:
    """The whole command line."""
    parser = argparse.ArgumentParser(
        prog="unrolled", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", action="store_true", help="print the version and leave")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--root", default="./lake", metavar="URI", help="the lake: a folder or URI (./lake)")
    common.add_argument("--debug", action="store_true", help="show the traceback of an error")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")

    run = commands.add_parser("run", parents=[common], help="the main job: every stage, then the answer")
    _add_stage_arguments(run)
    _add_placement(run)
    run.add_argument("--until", choices=STAGES, metavar="STAGE", help="the last stage to do")
    for spec in SPECS:
        stage = commands.add_parser(
            spec.name,
            parents=[common],
            help=spec.help,
            description=DESCRIPTIONS.get(spec.name),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        _add_stage_arguments(stage, needed=spec.name != "dump")  # a network needs no experiment
        if spec.name == "train":
            _add_placement(stage)
        if spec.name == "dump":
            _add_network(stage)

    _add_runs(commands, common)
    _add_questions(commands, common)
    _add_write(commands, common)
    _add_audit(commands, common)
    doctor = commands.add_parser(
        "doctor",
        parents=[common],
        formatter_class=argparse.RawDescriptionHelpFormatter,
        help="is everything there that a run needs?",
        description=DOCTOR,
    )
    doctor.add_argument("--json", action="store_true", help="as JSON")
    return parser


def _add_stage_arguments(parser: argparse.ArgumentParser, *, needed: bool = True) -> None:
    parser.add_argument(
        "experiment",
        metavar="EXPERIMENT",
        nargs=None if needed else "?",
        help="a .toml file, or the name of a shipped one",
    )
    parser.add_argument(
        "--set",
        dest="overrides",
        action="append",
        default=[],
        metavar="A.B=C",
        help="a setting, as training.steps=500; may be given again",
    )
    parser.add_argument("--runner", choices=("ray", "local"), default="ray", help="on Ray, or in this process")
    parser.add_argument("--workers", type=_whole(1), metavar="N", help="cores of the Ray that is started (all)")
    parser.add_argument(
        "--plan", action="store_true", help="say what would be done and what it costs; write nothing"
    )
    parser.add_argument("--replace", choices=STAGES, metavar="STAGE", help="make a stage and its readers again")
    parser.add_argument("--wait", action="store_true", help="when another driver works on the run, go on after it")


def _add_placement(parser: argparse.ArgumentParser) -> None:
    placement = parser.add_argument_group("where models are trained; the same run may go on elsewhere")
    placement.add_argument(
        "--data-parallel",
        metavar="N",
        help="workers that share every batch of a model; 2:8 takes what there is (one a model)",
    )
    placement.add_argument("--gpus-per-worker", default="0", metavar="G", help="1, 2, or a share as 0.25 (0)")
    placement.add_argument(
        "--save-every",
        type=_amount("number of minutes"),
        default=5.0,
        metavar="MINUTES",
        help="between two states to go on from (5)",
    )
    placement.add_argument("--tensorboard", default="", metavar="FOLDER", help="write TensorBoard's events there")


def _add_network(parser: argparse.ArgumentParser) -> None:
    network = parser.add_argument_group("a network that was trained elsewhere, without an EXPERIMENT")
    network.add_argument(
        "--model", metavar="P.M:F", help="package.module:factory, which gives the torch.nn.Module"
    )
    network.add_argument("--weights", metavar="FILE", help="its state_dict: .safetensors, .pt or .pth")
    network.add_argument("--vocabulary", metavar="FILE", help="JSON: a list of texts in the order of their tokens")
    network.add_argument("--corpus", nargs="+", metavar="PATH", help="text files, folders or globs to read")
    network.add_argument(
        "--window", type=int, metavar="N", help="characters of a sequence, which begins afresh (128); 0: a file"
    )
    network.add_argument("--sequences", type=_whole(1), metavar="N", help="how many to dump (all of them)")
    network.add_argument("--name", metavar="NAME", help="the run's (the module's)")
    network.add_argument("--tokenizer", metavar="P.M:F", help="text to tokens (a token a character)")
    network.add_argument("--recurrent", metavar="PATH", help="the recurrent module, when there are several")


def _whole(least: int) -> Callable[[str], int]:
    def _parsed(text: str) -> int:
        number = int(text)
        if number < least:
            raise argparse.ArgumentTypeError(f"{number} is less than {least}")
        return number

    _parsed.__name__ = "number"  # as argparse calls what int() refuses
    return _parsed


def _amount(what: str) -> Callable[[str], float]:
    def _parsed(text: str) -> float:
        number = float(text)
        if not 0 <= number < float("inf"):
            raise argparse.ArgumentTypeError(f"{text} is no {what}: 0, or more")
        return number

    _parsed.__name__ = what
    return _parsed


def _add_runs(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", common: argparse.ArgumentParser
) -> None:
    raw = argparse.RawDescriptionHelpFormatter
    runs = commands.add_parser(
        "runs", parents=[common], formatter_class=raw, help="what the lake holds", description=RUNS
    )
    runs.add_argument(
        "action",
        nargs="?",
        choices=("ls", "show", "rm", "gc"),
        default="ls",
        help="list, show one, remove one, clear up",
    )
    runs.add_argument("run", nargs="?", metavar="RUN", help="a run's id, or the start of it")
    runs.add_argument("--yes", action="store_true", help="rm: do it, rather than say what would go")
    gc = commands.add_parser(
        "gc", parents=[common], formatter_class=raw, help="remove what no run needs", description=GC
    )
    for parser in (runs, gc):
        parser.add_argument("--dry-run", action="store_true", help="say what would go; remove nothing")
        parser.add_argument(
            "--older-than",
            type=_amount("number of hours"),
            default=24.0,
            metavar="HOURS",
            help="gc: age of writers' leftovers (24)",
        )
        parser.add_argument("--json", action="store_true", help="as JSON")


def _add_questions(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", common: argparse.ArgumentParser
) -> None:
    sql = commands.add_parser("sql", parents=[common], help="ask anything, in DuckDB's SQL")
    sql.add_argument("query", nargs="?", metavar="SELECT", help="one SELECT over the lake's tables")
    sql.add_argument("-f", "--file", metavar="FILE", help="a .sql file, or the name of a shipped question")
    sql.add_argument(
        "--set",
        dest="parameters",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a parameter, $name in SQL",
    )
    sql.add_argument(
        "--format", choices=("table", "csv", "json", "parquet"), default="table", help="of the answer"
    )
    sql.add_argument("--questions", action="store_true", help="list the shipped questions")

    top = commands.add_parser("top", parents=[common], help="which neurons follow a hypothesis")
    top.add_argument("run", metavar="RUN", help="a run's id, or the start of it")
    top.add_argument("--hypothesis", required=True, metavar="H", help="as count_a")
    top.add_argument("--signal", metavar="S", help="one of the eight signals (all of them)")
    top.add_argument("--measure", choices=("pearson", "spearman", "auc"), default="pearson", help="(pearson)")
    top.add_argument("--checkpoint", type=int, metavar="N", help="updates (each model's last)")
    top.add_argument("--limit", type=int, default=20, metavar="N", help="rows (20)")
    top.add_argument("--json", action="store_true", help="as JSON")

    show = commands.add_parser("show", parents=[common], help="a neuron's text, coloured by its signal")
    show.add_argument("run", metavar="RUN", help="a run's id, or the start of it")
    show.add_argument("model", metavar="MODEL", help="as lstm-1x10-seed0")
    show.add_argument("neuron", metavar="L0/N7", help="layer and neuron")
    show.add_argument("--signal", metavar="S", help="one of the eight signals (cell_state, or hidden_state)")
    show.add_argument("--checkpoint", type=int, metavar="N", help="updates (the last dumped)")
    show.add_argument("--sequence", type=int, metavar="N", help="the first sequence to show")
    show.add_argument("--limit", type=int, default=8, metavar="N", help="different texts (8)")
    show.add_argument("--picture", metavar="FILE.png", help="draw it there instead, 5,000 characters at most")
    show.add_argument("--json", action="store_true", help="as JSON")


def _add_write(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", common: argparse.ArgumentParser
) -> None:
    write = commands.add_parser(
        "write",
        parents=[common],
        formatter_class=argparse.RawDescriptionHelpFormatter,
        help="let a trained model write",
        description=WRITE,
    )
    write.add_argument("run", metavar="RUN", help="a run's id, or the start of it")
    write.add_argument("--model", metavar="M", help="as lstm-1x10-seed0 (the first)")
    write.add_argument("--checkpoint", type=int, metavar="C", help="updates (the last)")
    write.add_argument("--prompt", default="", metavar="TEXT", help="what it reads first (a newline)")
    write.add_argument("--length", type=_whole(1), default=200, metavar="N", help="characters to write (200)")
    write.add_argument(
        "--temperature", type=_amount("temperature"), default=0.8, metavar="T", help="0 is --greedy (0.8)"
    )
    write.add_argument("--greedy", action="store_true", help="always the most probable character")
    write.add_argument(
        "--top-k", type=_whole(1), default=0, metavar="K", help="draw from the K most probable (all of them)"
    )
    write.add_argument("--samples", type=_whole(1), default=1, metavar="N", help="texts (1)")
    write.add_argument("--seed", type=_whole(0), default=0, metavar="N", help="of what is drawn (0)")
    write.add_argument("--line", action="store_true", help="each text ends with its line")
    write.add_argument("--stored", action="store_true", help="what each checkpoint wrote when the run was made")
    write.add_argument("--dump", action="store_true", help="store every gate and state while it wrote, as a run")
    write.add_argument("--json", action="store_true", help="as JSON")


def _add_audit(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", common: argparse.ArgumentParser
) -> None:
    audit = commands.add_parser(
        "audit",
        parents=[common],
        formatter_class=argparse.RawDescriptionHelpFormatter,
        help="recheck stored rows against the cells' equations",
        description=AUDIT,
    )
    audit.add_argument("run", metavar="RUN", help="a run's id, or the start of it")
    audit.add_argument("--model", metavar="M", help="as lstm-1x10-seed0 (all of them)")
    audit.add_argument("--checkpoint", type=int, metavar="C", help="updates (all that were dumped)")
    audit.add_argument("--json", action="store_true", help="as JSON")
