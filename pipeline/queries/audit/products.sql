-- What each stored gate was made from, at the sampled steps: the sums W x + b, U h' + b and p * c of `weights`.
-- x is the character in layer 0, so that W x is one column of W, and else the hidden state of the layer below.
-- An error of u = $unit in each x and h' moves a sum by at most u * |W| |x|; the network's own float32 sums add
-- $float32 of all that was added. What is missing below or before makes a sum NULL, which no stored value equals.
with rows as (
  select near.* from near semi join sampled_steps using (sequence, step)
), sums as (
  select
    rows.layer, rows.neuron, rows.sequence, rows.step, rows.reset_gate, weights.signal,
    bias_given, bias_recalled,
    case weights.signal
      when 'input_gate' then rows.input_gate when 'forget_gate' then rows.forget_gate
      when 'output_gate' then rows.output_gate when 'reset_gate' then rows.reset_gate
      when 'update_gate' then rows.update_gate when 'candidate' then rows.candidate
      else rows.hidden_state
    end as stored,
    if(rows.layer = 0, of_input[rows.token + 1], list_dot_product(of_input, below.hidden)) as input,
    if(rows.layer = 0, abs(input), list_dot_product(sizes_of_input, below.sizes)) as input_size,
    if(rows.step = 0, 0, list_dot_product(of_hidden, before.hidden)) as hidden,
    if(rows.step = 0, 0, list_dot_product(sizes_of_hidden, before.sizes)) as hidden_size,
    case
      when peephole = 0 then 0
      when weights.signal = 'output_gate' then peephole * rows.cell_state
      when rows.step = 0 then 0
      else peephole * last.cell_state
    end as seen
  from rows
  join weights using (layer, neuron)
  left join states as below
    on below.layer = rows.layer - 1 and below.sequence = rows.sequence and below.step = rows.step
  left join states as before
    on before.layer = rows.layer and before.sequence = rows.sequence and before.step = rows.step - 1
  left join near as last
    on last.layer = rows.layer and last.neuron = rows.neuron and last.sequence = rows.sequence
    and last.step = rows.step - 1
)
select
  layer, neuron, sequence, step, signal, stored, reset_gate,
  input + bias_given as given,
  if(layer = 0, 0, $unit * input_size) + $float32 * (input_size + abs(bias_given)) as given_error,
  hidden + bias_recalled as recalled,
  $unit * hidden_size + $float32 * (hidden_size + abs(bias_recalled)) as recalled_error,
  seen,
  ($unit + $float32) * abs(seen) as seen_error
from sums
where stored is not null
