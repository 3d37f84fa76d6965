-- question: Which different texts did a model read where it was dumped, and how many sequences hold each?
-- parameter run run: the run's id, or the start of it
-- parameter model model: the model's name
-- parameter checkpoint checkpoint = : number of updates; default: the last dumped
-- parameter length count = 2048: steps of a text; those that begin alike for so long are one
-- parameter limit count = 256: how many texts
-- tables: activations, steps
with here as (
  select coalesce($checkpoint, max(checkpoint)) as checkpoint from activations where run = $run and model = $model
), dumped as (
  select distinct sequence
  from activations
  where run = $run and model = $model and checkpoint = (select checkpoint from here) and layer = 0 and neuron = 0
), texts as (
  select sequence, list(char order by step) as chars, list(determined order by step) as determined
  from steps
  where run = $run and split = 'probe' and step < $length and sequence in (select sequence from dumped)
  group by sequence
)
select
  (select checkpoint from here) as checkpoint,
  min(sequence) as sequence,
  array_to_string(chars, '') as text,
  chars,
  arg_min(determined, sequence) as determined,
  count(*) as sequences
from texts
group by chars
order by sequence
limit $limit
