-- question: What is the text of some sequences, step by step, with a neuron's signal at each step?
-- parameter run run: the run's id, or the start of it
-- parameter model model: the model's name
-- parameter layer layer: layer, counting from 0
-- parameter neuron neuron: neuron, counting from 0
-- parameter signal signal = : one of the eight signals; default: cell_state, or hidden_state for a cell without one
-- parameter checkpoint checkpoint = : number of updates; default: the last dumped
-- parameter sequence sequence = : where to begin; default: the first sequence dumped
-- parameter limit count = 8: how many different texts
-- tables: activations, steps
with texts as (
  select sequence, string_agg(char, '' order by step) as text, list(char order by step) as chars
  from steps
  where run = $run and split = 'probe' and sequence >= coalesce($sequence, 0)
  group by sequence
), wanted as (
  select min(sequence) as sequence, text, arg_min(chars, sequence) as chars
  from texts
  group by text
  order by sequence
  limit $limit
)
select sequence, any_value(text) as text, any_value(chars) as chars, list(value order by step) as values
from (
  select sequence, step, case coalesce($signal, '')
    when '' then coalesce(cell_state, hidden_state)
    when 'input_gate' then input_gate when 'forget_gate' then forget_gate when 'output_gate' then output_gate
    when 'reset_gate' then reset_gate when 'update_gate' then update_gate when 'candidate' then candidate
    when 'cell_state' then cell_state when 'hidden_state' then hidden_state
    else error('unknown signal ' || $signal) end as value
  from activations
  where run = $run
    and model = $model
    and layer = $layer
    and neuron = $neuron
    and checkpoint = coalesce($checkpoint, (select max(checkpoint) from activations where run = $run and model = $model))
    and sequence in (select sequence from wanted)
)
join wanted using (sequence)
group by sequence
order by sequence
