-- question: How open are a neuron's gates, and what is its candidate, on average, at each character?
-- parameter run run: the run's id, or the start of it
-- parameter model model: the model's name
-- parameter layer layer: layer, counting from 0
-- parameter neuron neuron: neuron, counting from 0
-- parameter checkpoint checkpoint = : number of updates; default: the last dumped
-- tables: activations, steps
with chars as (
  select distinct token, char from steps where run = $run and split = 'probe'
)
-- Threads add in any order: the ninth digit of a mean of FLOATs is the same whichever they take.
select
  char,
  count(*) as steps,
  round(avg(input_gate), 9) as input_gate,
  round(avg(forget_gate), 9) as forget_gate,
  round(avg(output_gate), 9) as output_gate,
  round(avg(reset_gate), 9) as reset_gate,
  round(avg(update_gate), 9) as update_gate,
  round(avg(candidate), 9) as candidate
from activations
join chars using (token)
where run = $run
  and model = $model
  and layer = $layer
  and neuron = $neuron
  and checkpoint = coalesce($checkpoint, (select max(checkpoint) from activations where run = $run and model = $model))
group by char
order by steps desc, char
