-- claim: The selective counter writes at an X, and what it writes makes up for what it forgets.
-- tasks: selective_counting
-- question: In which networks is what the counter writes at an X at least `written` of its change at an a, although its cell state changes by at most `share` of what is written?
-- parameter run run: the run's id, or the start of it
-- parameter written number = 0.1: the least mean size of i * g at an X, of the mean change at an a
-- parameter share number = 0.5: the greatest mean size of the change at an X, of that of i * g there
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
    avg(abs(cell_state - before)) filter (is_x) as at_x,
    avg(abs(written)) filter (is_x) as written_at_x,
    avg(abs((1 - forget_gate) * before)) filter (is_x) as forgotten_at_x
  from changes
  group by model, checkpoint, layer, neuron
  qualify row_number() over (partition by model order by r2 desc, layer, neuron) = 1
)
select
  model, checkpoint, coalesce(written_at_x / nullif(at_a, 0) >= $written and at_x / nullif(written_at_x, 0) <= $share, false) as held,
  'L' || layer || '/N' || neuron as neuron,
  round(written_at_x / nullif(at_a, 0), 9) as written_at_x_of_a,
  round(forgotten_at_x / nullif(at_a, 0), 9) as forgotten_at_x_of_a,
  round(at_x / nullif(at_a, 0), 9) as change_at_x_of_a
from lines
order by model
