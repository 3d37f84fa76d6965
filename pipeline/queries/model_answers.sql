-- question: Does each model do its task, and up to which size?
-- parameter run run: the run's id, or the start of it
-- tables: metrics, extrapolation, models, predictions
with last_row as (
  select model, arg_max(accuracy, train_step) as accuracy, arg_max(bits_per_char, train_step) as bits_per_char
  from metrics
  where run = $run and split = 'valid'
  group by model
), sizes as (
  select
    model,
    coalesce(min(size) filter (correct < total) - 1, max(size)) as right_up_to,
    max(size) as largest_asked
  from extrapolation
  where run = $run
  group by model
), probe as (  -- what was not trained here has no metrics: its bits are those of the probe split
  select model, arg_max(bits, checkpoint) as bits
  from (
    select model, checkpoint, avg(loss) / ln(2) as bits
    from predictions
    where run = $run and model not in (select model from last_row)
    group by model, checkpoint
  )
  group by model
)
select model, parameters, coalesce(bits_per_char, bits) as bits_per_char, accuracy, right_up_to, largest_asked
from models
left join last_row using (model)
left join probe using (model)
left join sizes using (model)
where run = $run
order by model
