-- question: Which neurons follow a hypothesis best?
-- parameter run text: the run's id
-- parameter hypothesis text: the name of the hypothesis
-- parameter signal text = : one of the eight signals; default: all
-- parameter measure text = pearson: pearson, spearman or auc
-- parameter checkpoint integer = : number of updates; default: each model's last
-- parameter limit integer = 20: how many rows
-- tables: scores
select model, checkpoint, 'L' || layer || '/N' || neuron as neuron, signal, measure, round(value, 4) as value, n
from scores
where run = $run
  and hypothesis = $hypothesis
  and measure = $measure
  and signal = coalesce($signal, signal)
  and value is not null
qualify checkpoint = coalesce($checkpoint, max(checkpoint) over (partition by model))
-- An AUC of 0 separates as well as one of 1: it is the distance from chance that counts.
order by abs(value - if(measure = 'auc', 0.5, 0)) desc, model, neuron, signal
limit $limit
