-- claim: A neuron's value at the separator encodes the count.
-- tasks: counting, selective_counting
-- question: Which networks have a neuron whose cell state at the separator is a straight line of n with an R² of at least `least`?
-- parameter run run: the run's id, or the start of it
-- parameter least number = 0.9: the least R²
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
    cell_state, hidden_state
  from activations as a
  join marked as m using (sequence)
  where run = $run
    and cell_state is not null
    and checkpoint = coalesce($checkpoint, (select max(checkpoint) from activations as b where b.run = $run and b.model = a.model))
), lines as (
  select
    model, checkpoint, layer, neuron,
    coalesce(round(regr_r2(n, cell_state) filter (step = separator), 9), 0) as r2,
    round(avg(abs(hidden_state)) filter (step != separator), 9) as hidden_elsewhere,  -- 0 of a neuron that is for this alone
    count(distinct n) filter (step = separator) as counts
  from states
  group by model, checkpoint, layer, neuron
)
select
  model, checkpoint, r2 >= $least as held, 'L' || layer || '/N' || neuron as neuron,
  r2, hidden_elsewhere, counts
from lines
qualify row_number() over (partition by model order by r2 desc, layer, neuron) = 1
order by model
