-- says: i, f, o, r, z = sigmoid(W x + U h' + b), from the checkpoint's weights; a peephole adds p * c
-- cells: lstm, gru, peephole_lstm
-- needs: hidden_state
-- needs of peephole_lstm: cell_state
-- A sigmoid only rises, so an error e of its sum moves it at most as far as sigmoid(sum ± e) lies; and the stored
-- gate is within u = $unit of its own size. See products.sql for the sum and its error.
with sums as (
  select *, given + recalled + seen as sum, given_error + recalled_error + seen_error as error
  from products
  where signal <> 'candidate'
)
select
  layer, neuron, sequence, step, signal,
  abs(stored - sigmoid(sum)) as residual,
  greatest(sigmoid(sum + error) - sigmoid(sum), sigmoid(sum) - sigmoid(sum - error))
    + ($unit + $float32) * stored + $float32 as tolerance
from sums
