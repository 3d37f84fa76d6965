-- question: How open are a neuron's gates, and what is its candidate, on average, at each value of a hypothesis?
-- parameter run run: the run's id, or the start of it
-- parameter model model: the model's name
-- parameter layer layer: layer, counting from 0
-- parameter neuron neuron: neuron, counting from 0
-- parameter hypothesis hypothesis: the name of the hypothesis
-- parameter checkpoint checkpoint = : number of updates; default: the last dumped
-- tables: activations, annotations
select
  h.value as hypothesis_value,  -- NULL where it names a category
  h.category,
  count(*) as steps,
  round(avg(input_gate), 9) as input_gate,
  round(avg(forget_gate), 9) as forget_gate,
  round(avg(output_gate), 9) as output_gate,
  round(avg(reset_gate), 9) as reset_gate,
  round(avg(update_gate), 9) as update_gate,
  round(avg(candidate), 9) as candidate
from (
  select sequence, step, input_gate, forget_gate, output_gate, reset_gate, update_gate, candidate
  from activations
  where run = $run
    and model = $model
    and layer = $layer
    and neuron = $neuron
    and checkpoint = coalesce($checkpoint, (select max(checkpoint) from activations where run = $run and model = $model))
)
join annotations as h using (sequence, step)
where h.run = $run and h.hypothesis = $hypothesis and (h.value is not null or h.category is not null)
group by h.value, h.category
order by h.value, h.category
