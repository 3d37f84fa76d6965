"""The eight signals, and which cell has which. A signal that a cell lacks is NULL in the table, never 0."""

SIGNALS = (
    "input_gate",  # i, (0, 1): how much of the candidate is saved
    "forget_gate",  # f, (0, 1): how much of the cell state is remembered
    "output_gate",  # o, (0, 1): how much of the cell state is shown
    "reset_gate",  # r, (0, 1): GRU, how much of the past enters the candidate
    "update_gate",  # z, (0, 1): GRU, how much of the past is kept
    "candidate",  # g or n, (-1, 1)
    "cell_state",  # c, unbounded: the long-term memory
    "hidden_state",  # h, (-1, 1), or [0, inf) for a relu: the working memory
)

GATES = ("input_gate", "forget_gate", "output_gate", "reset_gate", "update_gate")

_LSTM = ("input_gate", "forget_gate", "output_gate", "candidate", "cell_state", "hidden_state")
CELL_SIGNALS: dict[str, tuple[str, ...]] = {
    "feedforward": ("hidden_state",),
    "rnn": ("hidden_state",),
    "lstm": _LSTM,
    "gru": ("reset_gate", "update_gate", "candidate", "hidden_state"),
    "peephole_lstm": _LSTM,
}

# The signals that have rows of their own in a cell's weights, in the order in which these are stacked: torch's.
STACKED: dict[str, tuple[str, ...]] = {
    "feedforward": ("hidden_state",),
    "rnn": ("hidden_state",),
    "lstm": ("input_gate", "forget_gate", "candidate", "output_gate"),
    "gru": ("reset_gate", "update_gate", "candidate"),
    "peephole_lstm": ("input_gate", "forget_gate", "candidate", "output_gate"),
}

# What a step hands to the next one, in torch's order.
STATE: dict[str, tuple[str, ...]] = {
    "feedforward": (),
    "rnn": ("hidden_state",),
    "lstm": ("hidden_state", "cell_state"),
    "gru": ("hidden_state",),
    "peephole_lstm": ("hidden_state", "cell_state"),
}

# The gate whose bias decides how much of the state a cell keeps before it has learnt anything.
KEEPING_GATE: dict[str, str] = {"lstm": "forget_gate", "gru": "update_gate", "peephole_lstm": "forget_gate"}
