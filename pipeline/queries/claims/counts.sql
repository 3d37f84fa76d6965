-- claim: A hidden neuron counts the a's, and then the b's that are left.
-- tasks: counting, selective_counting
-- question: Which networks have a neuron whose cell state is a straight line of the a's read and of the b's left, each with an R² of at least `least`?
-- parameter run run: the run's id, or the start of it
-- parameter least number = 0.99: the least R²
-- parameter checkpoint checkpoint = : number of updates; default: each model's last dumped
-- tables: activations, steps
with texts as (  -- a text that was drawn again says nothing new
  select text, min(sequence) as sequence
  from (
    select sequence, string_agg(char, '' order by step) as text
    from steps
    where run = $run and split = 'probe'
    group by sequence
  )
  group by text
), marked as (
  select
    sequence, text,
    instr(text, if(contains(text, 'Y'), 'Y', 'X')) - 1 as separator,
    len(text) - len(replace(text, 'b', '')) as n
  from texts
), states as (
  select
    a.model, a.checkpoint, a.layer, a.neuron, m.sequence, a.step, m.separator, m.n,
    substr(text, a.step + 1, 1) as char,
    if(a.step < separator, len(replace(substr(text, 1, a.step + 1), 'X', '')), null) as count_a,
    if(a.step between separator and separator + n, n - (a.step - separator), null) as remaining_b,
    cell_state
  from activations as a
  join marked as m using (sequence)
  where run = $run
    and cell_state is not null
    and checkpoint = coalesce($checkpoint, (select max(checkpoint) from activations as b where b.run = $run and b.model = a.model))
), lines as (
  select
    model, checkpoint, layer, neuron,
    coalesce(round(regr_r2(count_a, cell_state), 9), 0) as r2_a,
    coalesce(round(regr_r2(remaining_b, cell_state), 9), 0) as r2_b,
    round(regr_slope(cell_state, count_a), 9) as slope_a,
    round(-regr_slope(cell_state, remaining_b), 9) as slope_b  -- at each b that is read
  from states
  group by model, checkpoint, layer, neuron
)
select
  model, checkpoint, least(r2_a, r2_b) >= $least as held, 'L' || layer || '/N' || neuron as neuron,
  r2_a, r2_b, slope_a, slope_b
from lines
qualify row_number() over (partition by model order by least(r2_a, r2_b) desc, layer, neuron) = 1
order by model
