-- question: Which neurons follow a hypothesis best, and how far is that from chance?
-- parameter run run: the run's id, or the start of it
-- parameter hypothesis hypothesis: the name of the hypothesis
-- parameter signal signal = : one of the eight signals; default: all
-- parameter measure measure = : pearson, spearman, slope, r_squared, auc, eta_squared or mutual_information; default: auc of yes/no and of categories, pearson of numbers
-- parameter checkpoint checkpoint = : number of updates; default: each model's last
-- parameter limit count = 20: how many rows
-- tables: scores
with asked as (
  select *
  from scores
  where run = $run and hypothesis = $hypothesis and value is not null
), wanted as (
  -- An AUC of 0 separates as well as one of 1: it is the distance from chance that counts.
  select *, if(measure = 'auc', 0.5, 0) as middle, abs(value - middle) as distance
  from asked
  where measure = coalesce($measure, (select if(bool_or(measure = 'auc'), 'auc', 'pearson') from asked))
    and signal = coalesce($signal, signal)
), beside as (
  select
    *,
    middle + max(distance) filter (checkpoint = 0) over (partition by model, layer, signal, category) as untrained
  from wanted
  qualify checkpoint = coalesce($checkpoint, max(checkpoint) over (partition by model))
)
select
  model, checkpoint, layer, neuron, signal, measure, category,
  value, chosen, held_out, "null", null_value, p_value, q_value, untrained, n, texts
from beside
order by abs(coalesce(chosen, value) - middle) desc, model, layer, neuron, signal, category
limit $limit
