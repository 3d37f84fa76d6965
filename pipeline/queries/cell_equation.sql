-- question: Do the stored rows obey the cell's own equations?
-- parameter run text: the run's id
-- parameter tolerance number = 0.00001: largest difference that rounding explains; 0.01 suits half, 0.1 bfloat16
-- tables: activations, models
-- lstm, peephole_lstm: c = f * c' + i * g and h = o * tanh(c); gru: h = (1 - z) * n + z * h'. Both primes are 0 at
-- step 0. The signals of rnn and feedforward are one, so nothing is left to check but that it is there.
with before as (
  select
    *,
    lag(cell_state, 1, 0) over sequence_of as last_cell,
    lag(hidden_state, 1, 0) over sequence_of as last_hidden
  from activations
  where run = $run
  window sequence_of as (partition by model, checkpoint, layer, neuron, sequence order by step)
), residuals as (
  select
    model, checkpoint, layer, unnest([
      {'equation': 'c = f * c'' + i * g',
       'residual': abs(forget_gate * last_cell + input_gate * candidate - cell_state)},
      {'equation': 'h = o * tanh(c)',
       'residual': abs(output_gate * tanh(cell_state) - hidden_state)},
      {'equation': 'h = (1 - z) * n + z * h''',
       'residual': abs((1 - update_gate) * candidate + update_gate * last_hidden - hidden_state)}
    ], recursive := true)
  from before
)
select
  model, checkpoint, layer, equation,
  count(residual) as rows_checked,
  count(*) filter (residual > $tolerance or isnan(residual)) as violations,
  max(residual) as largest,
  median(residual) as median
from residuals
group by all
having count(residual) > 0
order by all
