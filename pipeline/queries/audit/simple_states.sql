-- says: h = tanh(W x + U h' + b), or relu, from the checkpoint's weights; feedforward has no U
-- cells: feedforward, rnn
-- needs: hidden_state
-- Both only rise: the tolerance is found as in gates.sql.
with sums as (
  select *, given + recalled as sum, given_error + recalled_error as error
  from products
  where signal = 'hidden_state'
), values as (
  select
    *,
    if($nonlinearity = 'relu', greatest(sum, 0), tanh(sum)) as value,
    if($nonlinearity = 'relu', greatest(sum - error, 0), tanh(sum - error)) as lowest,
    if($nonlinearity = 'relu', greatest(sum + error, 0), tanh(sum + error)) as highest
  from sums
)
select
  layer, neuron, sequence, step,
  abs(stored - value) as residual,
  greatest(highest - value, value - lowest) + ($unit + $float32) * abs(stored) + $float32 as tolerance
from values
