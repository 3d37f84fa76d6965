-- question: Which neurons' cell or hidden states differ most between the steps where a yes/no hypothesis says yes and those where it says no?
-- parameter run run: the run's id, or the start of it
-- parameter hypothesis hypothesis: a yes/no hypothesis
-- parameter checkpoint checkpoint = : number of updates; default: the last dumped
-- parameter limit count = 20: how many rows
-- tables: activations, annotations
with answers as (
  select sequence, step, case value
    when 1 then true when 0 then false
    else error(
      $hypothesis || if(category is null, ' answers with numbers', ' names a category')
      || ', and this question is about yes and no'
    ) end as yes
  from annotations
  where run = $run and hypothesis = $hypothesis and (value is not null or category is not null)
), moments as (
  select model, layer, neuron, yes, avg(state) as mean, var_samp(state) as variance, count(*) as steps
  from (
    select model, layer, neuron, sequence, step, coalesce(cell_state, hidden_state) as state
    from activations
    where run = $run
      and checkpoint = coalesce($checkpoint, (select max(checkpoint) from activations where run = $run))
  )
  join answers using (sequence, step)
  group by all
)
-- d': the distance of the two means in units of the common standard deviation. Threads add in any order: the ninth
-- digit is the same whichever they take.
select
  y.model,
  'L' || y.layer || '/N' || y.neuron as neuron,
  round(y.mean, 9) as mean_yes,
  round(n.mean, 9) as mean_no,
  round((y.mean - n.mean) / sqrt(nullif((y.variance + n.variance) / 2, 0)), 9) as d_prime,
  y.steps as steps_yes,
  n.steps as steps_no
from moments as y
join moments as n on (y.model, y.layer, y.neuron) = (n.model, n.layer, n.neuron) and y.yes and not n.yes
order by abs(d_prime) desc nulls last, y.model, y.layer, y.neuron
limit $limit
