-- question: Which neuron follows each hypothesis best?
-- parameter run run: the run's id, or the start of it
-- parameter signal signal = : one of the eight signals; default: all
-- parameter checkpoint checkpoint = : number of updates; default: each model's last
-- tables: scores
with measured as (
  select
    model, checkpoint, hypothesis, layer, neuron, signal, any_value(n) as n,
    any_value(value) filter (measure = 'pearson') as pearson,
    any_value(value) filter (measure = 'spearman') as spearman,
    any_value(value) filter (measure = 'auc') as auc
  from scores
  where run = $run and signal = coalesce($signal, signal)
  group by model, checkpoint, hypothesis, layer, neuron, signal
  qualify checkpoint = coalesce($checkpoint, max(checkpoint) over (partition by model))
)
select
  hypothesis, model, 'L' || layer || '/N' || neuron as neuron, signal,
  pearson, spearman, auc, n
from measured
where pearson is not null
qualify row_number() over (partition by hypothesis order by abs(pearson) desc, model, layer, neuron, signal) = 1
order by abs(pearson) desc, hypothesis
