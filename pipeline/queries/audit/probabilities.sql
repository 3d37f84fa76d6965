-- says: probability = exp(-loss), loss >= 0 and entropy >= 0
-- Predictions are float32 at every precision: half a unit of the loss moves exp(-loss) by 2^-24 * loss of its size.
select
  null as layer, null as neuron, sequence, step,
  case
    when loss is null and probability is null then greatest(-entropy::double, 0)
    else greatest(abs(probability - exp(-loss::double)), -loss::double, -entropy::double)
  end as residual,
  if(loss is null, 0, $float32 * (1 + abs(loss)) * exp(-loss::double)) + $least as tolerance
from predictions
where run = $run and model = $model and checkpoint = $checkpoint
