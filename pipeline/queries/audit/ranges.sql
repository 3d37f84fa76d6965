-- says: gates are in [0, 1], g and n in [-1, 1], h in [-1, 1] or [0, inf) for a relu; all are finite
-- The residual is how far the row's farthest value lies outside its range. 1 and -1 are numbers of every precision,
-- so rounding never leaves a range. A NaN counts as larger than any number; greatest() passes over what is NULL.
with reach as (
  select
    *,
    greatest(input_gate, forget_gate, output_gate, reset_gate, update_gate) as highest_gate,
    least(input_gate, forget_gate, output_gate, reset_gate, update_gate) as lowest_gate,
    if($nonlinearity = 'relu', 'inf'::double, 1) as hidden_reach,
    if($nonlinearity = 'relu', 0, -1) as hidden_floor
  from activations
  where run = $run and model = $model and checkpoint = $checkpoint
)
select
  layer, neuron, sequence, step,
  greatest(
    0, highest_gate - 1, -lowest_gate, abs(candidate) - 1,
    if(isfinite(hidden_state) or hidden_state is null, hidden_state - hidden_reach, 'inf'::double),
    hidden_floor - hidden_state,
    if(isfinite(cell_state) or cell_state is null, 0, 'inf'::double)
  )::double as residual,
  0 as tolerance
from reach
