-- claim: The selective counter ignores the X's.
-- tasks: selective_counting
-- question: In which networks does the counter's cell state change at an X by at most `share` of what it changes at an a?
-- parameter run run: the run's id, or the start of it
-- parameter share number = 0.1: the greatest mean size of its change at an X, of its mean change at an a
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
    input_gate, forget_gate, candidate, cell_state,
    lag(cell_state, 1, 0) over (partition by a.model, a.layer, a.neuron, sequence order by a.step) as before
  from activations as a
  join marked as m using (sequence)
  where run = $run
    and cell_state is not null
    and checkpoint = coalesce($checkpoint, (select max(checkpoint) from activations as b where b.run = $run and b.model = a.model))
), changes as (
  select *, char = 'a' as is_a, char = 'X' and step < separator as is_x, input_gate * candidate as written
  from states
), lines as (
  select
    model, checkpoint, layer, neuron,
    least(coalesce(regr_r2(count_a, cell_state), 0), coalesce(regr_r2(remaining_b, cell_state), 0)) as r2,
    abs(avg(cell_state - before) filter (is_a)) as at_a,
    avg(abs(cell_state - before)) filter (is_x) as at_x
  from changes
  group by model, checkpoint, layer, neuron
  qualify row_number() over (partition by model order by r2 desc, layer, neuron) = 1
)
select
  model, checkpoint, coalesce(at_x / nullif(at_a, 0) <= $share, false) as held, 'L' || layer || '/N' || neuron as neuron,
  round(at_x / nullif(at_a, 0), 9) as change_at_x_of_a, round(at_a, 9) as change_at_a, round(r2, 9) as r2
from lines
order by model
