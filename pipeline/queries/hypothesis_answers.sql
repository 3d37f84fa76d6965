-- question: What does each hypothesis give over the probe split, and what is there to know of it?
-- parameter run run: the run's id, or the start of it
-- parameter hypothesis hypothesis = : the name of one; default: all
-- tables: annotations, steps, definitions
with given as (
  select hypothesis, value, category, char, target, count(*) as steps
  from annotations
  join steps using (run, sequence, step)
  where run = $run and split = 'probe' and hypothesis = coalesce($hypothesis, hypothesis)
  group by all
), by_char as (  -- how many different answers there are with one present character at most, and with one next
  select hypothesis, max(answers) filter (target is null) as here, max(answers) filter (char is null) as ahead
  from (
    select hypothesis, char, target, count(distinct (value, category)) as answers
    from given
    where target is not null and (value is not null or category is not null)
    group by grouping sets ((hypothesis, char), (hypothesis, target))
  )
  group by hypothesis
), told as (
  select
    hypothesis, bool_or(yes_no) as yes_no,
    count(note) as failed_shards, min(note) as note
  from definitions
  where run = $run
  group by hypothesis
), counted as (
  select
    hypothesis,
    sum(steps) filter (value is not null) as numbers,
    sum(steps) filter (category is not null) as categories,
    count(distinct (value, category)) filter (value is not null or category is not null) as answers,
    sum(steps) filter (value = 1) as ones
  from given
  group by hypothesis
)
select
  hypothesis,
  case
    when yes_no then 'yes_no' when numbers > 0 and categories > 0 then 'mixed'
    when categories > 0 then 'category' when numbers > 0 then 'number' end as kind,
  (coalesce(numbers, 0) + coalesce(categories, 0))::bigint as steps,
  answers,
  if(yes_no, coalesce(ones, 0), null)::bigint as yes_steps,
  coalesce(ahead = 1 and here > 1, false) as says_next_char,
  failed_shards,
  note
from counted
join told using (hypothesis)
left join by_char using (hypothesis)
order by hypothesis
