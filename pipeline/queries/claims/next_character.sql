-- claim: The copying network's neurons follow the next character rather than a slot.
-- tasks: copying
-- question: In which networks does the next character explain more of the variance of its best neuron than any slot's letter of its own?
-- parameter run run: the run's id, or the start of it
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
), sums as (
  select model, checkpoint, layer, neuron, signal, target, count(*) as n, sum(value) as total, sum(value * value) as squares
  from states
  group by model, checkpoint, layer, neuron, signal, target, letter
), shares as (  -- eta squared: the sum of squares between letters, of the whole
  select
    model, checkpoint, layer, neuron, target,
    max(eta2) as eta2  -- of the two states
  from (
    select
      model, checkpoint, layer, neuron, signal, target,
      (sum(total * total / n) - sum(total) * sum(total) / sum(n))
      / nullif(sum(squares) - sum(total) * sum(total) / sum(n), 0) as eta2
    from sums
    group by model, checkpoint, layer, neuron, signal, target
  )
  group by model, checkpoint, layer, neuron, target
), neurons as (
  select
    model, checkpoint, layer, neuron,
    coalesce(max(eta2) filter (target = 'next'), 0) as by_next,
    coalesce(max(eta2) filter (target != 'next'), 0) as by_slot
  from shares
  group by model, checkpoint, layer, neuron
)
select
  model, any_value(checkpoint) as checkpoint,
  max(by_next) > max(by_slot) as held,
  arg_max('L' || layer || '/N' || neuron, (by_next, -layer, -neuron)) as neuron,
  round(max(by_next), 9) as eta2_next,
  round(max(by_slot), 9) as eta2_slot,
  round(avg((by_next > by_slot)::int), 9) as neurons_that_follow_next
from neurons
group by model
order by model
