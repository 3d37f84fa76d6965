-- A layer's whole hidden state at a step, in the order of its neurons; a step with a row too many or too few has none.
select
  layer, sequence, step,
  list(hidden_state order by neuron) as hidden,
  list(abs(hidden_state) order by neuron) as sizes
from near
group by all
having count(*) = $neurons and count(hidden_state) = $neurons
