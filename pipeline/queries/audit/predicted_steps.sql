-- says: each probe step has one row of predictions; only a sequence's last has no loss and probability
with stored as (
  select sequence, step, count(*) as rows, count(loss) as losses, count(probability) as probabilities
  from predictions
  where run = $run and model = $model and checkpoint = $checkpoint
  group by all
), wanted as (
  select sequence, step, (target is not null)::int as targets
  from steps
  where run = $run and split = 'probe'
)
select
  null as layer, null as neuron, sequence, step,
  case
    when targets is null then rows
    when rows is null then 1
    else abs(rows - 1) + abs(losses - targets) + abs(probabilities - targets)
  end as residual,
  0 as tolerance
from wanted full join stored using (sequence, step)
