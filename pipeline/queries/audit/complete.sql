-- says: each neuron has one row for every probe step, with the step's token
-- rows: sum($neurons)
-- Rows are counted by layer and step; the sum of the neurons' hashes tells whether they are 0, 1, … each once.
with stored as (
  select
    layer, sequence, step, count(*) as rows, sum(hash(neuron)) as neurons,
    min(token) as least, max(token) as most
  from activations
  where run = $run and model = $model and checkpoint = $checkpoint
  group by all
), wanted as (
  select layer, sequence, step, token
  from steps, (select unnest($layers::bigint[]) as layer)
  where run = $run and split = 'probe'
), neurons as (
  select sum(hash(neuron::integer)) as all_once from range($neurons) as neurons(neuron)
)
select
  layer, null as neuron, sequence, step,
  case
    when wanted.token is null then rows  -- a step that no probe sequence has
    when rows is null then $neurons
    when rows <> $neurons then abs(rows - $neurons)
    when stored.neurons <> all_once or least <> wanted.token or most <> wanted.token then 1
    else 0
  end as residual,
  0 as tolerance
from wanted full join stored using (layer, sequence, step), neurons
