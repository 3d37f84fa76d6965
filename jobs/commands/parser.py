"""The words that a person types. Nothing that takes a second is imported here, so that --help answers at once."""

import argparse

from jobs.commands.descriptions import AUDIT, CLAIMS, DESCRIPTION, DOCTOR, DUMP, GC, ROLES, RUNS, TOP, WRITE
from jobs.commands.match_words import add_match
from jobs.commands.words import AT, Parser, amount, checkpoint, whole
from schemas.measures import MEASURES
from schemas.stages import SPECS, STAGES

DESCRIPTIONS = {"dump": DUMP}  # of stages that have more to say than a line


def make_parser() -> Parser:
    """The whole command line."""
    parser = Parser(prog="unrolled", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    _add_common(parser, root="./lake", debug=False)
    common = Parser(add_help=False)
    _add_common(common, root=argparse.SUPPRESS, debug=argparse.SUPPRESS)  # else they would undo the first ones
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")

    run = commands.add_parser("run", parents=[common], help="the main job: every stage, then the answer")
    _add_stage_arguments(run)
    _add_placement(run)
    run.add_argument("--until", choices=STAGES, metavar="STAGE", help="stop after this stage")
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
    _add_show(commands, common)
    add_match(commands, common)
    _add_roles(commands, common)
    _add_claims(commands, common)
    _add_write(commands, common)
    _add_audit(commands, common)
    doctor = commands.add_parser(
        "doctor",
        parents=[common],
        formatter_class=argparse.RawDescriptionHelpFormatter,
        help="check that everything a run needs is there",
        description=DOCTOR,
    )
    doctor.add_argument("--json", action="store_true", help="as JSON")
    parser.commands = commands.choices
    return parser


def _add_common(parser: argparse.ArgumentParser, root: str, *, debug: bool | str) -> None:
    """What may stand before the command or behind it."""
    parser.add_argument("--root", default=root, metavar="URI", help="the lake: a folder or URI (./lake)")
    parser.add_argument("--debug", action="store_true", default=debug, help="show the traceback of an error")


def _add_stage_arguments(parser: argparse.ArgumentParser, *, needed: bool = True) -> None:
    parser.add_argument(
        "experiment",
        metavar="EXPERIMENT",
        nargs=None if needed else "?",
        help="a .toml file, or the name of a shipped experiment",
    )
    parser.add_argument(
        "--set",
        dest="overrides",
        action="append",
        default=[],
        metavar="A.B=C",
        help="change a setting, e.g. training.steps=500; repeatable",
    )
    parser.add_argument("--runner", choices=("ray", "local"), default="ray", help="run on Ray, or in this process")
    parser.add_argument("--workers", type=whole(1), metavar="N", help="cores for the Ray that is started (all)")
    parser.add_argument(
        "--plan", action="store_true", help="say what would be done and what it would cost; write nothing"
    )
    parser.add_argument(
        "--replace",
        choices=STAGES,
        metavar="STAGE",
        help="redo what has changed of a stage, or all of it, and what reads it",
    )
    parser.add_argument("--wait", action="store_true", help="if another driver is working on the run, wait for it")


def _add_placement(parser: argparse.ArgumentParser) -> None:
    placement = parser.add_argument_group("where models are trained (a run may be continued elsewhere)")
    placement.add_argument(
        "--data-parallel",
        metavar="N",
        help="workers that share every batch of a model; 2:8 takes as many as there are (one per model)",
    )
    placement.add_argument(
        "--gpus-per-worker", default="0", metavar="G", help="1, 2, or a fraction such as 0.25 (0)"
    )
    placement.add_argument(
        "--save-every",
        type=amount("number of minutes"),
        default=5.0,
        metavar="MINUTES",
        help="how often to save a state to resume from (5)",
    )
    placement.add_argument(
        "--tensorboard", default="", metavar="FOLDER", help="write TensorBoard event files there"
    )


def _add_network(parser: argparse.ArgumentParser) -> None:
    network = parser.add_argument_group("a network that was trained elsewhere, instead of an EXPERIMENT")
    network.add_argument(
        "--model", metavar="P.M:F", help="package.module:factory, which returns the torch.nn.Module"
    )
    network.add_argument("--weights", metavar="FILE", help="its state_dict: .safetensors, .pt or .pth")
    network.add_argument("--vocabulary", metavar="FILE", help="JSON: a list of texts, in token order")
    network.add_argument("--corpus", nargs="+", metavar="PATH", help="text files, folders or globs to read")
    network.add_argument(
        "--window",
        type=int,
        metavar="N",
        help="characters in a sequence, each starting afresh (128); 0: whole files",
    )
    network.add_argument("--sequences", type=whole(1), metavar="N", help="how many to dump (all)")
    network.add_argument("--name", metavar="NAME", help="the run's name (the module's)")
    network.add_argument("--tokenizer", metavar="P.M:F", help="turns a text into tokens (one per character)")
    network.add_argument("--recurrent", metavar="PATH", help="which recurrent module, if there are several")


def _add_runs(commands: "argparse._SubParsersAction[Parser]", common: Parser) -> None:
    raw = argparse.RawDescriptionHelpFormatter
    runs = commands.add_parser(
        "runs", parents=[common], formatter_class=raw, help="what the lake holds", description=RUNS
    )
    runs.add_argument(
        "action",
        nargs="?",
        choices=("ls", "show", "rm", "gc"),
        default="ls",
        help="list runs, show one, remove one, or clear up",
    )
    runs.add_argument("run", nargs="?", metavar="RUN", help="a run's id, or the beginning of it")
    runs.add_argument("--yes", action="store_true", help="rm: do it, rather than say what would be removed")
    gc = commands.add_parser(
        "gc", parents=[common], formatter_class=raw, help="remove what no run needs", description=GC
    )
    for parser in (runs, gc):
        parser.add_argument("--dry-run", action="store_true", help="say what would be removed; remove nothing")
        parser.add_argument(
            "--older-than",
            type=amount("number of hours"),
            default=24.0,
            metavar="HOURS",
            help="gc: minimum age of leftovers (24)",
        )
        parser.add_argument("--json", action="store_true", help="as JSON")


def _add_questions(commands: "argparse._SubParsersAction[Parser]", common: Parser) -> None:
    sql = commands.add_parser("sql", parents=[common], help="ask anything in SQL (DuckDB's dialect)")
    sql.add_argument("query", nargs="?", metavar="SELECT", help="one SELECT over the lake's tables")
    sql.add_argument(
        "-f", "--file", metavar="FILE", help="a .sql file, or the name of a shipped question or claim"
    )
    sql.add_argument(
        "--set",
        dest="parameters",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="set a parameter, $NAME in the SQL; repeatable",
    )
    sql.add_argument("--run", metavar="RUN", help="of one run alone: its id, or the beginning of it")
    at = "with --run: of one checkpoint alone, or of each model's `last`"
    sql.add_argument("--checkpoint", type=checkpoint, metavar="N", help=at)
    sql.add_argument(
        "--format",
        choices=("table", "csv", "json", "parquet"),
        default="table",
        help="how to print the answer (table); JSON has no NaN and no infinity, and gives null for them",
    )
    sql.add_argument("--questions", action="store_true", help="list the shipped questions and claims")

    top = commands.add_parser(
        "top",
        parents=[common],
        formatter_class=argparse.RawDescriptionHelpFormatter,
        help="which neurons follow a hypothesis, and how far that is from chance",
        description=TOP,
    )
    top.add_argument("run", metavar="RUN", help="a run's id, or the beginning of it")
    top.add_argument("--hypothesis", required=True, metavar="H", help="e.g. count_a")
    top.add_argument("--signal", metavar="S", help="one of the eight signals (all)")
    top.add_argument(
        "--measure", choices=MEASURES, help="what to rank by (auc of yes/no and categories, pearson of numbers)"
    )
    top.add_argument("--checkpoint", type=checkpoint, metavar="N", help=f"{AT} (each model's last)")
    top.add_argument("--limit", type=whole(1), default=20, metavar="N", help="how many rows (20)")
    top.add_argument("--json", action="store_true", help="as JSON")


def _add_claims(commands: "argparse._SubParsersAction[Parser]", common: Parser) -> None:
    claims = commands.add_parser(
        "claims",
        parents=[common],
        formatter_class=argparse.RawDescriptionHelpFormatter,
        help="which claims about its task hold of a run's networks",
        description=CLAIMS,
    )
    claims.add_argument("run", metavar="RUN", help="a run's id, or the beginning of it")
    claims.add_argument("--checkpoint", type=checkpoint, metavar="N", help=f"{AT} (each model's last)")
    claims.add_argument("--json", action="store_true", help="as JSON")


def _add_show(commands: "argparse._SubParsersAction[Parser]", common: Parser) -> None:
    show = commands.add_parser("show", parents=[common], help="text coloured by a neuron's signal")
    show.add_argument("run", metavar="RUN", help="a run's id, or the beginning of it")
    show.add_argument("model", metavar="MODEL", help="e.g. lstm-1x10-seed0")
    show.add_argument("neuron", metavar="L0/N7", help="layer and neuron")
    show.add_argument("--signal", metavar="S", help="one of the eight signals (cell_state, or hidden_state)")
    show.add_argument("--checkpoint", type=checkpoint, metavar="N", help=f"{AT} (the last dumped)")
    show.add_argument("--sequence", type=int, metavar="N", help="the first sequence to show")
    show.add_argument("--limit", type=whole(1), default=8, metavar="N", help="how many different texts (8)")
    show.add_argument(
        "--picture",
        metavar="FILE.png",
        nargs="?",
        const="",
        help="draw a picture instead, of at most 5,000 characters, to a file (to the run's folder)",
    )
    show.add_argument("--json", action="store_true", help="as JSON")


def _add_roles(commands: "argparse._SubParsersAction[Parser]", common: Parser) -> None:
    roles = commands.add_parser(
        "roles",
        parents=[common],
        formatter_class=argparse.RawDescriptionHelpFormatter,
        help="what each neuron does: counter, latch, copier, switch, clock …",
        description=ROLES,
    )
    roles.add_argument("run", metavar="RUN", help="a run's id, or the beginning of it")
    roles.add_argument("model", metavar="MODEL", help="e.g. lstm-1x10-seed0")
    roles.add_argument("--checkpoint", type=checkpoint, metavar="C", help=f"{AT} (the last dumped)")
    roles.add_argument(
        "--all", action="store_true", help="also list neurons without a role, with what comes nearest"
    )
    roles.add_argument("--json", action="store_true", help="as JSON: an object for each neuron and role")


def _add_write(commands: "argparse._SubParsersAction[Parser]", common: Parser) -> None:
    write = commands.add_parser(
        "write",
        parents=[common],
        formatter_class=argparse.RawDescriptionHelpFormatter,
        help="let a trained model write",
        description=WRITE,
    )
    write.add_argument("run", metavar="RUN", help="a run's id, or the beginning of it")
    write.add_argument("--model", metavar="M", help="e.g. lstm-1x10-seed0 (the first)")
    write.add_argument("--checkpoint", type=checkpoint, metavar="C", help=f"{AT} (the last)")
    write.add_argument("--prompt", default="", metavar="TEXT", help="what the model reads first (a newline)")
    write.add_argument("--length", type=whole(1), default=200, metavar="N", help="characters to write (200)")
    write.add_argument(
        "--temperature",
        type=amount("temperature"),
        default=0.8,
        metavar="T",
        help="0 is the same as --greedy (0.8)",
    )
    write.add_argument("--greedy", action="store_true", help="always the most probable character")
    write.add_argument(
        "--top-k", type=whole(1), default=0, metavar="K", help="draw from the K most probable characters (all)"
    )
    write.add_argument("--samples", type=whole(1), default=1, metavar="N", help="how many texts (1)")
    write.add_argument("--seed", type=whole(0), default=0, metavar="N", help="for what is drawn (0)")
    write.add_argument("--line", action="store_true", help="end each text at the end of its line")
    write.add_argument("--stored", action="store_true", help="show what each checkpoint wrote during the run")
    write.add_argument("--dump", action="store_true", help="store every gate and state while it writes, as a run")
    write.add_argument("--json", action="store_true", help="as JSON")


def _add_audit(commands: "argparse._SubParsersAction[Parser]", common: Parser) -> None:
    audit = commands.add_parser(
        "audit",
        parents=[common],
        formatter_class=argparse.RawDescriptionHelpFormatter,
        help="recheck stored rows against the cells' equations",
        description=AUDIT,
    )
    audit.add_argument("run", metavar="RUN", help="a run's id, or the beginning of it")
    audit.add_argument("--model", metavar="M", help="e.g. lstm-1x10-seed0 (all)")
    audit.add_argument("--checkpoint", type=checkpoint, metavar="C", help=f"{AT} (all that were dumped)")
    audit.add_argument("--json", action="store_true", help="as JSON")
