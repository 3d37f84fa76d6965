-- claim: One neuron remembers whether the text began with A or B.
-- tasks: state_memory
-- question: Which networks have a neuron whose cell state, up to the separator, tells A from B with an AUC of at least `least`?
-- parameter run run: the run's id, or the start of it
-- parameter least number = 0.99: the least area under the ROC curve, or one less it
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
), ranked as (  -- ties share the mean of their ranks
  select
    *,
    (rank() over lower + count(*) over whole + 1 - rank() over upper) / 2 as place
  from states
  where step <= separator
  window
    lower as (partition by model, layer, neuron order by cell_state),
    upper as (partition by model, layer, neuron order by cell_state desc),
    whole as (partition by model, layer, neuron)
), areas as (
  select
    model, checkpoint, layer, neuron,
    coalesce(regr_r2(is_a::int, cell_state) filter (step <= separator), 0) as r2,
    (sum(place) filter (is_a) - count(*) filter (is_a) * (count(*) filter (is_a) + 1) / 2)
    / (count(*) filter (is_a) * count(*) filter (not is_a)) as auc
  from ranked
  group by model, checkpoint, layer, neuron
)
select
  model, checkpoint, coalesce(greatest(auc, 1 - auc) >= $least, false) as held,
  'L' || layer || '/N' || neuron as neuron,
  round(greatest(auc, 1 - auc), 9) as auc, round(r2, 9) as r2
from areas
qualify row_number() over (partition by model order by abs(auc - 0.5) desc, r2 desc, layer, neuron) = 1
order by model
