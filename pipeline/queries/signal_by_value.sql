-- question: How does a neuron's state change with the value of a hypothesis?
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
  avg(state) as mean,
  quantile_cont(state, 0.05) as low,
  quantile_cont(state, 0.95) as high
from (
  select sequence, step, coalesce(cell_state, hidden_state) as state
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
