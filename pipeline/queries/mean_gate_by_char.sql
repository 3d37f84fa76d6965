-- question: How open are a neuron's gates, on average, at each character?
-- parameter run run: the run's id, or the start of it
-- parameter model model: the model's name
-- parameter layer layer: layer, counting from 0
-- parameter neuron neuron: neuron, counting from 0
-- parameter checkpoint checkpoint = : number of updates; default: the last dumped
-- tables: activations, steps
with chars as (
  select distinct token, char from steps where run = $run and split = 'probe'
)
select
  char,
  count(*) as steps,
  avg(input_gate) as input_gate,
  avg(forget_gate) as forget_gate,
  avg(output_gate) as output_gate,
  avg(reset_gate) as reset_gate,
  avg(update_gate) as update_gate
from activations
join chars using (token)
where run = $run
  and model = $model
  and layer = $layer
  and neuron = $neuron
  and checkpoint = coalesce($checkpoint, (select max(checkpoint) from activations where run = $run and model = $model))
group by char
order by steps desc, char
