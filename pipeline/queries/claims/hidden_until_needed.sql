-- claim: The memory's hidden state is off while the memory is not needed.
-- tasks: state_memory
-- question: In which networks is the hidden state of the neuron that tells A from B best, on average of its size, at most `off` over the x's and at least `shown` at the separator?
-- parameter run run: the run's id, or the start of it
-- parameter off number = 0.1: the greatest mean size at an x
-- parameter shown number = 0.5: the least at the separator, where it is needed
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
    cell_state, hidden_state, output_gate
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
    avg(abs(hidden_state)) filter (step between 1 and separator - 1) as at_x,
    avg(abs(hidden_state)) filter (step = separator) as at_separator,
    avg(output_gate) filter (step between 1 and separator - 1) as gate_at_x
  from states
  group by model, checkpoint, layer, neuron
  qualify row_number() over (partition by model order by r2 desc, layer, neuron) = 1
)
select
  model, checkpoint, coalesce(at_x <= $off and at_separator >= $shown, false) as held,
  'L' || layer || '/N' || neuron as neuron,
  round(at_x, 9) as hidden_at_x, round(at_separator, 9) as hidden_at_separator, round(gate_at_x, 9) as output_gate_at_x
from memories
order by model
