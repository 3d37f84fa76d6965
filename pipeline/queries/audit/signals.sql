-- says: a signal that was dumped has a value in every row, any other is NULL
-- The residual counts the signals of a row that are there and should not be, or the other way round.
select
  layer, neuron, sequence, step,
  abs((input_gate is not null)::int - list_contains($signals, 'input_gate')::int)
    + abs((forget_gate is not null)::int - list_contains($signals, 'forget_gate')::int)
    + abs((output_gate is not null)::int - list_contains($signals, 'output_gate')::int)
    + abs((reset_gate is not null)::int - list_contains($signals, 'reset_gate')::int)
    + abs((update_gate is not null)::int - list_contains($signals, 'update_gate')::int)
    + abs((candidate is not null)::int - list_contains($signals, 'candidate')::int)
    + abs((cell_state is not null)::int - list_contains($signals, 'cell_state')::int)
    + abs((hidden_state is not null)::int - list_contains($signals, 'hidden_state')::int) as residual,
  0 as tolerance
from activations
where run = $run and model = $model and checkpoint = $checkpoint
