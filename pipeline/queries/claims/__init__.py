"""The claims of the article "Exploring LSTMs" (2017), and what they lead to: a .sql file each."""

# In the order in which they are told.
CLAIMS = (
    "counts",
    "counts_linearly",
    "fires_at_separator",
    "count_at_separator",
    "ignores_x",
    "input_gate_closes_on_x",
    "input_gate_lower_on_x",
    "balance_on_x",
    "tells_a_from_b",
    "a_and_b_neurons",
    "forget_gate_holds",
    "input_gate_ignores_fillers",
    "forget_gate_drops",
    "hidden_until_needed",
    "next_character",
    "a_neuron_a_slot",
)
