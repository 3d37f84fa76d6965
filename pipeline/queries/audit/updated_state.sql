-- says: h = (1 - z) * n + z * h', and h' = 0 before step 0
-- cells: gru
-- needs: update_gate, candidate, hidden_state
-- dh = z * (h' - n) * dz / z + (1 - z) * dn + z * dh', each within u = $unit of its own size; what two errors do
-- together is at most u * u * z * (|n| + |h'|). The network's own float32 arithmetic adds $float32 of each term.
with rows as (
  select *, lag(hidden_state, 1, 0) over (partition by layer, neuron, sequence order by step) as last_hidden
  from (
    select
      layer, neuron, sequence, step, update_gate::double as update_gate, candidate::double as candidate,
      hidden_state::double as hidden_state
    from activations
    where run = $run and model = $model and checkpoint = $checkpoint
  )
)
select
  layer, neuron, sequence, step,
  abs((1 - update_gate) * candidate + update_gate * last_hidden - hidden_state) as residual,
  $unit * (update_gate * abs(last_hidden - candidate) + (1 - update_gate) * abs(candidate)
           + update_gate * abs(last_hidden) + abs(hidden_state))
    + ($unit * $unit + $float32) * (abs(candidate) + update_gate * abs(last_hidden) + abs(hidden_state))
    + $least as tolerance
from rows
