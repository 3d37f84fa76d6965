-- claim: The memory's forget gate stays open until the answer.
-- tasks: state_memory
-- question: In which networks is the forget gate of the neuron that tells A from B best at least `open`, on average, over the x's and the separator?
-- parameter run run: the run's id, or the start of it
-- parameter open number = 0.95: the least mean forget gate
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
    cell_state, forget_gate
  from activations as a
  join texts using (sequence)
  where run = $run
    and cell_state is not null
    and a.step <= instr(text, 'Y')
    and checkpoint = coalesce($checkpoint, (select max(checkpoint) from activations as b where b.run = $run and b.model = a.model))
), memories as (
  select
    model, checkpoint, layer, neuron,
    coalesce(regr_r2(is_a::int, cell_state) filter (step <= separator), 0) as r2,
    avg(forget_gate) filter (step between 1 and separator) as holding,
    min(forget_gate) filter (step between 1 and separator) as least_open
  from states
  group by model, checkpoint, layer, neuron
  qualify row_number() over (partition by model order by r2 desc, layer, neuron) = 1
)
select
  model, checkpoint, coalesce(holding >= $open, false) as held, 'L' || layer || '/N' || neuron as neuron,
  round(holding, 9) as forget_gate, least_open::double as least_forget_gate, round(r2, 9) as r2
from memories
order by model
