-- says: h = o * tanh(c)
-- cells: lstm, peephole_lstm
-- needs: output_gate, cell_state, hidden_state
-- tanh bends towards 0, so an error of u in c is at most one of u in tanh(c); else as in cell_state.
select
  layer, neuron, sequence, step,
  abs(output_gate * tanh(cell_state::double) - hidden_state) as residual,
  ($unit * (2 + $unit) + $float32) * abs(output_gate * tanh(cell_state::double))
    + ($unit + $float32) * abs(hidden_state) + $least as tolerance
from activations
where run = $run and model = $model and checkpoint = $checkpoint
