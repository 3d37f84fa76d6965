-- question: Which words does a model accept: is every determined character at least so probable?
-- parameter run run: the run's id, or the start of it
-- parameter model model: the model's name
-- parameter least number = 0.5: the least probability that each determined character needs
-- parameter checkpoint checkpoint = : number of updates; default: the last dumped
-- tables: predictions, steps
with words as (
  select
    sequence,
    string_agg(char, '' order by step) as word,
    count(*) filter (determined) as determined,
    min(probability) filter (determined) as least_probability,
    arg_min(step, probability) filter (determined) as weakest_step  -- the target of this step is the least probable
  from predictions
  join steps using (run, sequence, step)
  where run = $run
    and model = $model
    and checkpoint = coalesce($checkpoint, (select max(checkpoint) from predictions where run = $run and model = $model))
    and split = 'probe'
  group by sequence
)
select
  word, count(*) as sequences, min(sequence) as first_sequence,
  any_value(determined) as determined,
  min(least_probability) as least_probability,
  min(weakest_step) as weakest_step,
  min(least_probability) >= $least as accepted  -- NULL where nothing is determined
from words
group by word
order by accepted, least_probability, word
