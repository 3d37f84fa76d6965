-- says: n = tanh(W x + b + r * (U h' + b)), from the checkpoint's weights
-- cells: gru
-- needs: reset_gate, candidate, hidden_state
-- The reset gate is the stored one, within u = $unit of its size; a product's error is r * dU + dr * U + dr * dU.
-- tanh only rises: the tolerance is found as in gates.sql.
with sums as (
  select
    *,
    given + reset_gate * recalled as sum,
    given_error + reset_gate * (1 + $unit) * recalled_error + reset_gate * ($unit + $float32) * abs(recalled)
      as error
  from products
  where signal = 'candidate'
)
select
  layer, neuron, sequence, step,
  abs(stored - tanh(sum)) as residual,
  greatest(tanh(sum + error) - tanh(sum), tanh(sum) - tanh(sum - error))
    + ($unit + $float32) * abs(stored) + $float32 as tolerance
from sums
