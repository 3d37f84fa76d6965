-- question: How much does a neuron's state change at each character, and how evenly?
-- parameter run run: the run's id, or the start of it
-- parameter model model: the model's name
-- parameter layer layer: layer, counting from 0
-- parameter neuron neuron: neuron, counting from 0
-- parameter checkpoint checkpoint = : number of updates; default: the last dumped
-- tables: activations, steps
with chars as (
  select distinct token, char from steps where run = $run and split = 'probe'
), changes as (
  select token, state - lag(state, 1, 0) over (partition by sequence order by step) as change
  from (
    select token, sequence, step, coalesce(cell_state, hidden_state)::double as state
    from activations
    where run = $run
      and model = $model
      and layer = $layer
      and neuron = $neuron
      and checkpoint = coalesce($checkpoint, (select max(checkpoint) from activations where run = $run and model = $model))
  )
)
select
  char,
  count(*) as steps,
  round(avg(change), 9) as slope,
  round(stddev_samp(change), 9) as spread,  -- standard deviation; a perfect counter of the character has 0
  min(change) as least,
  max(change) as greatest
from changes
join chars using (token)
group by char
order by steps desc, char
