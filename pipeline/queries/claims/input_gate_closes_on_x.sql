-- claim: The selective counter's input gate closes on an X while its candidate stays active.
-- tasks: selective_counting
-- question: In which networks is the counter's input gate at an X at most `closed`, and the size of its candidate there at least `active`, on average?
-- parameter run run: the run's id, or the start of it
-- parameter closed number = 0.1: the greatest mean input gate at an X
-- parameter active number = 0.5: the least mean size of the candidate there
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
    avg(input_gate) filter (is_a) as gate_at_a,
    avg(input_gate) filter (is_x) as gate_at_x,
    avg(abs(candidate)) filter (is_a) as candidate_at_a,
    avg(abs(candidate)) filter (is_x) as candidate_at_x
  from changes
  group by model, checkpoint, layer, neuron
  qualify row_number() over (partition by model order by r2 desc, layer, neuron) = 1
)
select
  model, checkpoint, coalesce(gate_at_x <= $closed and candidate_at_x >= $active, false) as held,
  'L' || layer || '/N' || neuron as neuron,
  round(gate_at_x, 9) as gate_at_x, round(gate_at_a, 9) as gate_at_a,
  round(candidate_at_x, 9) as candidate_at_x, round(candidate_at_a, 9) as candidate_at_a
from lines
order by model
