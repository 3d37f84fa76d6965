-- claim: The cell state counts more linearly than the hidden state, a squashed and gated version of it.
-- tasks: counting, selective_counting
-- question: In which networks is the counter's cell state a straighter line of both counts than its hidden state?
-- parameter run run: the run's id, or the start of it
-- parameter checkpoint checkpoint = : number of updates; default: each model's last dumped
-- tables: activations, steps
-- That h = o * tanh(c) is the cell's own equation: `unrolled audit` holds every stored value to it.
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
    cell_state, hidden_state
  from activations as a
  join marked as m using (sequence)
  where run = $run
    and cell_state is not null
    and checkpoint = coalesce($checkpoint, (select max(checkpoint) from activations as b where b.run = $run and b.model = a.model))
), lines as (
  select
    model, checkpoint, layer, neuron,
    coalesce(round(regr_r2(count_a, cell_state), 9), 0) as cell_r2_a,
    coalesce(round(regr_r2(remaining_b, cell_state), 9), 0) as cell_r2_b,
    coalesce(round(regr_r2(count_a, hidden_state), 9), 0) as hidden_r2_a,
    coalesce(round(regr_r2(remaining_b, hidden_state), 9), 0) as hidden_r2_b
  from states
  group by model, checkpoint, layer, neuron
)
select
  model, checkpoint,
  cell_r2_a > hidden_r2_a and cell_r2_b > hidden_r2_b as held,
  'L' || layer || '/N' || neuron as neuron,
  cell_r2_a, hidden_r2_a, cell_r2_b, hidden_r2_b
from lines
qualify row_number() over (partition by model order by least(cell_r2_a, cell_r2_b) desc, layer, neuron) = 1
order by model
