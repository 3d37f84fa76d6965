-- says: g = tanh(W x + U h' + b), from the checkpoint's weights
-- cells: lstm, peephole_lstm
-- needs: candidate, hidden_state
-- tanh only rises: the tolerance is found as in gates.sql.
with sums as (
  select *, given + recalled as sum, given_error + recalled_error as error
  from products
  where signal = 'candidate'
)
select
  layer, neuron, sequence, step,
  abs(stored - tanh(sum)) as residual,
  greatest(tanh(sum + error) - tanh(sum), tanh(sum) - tanh(sum - error))
    + ($unit + $float32) * abs(stored) + $float32 as tolerance
from sums
