-- claim: Each letter to copy is held by a neuron of its own.
-- tasks: copying
-- question: In which networks does each slot have a neuron that tells one of its letters from the others, from when it is read until its copy comes, with an AUC of at least `least`?
-- parameter run run: the run's id, or the start of it
-- parameter least number = 0.95: the least area under the ROC curve, or one less it
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
), letters as (  -- what a neuron may follow, with the steps at which it could: a slot from its letter to its copy
  select sequence, 'slot_' || slot as target, text[slot] as letter, unnest(range(slot - 1, instr(text, 'X') - 1 + slot)) as step
  from (select *, unnest(range(1, instr(text, 'X'))) as slot from texts)
  union all
  select sequence, 'next', text[step + 2], step
  from (select *, unnest(range(instr(text, 'X') - 1, 2 * instr(text, 'X') - 2)) as step from texts)
), states as (
  select
    a.model, a.checkpoint, a.layer, a.neuron, l.target, l.letter,
    unnest([{'signal': 'cell_state', 'value': cell_state::double}, {'signal': 'hidden_state', 'value': hidden_state::double}], recursive := true)
  from activations as a
  join letters as l using (sequence, step)
  where run = $run
    and cell_state is not null
    and checkpoint = coalesce($checkpoint, (select max(checkpoint) from activations as b where b.run = $run and b.model = a.model))
), ranked as (  -- ties share the mean of their ranks
  select
    *,
    (rank() over lower + count(*) over whole + 1 - rank() over upper) / 2 as place,
    count(*) over whole as steps
  from states
  where target != 'next'
  window
    lower as (partition by model, layer, neuron, signal, target order by value),
    upper as (partition by model, layer, neuron, signal, target order by value desc),
    whole as (partition by model, layer, neuron, signal, target)
), areas as (  -- one letter against the rest
  select
    model, checkpoint, layer, neuron, target,
    (sum(place) - count(*) * (count(*) + 1) / 2) / (count(*) * (any_value(steps) - count(*))) as auc
  from ranked
  group by model, checkpoint, layer, neuron, signal, target, letter
), slots as (
  select
    model, any_value(checkpoint) as checkpoint, target,
    max(greatest(auc, 1 - auc)) as auc,
    arg_max('L' || layer || '/N' || neuron, (greatest(auc, 1 - auc), -layer, -neuron)) as neuron
  from areas
  group by model, target
)
select
  model, any_value(checkpoint) as checkpoint,
  min(auc) >= $least as held,
  string_agg(neuron, ', ' order by target) as neuron,
  round(max(auc) filter (target = 'slot_1'), 9) as auc_slot_1,
  round(max(auc) filter (target = 'slot_2'), 9) as auc_slot_2,
  round(max(auc) filter (target = 'slot_3'), 9) as auc_slot_3
from slots
group by model
order by model
