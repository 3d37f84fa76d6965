-- What each stored gate was made from, at the sampled steps: the sums W x + b, U h' + b and p * c of `weights`.
-- x is the hidden state of the layer below; in layer 0 the character, so that W x is one column of W, or what an
-- imported network gives to it at the token.
-- An error of u = $unit in each x and h' moves a sum by at most u * |W| |x|; the network's own float32 sums add
-- $float32 of all that was added. What is missing below or before makes a sum NULL, which no stored value equals.
with places as (
  select layer, sequence, step, token from sampled_steps, (select unnest($followed::bigint[]) as layer)
), read as (
  select
    places.*,
    coalesce(below.hidden, inputs.given) as below, coalesce(below.sizes, inputs.sizes) as below_sizes,
    before.hidden as before, before.sizes as before_sizes
  from places
  left join states as below
    on below.layer = places.layer - 1 and below.sequence = places.sequence and below.step = places.step
  left join inputs on places.layer = 0 and inputs.token = places.token
  left join states as before
    on before.layer = places.layer and before.sequence = places.sequence and before.step = places.step - 1
), sums as (
  select
    layer, neuron, sequence, step, signal, bias_given, bias_recalled, peephole,
    layer = 0 and $reads_characters as is_column,
    if(is_column, of_input[token + 1], list_dot_product(of_input, below)) as input,
    if(is_column, abs(of_input[token + 1]), list_dot_product(sizes_of_input, below_sizes)) as input_size,
    if(step = 0, 0, list_dot_product(of_hidden, before)) as hidden,
    if(step = 0, 0, list_dot_product(sizes_of_hidden, before_sizes)) as hidden_size
  from read join weights using (layer)
), values as (
  select
    sums.*, rows.reset_gate,
    case signal
      when 'input_gate' then rows.input_gate when 'forget_gate' then rows.forget_gate
      when 'output_gate' then rows.output_gate when 'reset_gate' then rows.reset_gate
      when 'update_gate' then rows.update_gate when 'candidate' then rows.candidate
      else rows.hidden_state
    end as stored,
    case
      when peephole = 0 then 0
      when signal = 'output_gate' then peephole * rows.cell_state  -- of this step
      when sums.step = 0 then 0
      else peephole * last.cell_state
    end as seen
  from sums
  join near as rows using (layer, neuron, sequence, step)
  left join near as last
    on last.layer = sums.layer and last.neuron = sums.neuron and last.sequence = sums.sequence
    and last.step = sums.step - 1
)
select
  layer, neuron, sequence, step, signal, stored, reset_gate,
  input + bias_given as given,
  if(layer = 0, 0, $unit * input_size) + $float32 * (input_size + abs(bias_given)) as given_error,
  hidden + bias_recalled as recalled,
  $unit * hidden_size + $float32 * (hidden_size + abs(bias_recalled)) as recalled_error,
  seen,
  ($unit + $float32) * abs(seen) as seen_error
from values
where stored is not null
