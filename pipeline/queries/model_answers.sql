-- question: Does each model do its task, and up to which size?
-- parameter run text: the run's id
-- tables: metrics, extrapolation, models
with last_row as (
  select model, arg_max(accuracy, train_step) as accuracy, arg_max(bits_per_char, train_step) as bits_per_char
  from metrics
  where run = $run and split = 'valid'
  group by model
), sizes as (
  select model, min(size) filter (correct < total) as first_failure, max(size) as largest_asked
  from extrapolation
  where run = $run
  group by model
)
select model, parameters, bits_per_char, accuracy, first_failure, largest_asked
from models
join last_row using (model)
left join sizes using (model)
where run = $run
order by model
