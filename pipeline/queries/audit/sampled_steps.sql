-- The steps whose gates are worked out again: a share $share of the probe split, spread over it without a period
-- (multiples of the golden ratio), its first and last step, and the shortest sequence from its start.
with placed as (
  select sequence, step, token, row_number() over (order by sequence, step) as place
  from steps
  where run = $run and split = 'probe'
), shortest as (
  select sequence from placed group by sequence order by count(*), sequence limit 1
)
select sequence, step, token
from placed
where $share >= 1
  or place * 0.6180339887498949 % 1 < $share
  or place in (1, (select max(place) from placed))
  or (sequence in (from shortest) and step < $whole)
