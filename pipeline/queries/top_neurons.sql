-- question: Which neurons follow a hypothesis best?
-- parameter run run: the run's id, or the start of it
-- parameter hypothesis hypothesis: the name of the hypothesis
-- parameter signal signal = : one of the eight signals; default: all
-- parameter measure measure = pearson: pearson, spearman or auc
-- parameter checkpoint checkpoint = : number of updates; default: each model's last
-- parameter limit count = 20: how many rows
-- tables: scores
select model, checkpoint, 'L' || layer || '/N' || neuron as neuron, signal, measure, value, n
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
