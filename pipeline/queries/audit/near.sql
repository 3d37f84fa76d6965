-- The stored rows of the sampled steps, and of the step before each.
select
  layer, neuron, sequence, step, token, input_gate::double as input_gate, forget_gate::double as forget_gate,
  output_gate::double as output_gate, reset_gate::double as reset_gate, update_gate::double as update_gate,
  candidate::double as candidate, cell_state::double as cell_state, hidden_state::double as hidden_state
from activations
where run = $run and model = $model and checkpoint = $checkpoint
  and (sequence, step) in (
    select (sequence, step) from sampled_steps union select (sequence, step - 1) from sampled_steps
  )
