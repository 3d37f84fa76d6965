"""The words of `unrolled match`. Nothing that takes a second is imported here, so that --help answers at once."""

import argparse

from jobs.commands.words import AT, Parser, checkpoint, whole

MATCH = """\
Pair the neurons of two networks by what they did over the same texts: one to one, so that all |r| of a signal
together are greatest (an optimal assignment on Pearson's r). The sign is free. A pair is shared if |r| is at least
0.7 and above `chance`: the neuron's best |r| in 99 pairings with the texts of the other side permuted, whole. So
what follows only the position in a text is not shared. A text counts once, however often it was dumped.

  unrolled match counting                      all seeds against each other: how many neurons are shared
  unrolled match counting lstm-1x10-seed0      how stable each of its neurons is: which the other seeds have too
  unrolled match counting lstm-1x10-seed0 lstm-1x10-seed1      pair by pair
  unrolled match counting lstm-1x10-seed0 --other-checkpoint 0 with itself, untrained
  unrolled match counting lstm-1x10-seed0 --other-run mine     with the model of that name of another run
"""


def add_match(commands: "argparse._SubParsersAction[Parser]", common: Parser) -> None:
    """The command, its words and what they mean."""
    parser = commands.add_parser(
        "match",
        parents=[common],
        formatter_class=argparse.RawDescriptionHelpFormatter,
        help="which neurons of two networks do the same",
        description=MATCH,
    )
    parser.add_argument("run", metavar="RUN", help="a run's id, or the beginning of it")
    parser.add_argument("model", nargs="?", metavar="MODEL", help="e.g. lstm-1x10-seed0 (all seeds)")
    parser.add_argument(
        "other_model", nargs="?", metavar="OTHER_MODEL", help="of any shape (all other seeds of MODEL)"
    )
    parser.add_argument("--other-run", metavar="RUN", help="that OTHER_MODEL is of (the same); it may be left out")
    parser.add_argument("--checkpoint", type=checkpoint, metavar="C", help=f"{AT} (each model's last)")
    parser.add_argument(
        "--other-checkpoint",
        type=checkpoint,
        metavar="C",
        help="of OTHER_MODEL, or of MODEL itself (as --checkpoint)",
    )
    parser.add_argument(
        "--signal", metavar="S", help="one of the eight signals (cell_state, or hidden_state for a side without)"
    )
    parser.add_argument(
        "--layer", type=whole(0), metavar="L", help="layer, from 0 (each with the same of the other)"
    )
    parser.add_argument("--limit", type=whole(1), default=20, metavar="N", help="how many rows on screen (20)")
    parser.add_argument("--json", action="store_true", help="as JSON, all rows")
