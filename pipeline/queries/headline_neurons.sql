-- question: In each model, which neuron follows two hypotheses at once?
-- parameter run run: the run's id, or the start of it
-- parameter first hypothesis: a hypothesis
-- parameter second hypothesis = : another; default: only the first counts
-- parameter signal signal = : one of the eight signals; default: cell_state, or hidden_state for a cell without one
-- tables: scores
with last_scores as (
  select *
  from scores
  where run = $run and measure = 'pearson'
  qualify checkpoint = max(checkpoint) over (partition by model)
), candidates as (
  select
    model, checkpoint, layer, neuron, signal,
    any_value(value) filter (hypothesis = $first) as first_r,
    any_value(value) filter (hypothesis = coalesce($second, $first)) as second_r,
    bool_or(signal = 'cell_state') over (partition by model) as has_cell_state
  from last_scores
  group by model, checkpoint, layer, neuron, signal
)
select model, checkpoint, layer, neuron, signal, first_r, second_r
from candidates
where signal = coalesce($signal, if(has_cell_state, 'cell_state', 'hidden_state'))
  and first_r is not null
  and second_r is not null
qualify row_number() over (partition by model order by least(abs(first_r), abs(second_r)) desc, layer, neuron) = 1
order by least(abs(first_r), abs(second_r)) desc, model
