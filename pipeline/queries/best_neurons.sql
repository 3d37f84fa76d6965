-- question: Which neuron follows each hypothesis best?
-- parameter run run: the run's id, or the start of it
-- parameter signal signal = : one of the eight signals; default: all
-- parameter checkpoint checkpoint = : number of updates; default: each model's last
-- tables: scores
with measured as (
  select *
  from scores
  where run = $run and value is not null and measure in ('pearson', 'auc')
  qualify checkpoint = coalesce($checkpoint, max(checkpoint) over (partition by model))
), usual as (  -- the measure of the hypothesis' kind: the auc of yes/no and of categories, else Pearson's r
  select *, if(measure = 'auc', 2, 1) * abs(coalesce(chosen, value) - if(measure = 'auc', 0.5, 0)) as strength
  from measured
  where signal = coalesce($signal, signal)
  qualify measure = if(bool_or(measure = 'auc') over (partition by hypothesis), 'auc', 'pearson')
)
select
  hypothesis, category, model, 'L' || layer || '/N' || neuron as neuron, signal,
  measure, value, held_out, null_value, q_value, n
from usual
qualify row_number() over (
  partition by hypothesis order by strength desc, model, layer, neuron, signal, category
) = 1
order by strength desc, hypothesis
