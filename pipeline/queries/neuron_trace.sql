-- question: What did a neuron's signals do along a sequence, and what of its cell state was kept and what was written?
-- parameter run run: the run's id, or the start of it
-- parameter model model: the model's name
-- parameter layer layer: layer, counting from 0
-- parameter neuron neuron: neuron, counting from 0
-- parameter sequence sequence = : the sequence; default: the first dumped
-- parameter checkpoint checkpoint = : number of updates; default: the last dumped
-- tables: activations, steps
with asked as (
  select
    coalesce($sequence, (select min(sequence) from steps where run = $run and split = 'probe')) as sequence,
    coalesce($checkpoint, (select max(checkpoint) from activations where run = $run and model = $model)) as checkpoint
)
-- kept + written is the cell state; before step 0 there is nothing to keep.
select
  a.step, s.char, s.target,
  a.* exclude (run, model, layer, neuron, sequence, step, token, checkpoint),
  a.forget_gate * lag(a.cell_state, 1, 0) over (order by a.step) as kept,
  a.input_gate * a.candidate as written
from activations as a
join steps as s using (run, sequence, step)
where a.run = $run
  and a.model = $model
  and a.layer = $layer
  and a.neuron = $neuron
  and a.sequence = (select sequence from asked)
  and a.checkpoint = (select checkpoint from asked)
  and s.split = 'probe'
order by a.step
