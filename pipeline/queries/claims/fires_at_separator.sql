-- claim: A neuron fires only at the separator.
-- tasks: counting, selective_counting
-- question: Which networks have a neuron whose hidden state is, on average of its size, at least `fires` at the separator and at most `silent` at all other characters?
-- parameter run run: the run's id, or the start of it
-- parameter fires number = 0.5: the least mean size of the hidden state at the separator
-- parameter silent number = 0.1: the greatest elsewhere
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
    hidden_state, cell_state
  from activations as a
  join marked as m using (sequence)
  where run = $run
    and cell_state is not null
    and checkpoint = coalesce($checkpoint, (select max(checkpoint) from activations as b where b.run = $run and b.model = a.model))
), sizes as (
  select
    model, checkpoint, layer, neuron,
    round(avg(abs(hidden_state)) filter (step = separator), 9) as at_separator,
    round(avg(abs(hidden_state)) filter (step != separator), 9) as elsewhere
  from states
  group by model, checkpoint, layer, neuron
)
select
  model, checkpoint, at_separator >= $fires and elsewhere <= $silent as held,
  'L' || layer || '/N' || neuron as neuron,
  at_separator, elsewhere
from sizes
qualify row_number() over (partition by model order by at_separator - elsewhere desc, layer, neuron) = 1
order by model
