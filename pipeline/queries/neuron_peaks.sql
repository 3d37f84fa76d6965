-- question: Where does a neuron's signal peak, and what was being read there?
-- parameter run run: the run's id, or the start of it
-- parameter model model: the model's name
-- parameter layer layer: layer, counting from 0
-- parameter neuron neuron: neuron, counting from 0
-- parameter signal signal = : one of the eight signals; default: cell_state, or hidden_state for a cell without one
-- parameter checkpoint checkpoint = : number of updates; default: the last dumped
-- parameter limit count = 20: how many peaks
-- tables: activations, steps
with values_of as (
  select sequence, step, unnest([
    {'signal': '', 'value': coalesce(cell_state, hidden_state)}, {'signal': 'input_gate', 'value': input_gate}, {'signal': 'forget_gate', 'value': forget_gate},
    {'signal': 'output_gate', 'value': output_gate}, {'signal': 'reset_gate', 'value': reset_gate},
    {'signal': 'update_gate', 'value': update_gate}, {'signal': 'candidate', 'value': candidate},
    {'signal': 'cell_state', 'value': cell_state}, {'signal': 'hidden_state', 'value': hidden_state}
  ], recursive := true)
  from activations
  where run = $run
    and model = $model
    and layer = $layer
    and neuron = $neuron
    and checkpoint = coalesce($checkpoint, (select max(checkpoint) from activations where run = $run and model = $model))
), peaks as (
  select sequence, step, value
  from values_of
  where signal = coalesce($signal, '') and value is not null
  order by value desc, sequence, step
  limit $limit
)
select p.sequence, p.step, p.value, string_agg(s.char, '' order by s.step) as read_before
from peaks as p
join steps as s on s.sequence = p.sequence and s.step between p.step - 24 and p.step
where s.run = $run and s.split = 'probe'
group by p.sequence, p.step, p.value
order by p.value desc, p.sequence, p.step
