-- question: In each model, which neuron follows two hypotheses at once?
-- parameter run run: the run's id, or the start of it
-- parameter first hypothesis: a hypothesis
-- parameter second hypothesis = : another; default: only the first counts
-- parameter signal signal = : one of the eight signals; default: cell_state, or hidden_state for a cell without one
-- tables: scores
with last_scores as (
  select *
  from scores
  where run = $run and value is not null
  qualify checkpoint = max(checkpoint) over (partition by model)
), usual as (  -- the measure of the hypothesis' kind: the auc of yes/no and of categories, else Pearson's r
  select *, if(measure = 'auc', 2, 1) * abs(coalesce(chosen, value) - if(measure = 'auc', 0.5, 0)) as strength
  from last_scores
  where measure in ('pearson', 'auc') and hypothesis in ($first, coalesce($second, $first))
  qualify measure = if(bool_or(measure = 'auc') over (partition by hypothesis), 'auc', 'pearson')
), strongest as (  -- of categories, the one that a signal tells best from the others
  select *
  from usual
  qualify row_number() over (
    partition by model, layer, neuron, signal, hypothesis order by strength desc, category
  ) = 1
), candidates as (
  select
    model, checkpoint, layer, neuron, signal,
    max_by(struct_pack(measure, category, "value", held_out, q_value), 1) filter (hypothesis = $first) as first,
    max_by(struct_pack(measure, category, "value", held_out, q_value), 1) filter (hypothesis = coalesce($second, $first)) as second,
    min(strength) as strength,
    bool_or(signal = 'cell_state') over (partition by model) as has_cell_state
  from strongest
  group by model, checkpoint, layer, neuron, signal
)
select
  model, checkpoint, layer, neuron, signal,
  first.measure as first_measure, first.category as first_category,
  first.value as first_value, first.held_out as first_held_out, first.q_value as first_q_value,
  second.measure as second_measure, second.category as second_category,
  second.value as second_value, second.held_out as second_held_out, second.q_value as second_q_value
from candidates
where signal = coalesce($signal, if(has_cell_state, 'cell_state', 'hidden_state'))
  and first is not null
  and second is not null
qualify row_number() over (partition by model order by strength desc, layer, neuron) = 1
order by strength desc, model
