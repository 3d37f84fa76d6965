-- says: c = f * c' + i * g, and c' = 0 before step 0
-- cells: lstm, peephole_lstm
-- needs: input_gate, forget_gate, candidate, cell_state
-- A stored value lies within u of its own size of what the network held, u being $unit. A product of two then lies
-- within 2 u + u * u of its size, and c itself within u. The network's own float32 arithmetic adds $float32 of each.
with rows as (
  select
    layer, neuron, sequence, step, cell_state,
    forget_gate * lag(cell_state, 1, 0) over sequence_of as kept,
    input_gate * candidate as saved
  from (
    select
      layer, neuron, sequence, step, input_gate::double as input_gate, forget_gate::double as forget_gate,
      candidate::double as candidate, cell_state::double as cell_state
    from activations
    where run = $run and model = $model and checkpoint = $checkpoint
  )
  window sequence_of as (partition by layer, neuron, sequence order by step)
)
select
  layer, neuron, sequence, step,
  abs(kept + saved - cell_state) as residual,
  ($unit * (2 + $unit) + $float32) * (abs(kept) + abs(saved)) + ($unit + $float32) * abs(cell_state)
    + $least as tolerance
from rows
