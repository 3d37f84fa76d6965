-- question: How much of a neuron's cell state is kept, and how much is written, on average, at each character?
-- parameter run run: the run's id, or the start of it
-- parameter model model: the model's name
-- parameter layer layer: layer, counting from 0
-- parameter neuron neuron: neuron, counting from 0
-- parameter checkpoint checkpoint = : number of updates; default: the last dumped
-- tables: activations, steps
with chars as (
  select distinct token, char from steps where run = $run and split = 'probe'
), states as (
  select token, input_gate, forget_gate, candidate, cell_state, lag(cell_state, 1, 0) over w as before
  from activations
  where run = $run
    and model = $model
    and layer = $layer
    and neuron = $neuron
    and checkpoint = coalesce($checkpoint, (select max(checkpoint) from activations where run = $run and model = $model))
  window w as (partition by sequence order by step)
)
-- c = f * c' + i * g, so that before + change = kept + written. A GRU and a cell without gates have no rows.
select
  char,
  count(*) as steps,
  round(avg(before), 9) as before,
  round(avg(forget_gate * before), 9) as kept,
  round(avg(input_gate * candidate), 9) as written,
  round(avg(cell_state::double - before), 9) as change
from states
join chars using (token)
where cell_state is not null
group by char
order by steps desc, char
