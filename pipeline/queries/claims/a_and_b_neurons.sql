-- claim: There are neurons for A and neurons for B.
-- tasks: state_memory
-- question: Which networks have a neuron whose cell state up to the separator is, on average of its size, after a B at most `share` of what it is after an A, and another one the other way round?
-- parameter run run: the run's id, or the start of it
-- parameter share number = 0.33: the greatest mean size for the letter that it is not for, of that for its own
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
), states as (  -- from the letter to the answer, which comes right after the Y
  select
    a.model, a.checkpoint, a.layer, a.neuron, a.step,
    text[1] = 'A' as is_a, instr(text, 'Y') - 1 as separator,
    cell_state
  from activations as a
  join texts using (sequence)
  where run = $run
    and cell_state is not null
    and a.step <= instr(text, 'Y')
    and checkpoint = coalesce($checkpoint, (select max(checkpoint) from activations as b where b.run = $run and b.model = a.model))
), sizes as (
  select
    model, checkpoint, layer, a.neuron as place, 'L' || layer || '/N' || a.neuron as neuron,
    avg(abs(cell_state)) filter (is_a) as after_a,
    avg(abs(cell_state)) filter (not is_a) as after_b
  from states as a
  where step <= separator
  group by model, checkpoint, layer, a.neuron
), shares as (
  select *, after_b / nullif(after_a, 0) as left_of_a, after_a / nullif(after_b, 0) as left_of_b
  from sizes
)
select
  model, any_value(checkpoint) as checkpoint,
  coalesce(min(left_of_a) <= $share and min(left_of_b) <= $share, false) as held,
  arg_min(neuron, (left_of_a, layer, place)) || ', ' || arg_min(neuron, (left_of_b, layer, place)) as neuron,
  round(min(left_of_a), 9) as a_neuron_after_b,  -- the mean size after a B, of that after an A
  round(min(left_of_b), 9) as b_neuron_after_a
from shares
group by model
order by model
